"""Publishes one message as mosquitto_pub does, for machines that do not have it."""

import argparse
import asyncio

import aiomqtt


async def publish(said: argparse.Namespace) -> None:
    async with aiomqtt.Client(said.h, said.p, username=said.u, password=said.P) as client:
        await client.publish(said.t, said.m, qos=said.q, timeout=30)


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    for name in ("-h", "-u", "-P", "-t", "-m"):
        parser.add_argument(name, required=True)
    for name in ("-p", "-q"):
        parser.add_argument(name, required=True, type=int)
    asyncio.run(publish(parser.parse_args()))


if __name__ == "__main__":
    main()

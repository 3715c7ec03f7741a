"""Gets one address as `curl -s -H HEADER ADDRESS` does, for machines that do not have it."""

import argparse
import sys

import httpx


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true", required=True)
    parser.add_argument("-H", required=True)
    parser.add_argument("address")
    said = parser.parse_args()
    name, value = said.H.split(": ", 1)
    answer = httpx.get(said.address, headers={name: value}, trust_env=False, timeout=60)
    sys.stdout.write(answer.text)


if __name__ == "__main__":
    main()

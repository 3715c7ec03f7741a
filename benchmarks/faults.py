"""Is anything lost, stored twice or judged otherwise when something fails, and for how long?

Broker, database and worker are processes of their own, with the demo's settings; a live fleet
of 16,000 vehicles at scale 1 reports every 10 s, and publishes again what was not acknowledged.
Each fault strikes a product of its own, which then has to come back: `recovery_s` from the fault's
end until every live fix is stored within three seconds; `max_lag_s` is the longest that a live fix
waited; `equal` says whether the violations are those of the same messages judged with no fault.
Lasts as long as its faults do: an hour at scale 1. It is not one of `make bench`.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final

import psycopg
import structlog

from benchmarks.parts.flood import Flood, begin
from benchmarks.parts.house import INTERVAL_S, Findings, House, as_row
from benchmarks.report import machine
from simulators.feed import Message

VEHICLES: Final = 16_000
CALM_S: Final = 10.0
CUT_OFF_VEHICLES: Final = 10_000
CUT_OFF_S: Final = 7200
OLD_INTERVAL_S: Final = 30
FILES: Final = 24
"""Of 100,000 fixes each at scale 1: what providers spill to disk at once, sent one in 20 s."""
CYCLE_S: Final = 20.0
SLOW_S: Final = 600.0
STALL_S: Final = 60.0
DOWN_S: Final = 20.0


def strike(scale: float, fault: Callable[[House], None], **options: int) -> Findings:
    """One product, calm at first, then the fault, then what became of it."""
    with House(max(50, round(VEHICLES * scale)), **options) as house:
        house.run(CALM_S)
        with house.disturbed():
            fault(house)
        house.run(CALM_S)
        return house.finish()


def worker_killed(house: House) -> None:
    """SIGKILL, four times, a second after it has subscribed again, and whenever that may be."""
    for _ in range(4):
        house.worker.kill()
        house.start_worker()
        house.run(5.0)


def database_killed(house: House) -> None:
    """SIGKILL, and recovery from the log."""
    house.postgres.kill()
    house.run(DOWN_S)
    house.postgres.restart()


def database_restarted(house: House) -> None:
    """Stopped in order, and started again."""
    house.postgres.stop()
    house.run(DOWN_S)
    house.postgres.restart()


def database_read_only(house: House) -> None:
    """Every session is read-only."""
    with psycopg.connect(house.postgres.dsn_of("postgres"), autocommit=True) as admin:
        admin.execute("ALTER DATABASE hanhtrinh SET default_transaction_read_only = on")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hanhtrinh'"
        )
        house.run(DOWN_S)
        admin.execute("ALTER DATABASE hanhtrinh RESET default_transaction_read_only")


def database_out_of_connections(house: House) -> None:
    """Somebody takes all of them, the worker's too."""
    with ExitStack() as taken:
        admin = taken.enter_context(
            psycopg.connect(house.postgres.dsn_of("postgres"), autocommit=True)
        )
        for _ in range(2):
            with suppress(psycopg.OperationalError):
                while True:
                    taken.enter_context(psycopg.connect(house.postgres.dsn_of("postgres")))
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'hanhtrinh worker'"
            )
        house.run(DOWN_S)


def broker_killed(house: House) -> None:
    """SIGKILL."""
    house.broker.kill()
    house.run(DOWN_S)
    house.broker.restart()


def broker_restarted(house: House) -> None:
    """Stopped in order, and started again."""
    house.broker.stop()
    house.run(DOWN_S)
    house.broker.restart()


def broker_full(house: House) -> None:
    """Its disk is full, because the worker's database answers nothing."""
    house.to_database.stall()
    house.run(STALL_S)
    house.to_database.flow()


def broker_network_stalls(house: House) -> None:
    """Nothing passes between worker and broker, and nobody is told."""
    house.to_broker.stall()
    house.run(STALL_S)
    house.to_broker.flow()


def database_network_stalls(house: House) -> None:
    """Nothing passes between worker and database, and nobody is told."""
    house.to_database.stall()
    house.run(STALL_S)
    house.to_database.flow()


def database_slow(seconds: float) -> Callable[[House], None]:
    """Every answer of the database takes five times as long, for so many seconds."""

    def slow(house: House) -> None:
        house.to_database.slow_down(5.0)
        house.run(seconds)
        house.to_database.flow()

    return slow


def replay(scale: float) -> Findings:
    """Two hours of 10,000 vehicles, newest file first, while the fleet goes on."""
    cut_off = max(10, round(CUT_OFF_VEHICLES * scale))
    with House(max(cut_off, round(VEHICLES * scale)), past_s=CUT_OFF_S) as house:
        house.run(CALM_S)
        device = house.broker.device
        flood = Flood(
            house.broker.mqtt_port, device.username, device.password,
            len(house.fleet.vehicles), cut_off, house.fleet.options.start_us,
            house.live.begin_us, OLD_INTERVAL_S, FILES, CYCLE_S,
        )  # fmt: skip
        began = time.monotonic()
        with house.disturbed():
            process = begin(flood)
            while process.poll() is None:
                house.run(1.0)
            if process.returncode:
                raise RuntimeError(f"flood: ended with {process.returncode}")
            house.findings.more["replayed in s"] = round(time.monotonic() - began, 1)
        old: list[Message] = [message for part in flood.parts(house.fleet) for message in part]
        house.findings.more["old fixes"] = len(old)
        found = house.finish(old)
        found.more["all judged in s"] = round(time.monotonic() - began, 1)
        return found


def faults(scale: float, hours: float) -> dict[str, Callable[[], Findings]]:
    """Every fault by name; hours: a factor of how long those last that last long."""
    plain = (
        worker_killed, database_killed, database_restarted, database_read_only,
        database_out_of_connections, broker_killed, broker_restarted, broker_network_stalls,
        database_network_stalls,
    )  # fmt: skip
    found: dict[str, Callable[[], Findings]] = {
        fault.__name__: lambda fault=fault: strike(scale, fault)  # type: ignore[misc]
        for fault in plain
    }
    # So small a disk that the worker's window and a minute of the fleet fill it.
    most_bytes = max(1 << 20, round(VEHICLES * scale / INTERVAL_S * STALL_S * 100))
    found["broker_full"] = lambda: strike(scale, broker_full, most_bytes=most_bytes)
    found["database_slow"] = lambda: strike(scale, database_slow(SLOW_S * hours))
    found["replay"] = lambda: replay(scale)
    return found


def main() -> None:
    """Parse the arguments, strike, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of faults; none: all")
    parser.add_argument("--scale", type=float, default=1.0, help="of the fleet and the replay")
    parser.add_argument("--slow", type=float, default=1.0, help="of the ten minutes of slowness")
    parser.add_argument("--json", action="store_true", help="print one JSON object a fault")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # Links and the fleet are threads of this process: a link must not add the usual five
    # milliseconds to what it forwards while the fleet is busy.
    sys.setswitchinterval(0.0002)
    known = faults(arguments.scale, arguments.slow)
    if unknown := set(arguments.only or ()) - known.keys():
        parser.error(f"--only: expected some of {', '.join(known)}, got {', '.join(unknown)}")
    for name, strike_it in known.items():
        if arguments.only and name not in arguments.only:
            continue
        row = as_row(name, strike_it())
        if arguments.json:
            print(json.dumps({**row, "scale": arguments.scale, "machine": machine()}), flush=True)
        else:
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()

"""A program that owns embedded servers, for tests that kill it.

    python -m tests.hanhtrinh.owner DATA_FOLDER

Prints one JSON line with the servers' process ids and ports, and waits for its standard input to
close, then stops them.
"""

import json
import sys
from pathlib import Path

import psycopg

from hanhtrinh.embedded import DataFolder, EmbeddedNats, EmbeddedPostgres


def main() -> None:
    with (
        DataFolder.open(Path(sys.argv[1])) as folder,
        EmbeddedPostgres(folder) as database,
        EmbeddedNats(folder) as broker,
    ):
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS visits (at timestamptz)")
            connection.execute("INSERT INTO visits VALUES (now())")
            row = connection.execute("SELECT count(*) FROM visits").fetchone()
        assert row is not None
        said = {
            "postgres": database.pid,
            "nats": broker.pid,
            "ports": [database.port, broker.mqtt_port],
            "visits": row[0],
        }
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()

"""One codec, fuzzed with feedback of the code that each payload reaches: a process of its own.

python -m tests.fuzz.target CODEC FOLDER SECONDS: FOLDER/corpus holds the payloads to begin with;
what breaks the codec is written to FOLDER as crash-*, timeout-* or oom-*.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["devices"]):
    from devices.catalogue import codec

from tests.fuzz.invariants import MAX_SECONDS, check

MAX_BYTES = 4096


def main() -> None:
    name, folder, seconds = sys.argv[1:]
    chosen = codec(name)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}/",
        str(Path(folder) / "corpus"),
    ]
    atheris.Setup([sys.argv[0], *options], lambda payload: check(chosen, payload, MAX_SECONDS))
    atheris.Fuzz()


if __name__ == "__main__":
    main()

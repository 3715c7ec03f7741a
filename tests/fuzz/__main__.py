"""Fuzz every codec of the catalogue: `make fuzz ARGS="--seconds 60 --codec nmea"`.

Each codec gets a process and a time of its own, and begins with its vectors and what its encoder
writes. What breaks one is printed in hexadecimal: mend the codec and add it to the vectors in
tests/devices/vectors/, so that it is tried ever after. Exits with 1 if anything broke.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from devices.catalogue import CODECS
from tests.fuzz.seeds import seeds

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120
"""For a process to start, and to end after its time."""


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make fuzz", description="Fuzz the codecs.")
    arguments.add_argument("--seconds", type=int, default=20, help="for each codec")
    arguments.add_argument("--codec", choices=sorted(CODECS), action="append", help="only this one")
    chosen = arguments.parse_args()
    broken = sum(not fuzz(name, chosen.seconds) for name in chosen.codec or sorted(CODECS))
    return 1 if broken else 0


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one codec; whether it held. Prints a line, and what broke it."""
    with tempfile.TemporaryDirectory(prefix="hanhtrinh-fuzz-") as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, payload in enumerate(seeds(name)):
            (corpus / f"seed-{number}").write_bytes(payload)
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.target", name, folder, str(seconds)],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + PATIENCE_S,
        )  # fmt: skip
        runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        found = [path for path in Path(folder).iterdir() if path.is_file()]
        held = done.returncode == 0 and not found
        verdict = "held" if held else "BROKE"
        print(f"{name:20} {int(runs[1]) if runs else 0:10,} payloads  {verdict}", flush=True)
        if not held:
            print(done.stderr[-2000:])
        for path in found:
            print(json.dumps({"name": path.name.split("-")[0], "hex": path.read_bytes().hex()}))
    return held


if __name__ == "__main__":
    sys.exit(main())

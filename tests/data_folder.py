"""Where real data lies: $HANHTRINH_DATA, else ../shared/data beside the repository."""

import os
from pathlib import Path

import pytest


def real_data(name: str) -> Path:
    """The path of real data; skips the test, with the reason, where it is missing."""
    folder = os.environ.get("HANHTRINH_DATA")
    root = Path(folder) if folder else Path(__file__).parents[2] / "shared" / "data"
    path = root / name
    if not path.exists():
        pytest.skip(f"real data is missing: {path} (set HANHTRINH_DATA)")
    return path

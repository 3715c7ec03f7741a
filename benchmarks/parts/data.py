"""Where the real data is that some benchmarks use."""

import os
from pathlib import Path


def data_folder() -> Path:
    """$HANHTRINH_DATA, else ../shared/data beside the repository; it need not be there."""
    given = os.environ.get("HANHTRINH_DATA")
    return Path(given) if given else Path(__file__).parents[3] / "shared" / "data"

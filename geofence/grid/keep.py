"""Grids kept on disk between processes, named by the content they were built from.

Belongs here: reading and writing them. A grid that is not there, or cannot be read, is built; what
cannot be written is built again next time. The folder is that of the compiled kernels, so grids
go where other sources made them, and unused ones with them.
"""

import contextlib
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from devices.compile import cache_folder, sources_of
from geofence.grid.build import Fineness, Grid, build_grid
from geofence.grid.layout import Layout

KEPT: Final = cache_folder(sources_of(__name__)) / "grids"

WORTH_KEEPING: Final = 20_000
"""Edges and segments from which on reading a grid is faster than building it."""

MOST_KEPT: Final = 8
"""Grids kept at most; the least recently used ones are removed."""

_SCALARS: Final = ("west", "south", "scale", "bits", "shift")
_ARRAYS: Final = {"table": 2, "directory": 1, "leaves": 1}


def _read(path: Path) -> Grid | None:
    """The grid in a file; None if there is none that is whole."""
    try:
        # Opened here: numpy leaves a file open that it cannot read. Reading checks each CRC-32.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            scalars, arrays = file["scalars"], {name: file[name] for name in _ARRAYS}
        os.utime(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    right = scalars.shape == (len(_SCALARS),) and scalars.dtype == np.float64
    for name, dimensions in _ARRAYS.items():
        right = right and arrays[name].dtype == np.int32 and arrays[name].ndim == dimensions
    if not right:
        return None
    west, south, scale, bits, shift = scalars.tolist()
    return Grid(west, south, scale, int(bits), int(shift), **arrays)


def _write(path: Path, grid: Grid) -> None:
    """Write a file as a whole: who reads finds the old one, the new one, or none."""
    scalars = np.array([getattr(grid, name) for name in _SCALARS], np.float64)
    arrays = {name: getattr(grid, name) for name in _ARRAYS}
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, scalars=scalars, **arrays)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_old(folder: Path) -> None:
    by_use = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_use[MOST_KEPT:]:
        path.unlink(missing_ok=True)


def kept_grid(layout: Layout, fine: Fineness, folder: Path = KEPT) -> Grid:
    """The grid of a layout, from the folder if it is there, else built and put there."""
    if layout.size < WORTH_KEEPING:
        return build_grid(layout, fine)
    name = f"{layout.fingerprint()}-{fine.most_weight}-{fine.usual_deg}-{fine.most_words}.npz"
    path = folder / name
    grid = _read(path)
    if grid is None:
        grid = build_grid(layout, fine)
        with contextlib.suppress(OSError):  # a full disk costs time, not zones
            folder.mkdir(mode=0o700, exist_ok=True)
            _write(path, grid)
            _remove_old(folder)
    return grid

"""Grids on disk: read again, rebuilt where a file is not whole, written by many at a time."""

import multiprocessing
import os

import numpy as np
import pytest
import shapely

from geofence.geometry import Shape
from geofence.grid import keep
from geofence.grid.build import Fineness, build_grid
from geofence.grid.keep import kept_grid
from geofence.grid.layout import lay_out


def layout(towns=40, move=0.0):
    """Enough edges to be worth keeping."""
    areas = [shapely.Point(105 + k * 0.02 + move, 21).buffer(0.015, 160) for k in range(towns)]
    return lay_out([Shape("polygon", area, 0.0) for area in areas])


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture
def builds(monkeypatch):
    """What was built, one entry each time."""
    made = []

    def build(of, fine):
        made.append(of)
        return build_grid(of, fine)

    monkeypatch.setattr(keep, "build_grid", build)
    return made


def test_a_grid_is_built_once_and_read_afterwards(tmp_path, builds):
    first = kept_grid(layout(), Fineness(), tmp_path / "grids")
    again = kept_grid(layout(), Fineness(), tmp_path / "grids")
    assert len(builds) == 1
    assert same(first, again)
    assert type(again.bits) is int


def test_other_shapes_and_another_fineness_are_other_grids(tmp_path, builds):
    for of, fine in [
        (layout(), Fineness()),
        (layout(move=1e-12), Fineness()),
        (layout(), Fineness(16)),
    ]:
        kept_grid(of, fine, tmp_path)
    assert len(builds) == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_a_small_grid_is_not_kept(tmp_path):
    kept_grid(layout(towns=2), Fineness(), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole[:0],
        lambda whole: b"not a grid" + whole[10:],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:5000] + bytes([whole[5000] ^ 64]) + whole[5001:],
    ],
    ids=["empty", "other", "cut", "one bit"],
)
def test_a_file_that_is_not_whole_is_built_and_written_anew(tmp_path, builds, spoil):
    expected = kept_grid(layout(), Fineness(), tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(spoil(path.read_bytes()))
    assert same(kept_grid(layout(), Fineness(), tmp_path), expected)
    assert same(kept_grid(layout(), Fineness(), tmp_path), expected)
    assert len(builds) == 2


def test_a_file_of_another_form_is_built_anew(tmp_path):
    expected = kept_grid(layout(), Fineness(), tmp_path)
    (path,) = tmp_path.iterdir()
    with path.open("wb") as file:
        np.savez(file, scalars=np.zeros(5), table=np.zeros(3), directory=1, leaves=2)
    assert same(kept_grid(layout(), Fineness(), tmp_path), expected)


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert same(
        kept_grid(layout(), Fineness(), tmp_path / "file"), build_grid(layout(), Fineness())
    )


def test_only_the_grids_used_last_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(keep, "MOST_KEPT", 2)
    for number in range(3):
        kept_grid(layout(move=number * 1e-3), Fineness(), tmp_path)
        for path in tmp_path.iterdir():  # file times are too coarse to tell the three apart
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10))
    assert len(list(tmp_path.iterdir())) == 2


def keep_one(folder):
    return kept_grid(layout(), Fineness(), folder)


def test_processes_that_keep_the_same_grid_do_not_harm_each_other(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        grids = pool.map(keep_one, [tmp_path] * 4)
    assert all(same(grid, grids[0]) for grid in grids)
    assert len(list(tmp_path.iterdir())) == 1

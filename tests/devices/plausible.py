"""Invariants of every decoded fix and weighing, whatever bytes it came from."""

import json

import numpy as np

from devices.batch import COLUMNS
from devices.codec import EARLIEST_FIX_US, LATEST_AHEAD_US, Decoded
from devices.texts import is_plain


def assert_plausible(decoded: Decoded, payloads: int) -> None:
    """Check shapes, ranges and order of all that was decoded from so many payloads."""
    fixes = decoded.fixes
    n = len(fixes)
    for name, (dtype, _) in COLUMNS.items():
        column = getattr(fixes, name)
        assert column.shape == (n,), name
        assert column.dtype == dtype, name
    assert decoded.fix_payload.shape == decoded.fix_ident.shape == (n,)
    assert_ascending(decoded.fix_payload, payloads)
    assert (fixes.vehicle == -1).all()
    assert (
        (fixes.time >= EARLIEST_FIX_US) & (fixes.time <= fixes.received + LATEST_AHEAD_US)
    ).all()
    wide, narrow = np.abs(fixes.lon), np.abs(fixes.lat)
    assert (np.maximum(wide, narrow) <= 180).all()
    assert (np.minimum(wide, narrow) <= 90).all()
    for name, low, high in (
        ("speed_kmh", 0, 2000), ("heading", 0, 359.9999999), ("altitude", -12_000, 100_000),
        ("hdop", 0, 1000), ("odometer", 0, 1e11),
    ):  # fmt: skip
        column = getattr(fixes, name)
        assert (np.isnan(column) | ((column >= low) & (column <= high))).all(), name
    assert ((fixes.driver >= -1) & (fixes.driver < len(decoded.drivers))).all()
    assert ((decoded.fix_ident >= -1) & (decoded.fix_ident < len(decoded.idents))).all()
    assert len(set(decoded.idents)) == len(decoded.idents)
    for name in (*decoded.idents, *decoded.drivers):
        assert is_plain(name)
        assert name
    assert_storable(fixes.extra, n)
    assert_plausible_weighings(decoded, payloads)
    order = [(refusal.payload, refusal.at) for refusal in decoded.refusals]
    assert order == sorted(order)
    for refusal in decoded.refusals:
        assert 0 <= refusal.payload < payloads
        assert refusal.at >= 0
        assert refusal.detail.isprintable()
        assert len(refusal.detail) <= 1500


def assert_plausible_weighings(decoded: Decoded, payloads: int) -> None:
    weighings = decoded.weighings
    n = len(weighings)
    assert len(weighings.station) == len(weighings.plate) == n
    assert weighings.axle_start.shape == (n + 1,)
    assert_ascending(weighings.axle_start, len(weighings.axle_kg) + 1)
    assert_ascending(decoded.weighing_payload, payloads)
    assert weighings.axle_kg.shape == weighings.axle_spacing_m.shape
    assert ((weighings.gross_kg > 0) & (weighings.gross_kg <= 1_000_000)).all()
    assert ((weighings.axle_kg >= 0) & (weighings.axle_kg <= 1_000_000)).all()
    assert (weighings.time >= EARLIEST_FIX_US).all()
    assert (weighings.lane >= 0).all()
    for plate in weighings.plate:
        assert plate == "" or (plate.isascii() and plate.isalnum())
    assert_storable(weighings.extra, n)


def assert_ascending(index, end) -> None:
    assert (np.diff(index) >= 0).all()
    assert ((index >= 0) & (index < max(end, 1))).all()


def assert_storable(extra, n: int) -> None:
    for row, text in extra.items():
        assert 0 <= row < n
        assert isinstance(json.loads(text), dict)
        assert b"\\u0000" not in text
        assert len(text) <= 16_384

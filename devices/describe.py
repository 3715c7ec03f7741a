"""What was decoded from one payload, as plain values: for people, and for tests."""

from math import isnan
from typing import Any, Final

import numpy as np

from devices.batch import FixBatch, Quality, WeighingBatch
from devices.codec import Decoded
from devices.columns import rounded
from devices.extra import extra_values
from devices.input_names import named_states

_NO_SATELLITES: Final = 255


def describe(decoded: Decoded, payload: int) -> dict[str, Any]:
    """JSON-ready values of one payload of a Decoded.

    "ident" is the one that all its fixes carry, else null (then each fix has its own). "error" is
    the first refusal, "errors" all of them; values that are not known are null.
    """
    rows = np.flatnonzero(decoded.fix_payload == payload).tolist()
    idents = [_ident(decoded, row) for row in rows]
    errors = [
        {"reason": str(refusal.reason), "at": refusal.at, "detail": refusal.detail}
        for refusal in decoded.refusals
        if refusal.payload == payload
    ]
    fixes = [_fix(decoded, row) for row in rows]
    if len(set(idents)) > 1:
        fixes = [{"ident": ident, **fix} for ident, fix in zip(idents, fixes, strict=True)]
    return {
        "ident": idents[0] if len(set(idents)) == 1 else None,
        "fixes": fixes,
        "weighings": [
            _weighing(decoded.weighings, row)
            for row in np.flatnonzero(decoded.weighing_payload == payload).tolist()
        ],
        "registrations": [
            {"kind": registration.kind, **registration.values}
            for registration in decoded.registrations
            if registration.payload == payload
        ],
        "error": errors[0] if errors else None,
        "errors": errors,
    }


def rfc3339(time_us: int) -> str:
    """An instant in UTC to the millisecond."""
    return f"{np.datetime64(time_us // 1000, 'ms')}Z"


def _ident(decoded: Decoded, row: int) -> str | None:
    number = int(decoded.fix_ident[row]) if len(decoded.fix_ident) else -1
    return decoded.idents[number] if number >= 0 else None


def _fix(decoded: Decoded, row: int) -> dict[str, Any]:
    fixes: FixBatch = decoded.fixes
    one = slice(row, row + 1)
    driver, satellites = int(fixes.driver[row]), int(fixes.satellites[row])
    return {
        "time": rfc3339(int(fixes.time[row])),
        "lat": float(fixes.lat[row]),
        "lon": float(fixes.lon[row]),
        "speed_kmh": _known(rounded(fixes.speed_kmh[one])[0]),
        "heading": _known(rounded(fixes.heading[one])[0]),
        "altitude_m": _known(rounded(fixes.altitude[one])[0]),
        "hdop": _known(rounded(fixes.hdop[one])[0]),
        "satellites": satellites if satellites != _NO_SATELLITES else None,
        "odometer_m": _known(rounded(fixes.odometer[one])[0]),
        "driver": decoded.drivers[driver] if driver >= 0 else None,
        "valid": not int(fixes.quality[row]) & Quality.NO_POSITION,
        "inputs": dict(named_states(int(fixes.inputs[row]))),
        "extra": extra_values(fixes.extra[row]) if row in fixes.extra else {},
    }


def _weighing(weighings: WeighingBatch, row: int) -> dict[str, Any]:
    one = slice(row, row + 1)
    masses, spacings = (part.tolist() for part in weighings.axles(row))
    return {
        "time": rfc3339(int(weighings.time[row])),
        "station": weighings.station[row] or None,
        "plate": weighings.plate[row] or None,
        "lane": int(weighings.lane[row]) or None,
        "gross_kg": float(weighings.gross_kg[row]),
        "speed_kmh": _known(rounded(weighings.speed_kmh[one])[0]),
        "length_m": _known(rounded(weighings.length_m[one])[0]),
        "axles": [
            {"kg": kg, "spacing_m": _known(spacing)}
            for kg, spacing in zip(masses, spacings, strict=True)
        ],
        "extra": extra_values(weighings.extra[row]) if row in weighings.extra else {},
    }


def _known(value: float) -> float | None:
    return None if isnan(value) else value

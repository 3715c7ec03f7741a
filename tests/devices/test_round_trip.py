"""What an encoder writes, its decoder reads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import FixBatch, Quality
from devices.catalogue import CODECS, codec
from devices.codec import Registration
from devices.errors import EncodeError
from devices.extra import extra_values
from devices.formats.teltonika.encoding import encode_packet
from devices.formats.ufms.codec import encode_batch, encode_registration
from tests.devices.made_up import (
    LICENCES,
    MOST_KMH,
    NO_EXTRA,
    NOW_US,
    PLATES,
    arrived,
    extras,
    fix_batches,
    idents_of,
    weighing_batches,
)
from tests.devices.plausible import assert_plausible

moderate = settings(max_examples=50, deadline=None)

CARRIES = {
    "cellocator": {"quality"},
    "eelink": {"odometer", "quality"},
    "egts": {"altitude", "hdop", "satellites", "quality"},
    "flespi": {
        "speed_kmh", "heading", "altitude", "hdop", "satellites", "odometer", "quality", "extra",
        "ident",
    },
    "flexapi": {
        "speed_kmh", "heading", "altitude", "hdop", "satellites", "odometer", "quality", "ident",
    },
    "galileo": {"altitude", "odometer", "quality"},
    "gps103": {"speed_kmh", "heading", "altitude", "quality", "ident"},
    "gt06": {"quality"},
    "h02": {"speed_kmh", "heading", "quality", "ident"},
    "iotm": {"odometer", "quality"},
    "json": {
        "speed_kmh", "heading", "altitude", "hdop", "satellites", "odometer", "driver", "inputs",
        "quality", "extra", "ident",
    },
    "jt808": {"satellites", "quality", "ident"},
    "jt808-json": {"satellites", "quality", "ident"},
    "meitrack": {
        "speed_kmh", "heading", "altitude", "hdop", "satellites", "odometer", "quality", "ident",
    },
    "nmea": {"speed_kmh", "heading", "altitude", "hdop", "satellites", "quality"},
    "osmand": {
        "speed_kmh", "heading", "altitude", "hdop", "satellites", "odometer", "driver", "quality",
        "ident",
    },
    "owntracks": {"speed_kmh", "heading", "altitude", "extra"},
    "pui": {"speed_kmh", "heading", "extra", "ident"},
    "queclink": {"speed_kmh", "heading", "altitude", "satellites", "quality", "ident"},
    "ruptela": {"speed_kmh", "heading", "odometer", "quality"},
    "suntech": {"speed_kmh", "heading", "satellites", "odometer", "quality", "ident"},
    "t800x": {"speed_kmh", "heading", "altitude", "quality"},
    "teltonika": {"hdop", "odometer"},
    "teltonika-cbor": {"speed_kmh", "heading", "altitude", "hdop", "odometer"},
    "teltonika-json": {"speed_kmh", "heading", "altitude", "hdop", "odometer"},
    "tk103": {"speed_kmh", "heading", "altitude", "satellites", "quality", "ident"},
    "traccar": {
        "speed_kmh", "heading", "altitude", "hdop", "satellites", "odometer", "driver", "quality",
        "extra", "ident",
    },
    "ufms": {"speed_kmh", "heading", "altitude", "driver", "ident"},
    "wialon": {"speed_kmh", "heading", "altitude", "hdop", "quality"},
}  # fmt: skip
"""The columns that each format has a place for. Teltonika's binary and JT/T 808 write 0
for unknown."""

PLACE_E7 = {
    "cellocator": 5.8,
    "eelink": 2.8,
    "egts": 0.3,
    "galileo": 5.1,
    "gps103": 8.4,
    "gt06": 2.8,
    "h02": 8.4,
    "iotm": 77.0,
    "jt808": 5.001,
    "jt808-json": 5.001,
    "meitrack": 5.01,
    "nmea": 1.0,
    "queclink": 5.01,
    "suntech": 5.01,
    "t800x": 77.0,
    "tk103": 8.4,
    "wialon": 0.1,
}
"""Tolerance of places, in ten-millionths of a degree: half of the unit that the format has (NMEA
millionths of a minute, JT/T 808 and others millionths of a degree, GT06 thirty thousandths of a
minute, TopFlyTech floats of 32 bits)."""


@pytest.mark.parametrize("name", sorted(CARRIES))
@moderate
@given(data=st.data())
def test_fixes_come_back(name, data):
    carried = CARRIES[name]
    extra = extras if "extra" in carried else NO_EXTRA
    fixes = data.draw(fix_batches(extra=extra, most_kmh=MOST_KMH.get(name, 300)))
    idents = data.draw(
        st.lists(st.sampled_from(idents_of(name)), min_size=len(fixes), max_size=len(fixes))
    )
    encode = codec(name).encode
    assert encode
    payloads = encode(fixes, idents, LICENCES)
    assert len(payloads) == len(fixes)
    decoded = codec(name).decode(payloads, arrived(len(fixes)))
    assert_plausible(decoded, len(fixes))
    assert decoded.refusals == ()
    assert decoded.fix_payload.tolist() == list(range(len(fixes)))
    same_fixes(fixes, decoded.fixes, carried - {"driver", "ident"}, PLACE_E7.get(name, 1e-3))
    if "driver" in carried:
        named = [decoded.drivers[i] if i >= 0 else None for i in decoded.fixes.driver]
        assert named == [LICENCES[i] if i >= 0 else None for i in fixes.driver]
    if "ident" in carried:
        assert [decoded.idents[i] for i in decoded.fix_ident] == idents


def same_fixes(sent: FixBatch, got: FixBatch, columns, place_e7):
    np.testing.assert_array_equal(got.time, sent.time)
    for name in ("lon", "lat"):
        np.testing.assert_allclose(
            getattr(got, name), getattr(sent, name), rtol=0, atol=place_e7 * 1e-7
        )
    for name in columns - {"extra"}:
        np.testing.assert_allclose(
            getattr(got, name), getattr(sent, name), rtol=1e-6, atol=2e-4, err_msg=name
        )
    if "extra" in columns:
        assert {row: extra_values(e) for row, e in got.extra.items()} == {
            row: extra_values(e) for row, e in sent.extra.items()
        }


@moderate
@given(fixes=fix_batches(max_size=20, extra=NO_EXTRA), extended=st.booleans())
def test_a_packet_of_many_records_comes_back(fixes, extended):
    packet = encode_packet(fixes, codec=0x8E if extended else 0x08)
    decoded = codec("teltonika").decode([packet], arrived(1))
    assert_plausible(decoded, 1)
    assert decoded.refusals == ()
    same_fixes(fixes, decoded.fixes, CARRIES["teltonika"], 1e-3)
    lost = fixes.quality & Quality.NO_POSITION
    np.testing.assert_array_equal(decoded.fixes.quality, lost)
    np.testing.assert_array_equal(decoded.fixes.satellites, np.where(lost, 0, fixes.satellites))


@moderate
@given(fixes=fix_batches(max_size=20, extra=NO_EXTRA))
def test_a_batch_of_way_points_comes_back(fixes):
    payload = encode_batch(fixes, PLATES[:1] * len(fixes), LICENCES)
    decoded = codec("ufms").decode([payload], arrived(1))
    assert decoded.refusals == ()
    same_fixes(fixes, decoded.fixes, {"speed_kmh", "heading", "altitude"}, 1e-3)


@pytest.mark.parametrize("name", ["weigh-json", "weigh-csv"])
@moderate
@given(weighings=weighing_batches())
def test_weighings_come_back(name, weighings):
    encode = codec(name).encode_weighings
    assert encode
    decoded = codec(name).decode(encode(weighings), arrived(1))
    assert_plausible(decoded, 1)
    assert decoded.refusals == ()
    got = decoded.weighings
    assert (got.station, got.plate) == (weighings.station, weighings.plate)
    for column in ("time", "lane", "gross_kg", "speed_kmh", "length_m", "axle_start", "axle_kg"):
        np.testing.assert_array_equal(getattr(got, column), getattr(weighings, column))
    np.testing.assert_allclose(got.axle_spacing_m, weighings.axle_spacing_m)


def test_teltonika_elements_of_every_width_come_back():
    io = (
        b'{"priority":1,"event":7,"io":{"21":3,"66":24079,"72":4294967295,"78":18446744073709551615'
    )
    for code, extra in ((0x08, io + b"}}"), (0x8E, io + b',"900":1,"385":"616263"}}')):
        fixes = FixBatch.blank(1, time=[NOW_US], lon=[106.5], lat=[10.5], extra={0: extra})
        decoded = codec("teltonika").decode([encode_packet(fixes, codec=code)], arrived(1))
        assert extra_values(decoded.fixes.extra[0]) == extra_values(extra)


@pytest.mark.parametrize(
    "registration",
    [
        Registration(0, "vehicle", {"vehicle": "43C14390", "vehicleType": 600, "capacity": 8.5}),
        Registration(0, "driver", {"driver": "480123456789", "name": "Nguyễn Văn A"}),
        Registration(0, "company", {"company": "VTX", "tel": "0236"}),
    ],
    ids=lambda registration: registration.kind,
)
def test_a_registration_comes_back(registration):
    decoded = codec("ufms").decode([encode_registration(registration)], arrived(1))
    assert decoded.registrations == (registration,)
    assert decoded.refusals == ()


def test_what_a_format_cannot_carry_is_an_error():
    fixes = FixBatch.blank(1, time=[NOW_US], lon=[106.5], lat=[10.5])
    late = fixes.with_columns(time=np.array([4_294_967_295_000_000]))
    with pytest.raises(EncodeError, match="plate"):
        encode_batch(fixes, [""], ())
    with pytest.raises(EncodeError, match=r"1970\.\.2038"):
        encode_batch(late, PLATES[:1], ())
    with pytest.raises(EncodeError, match=r"1\.\.255, got 0"):
        encode_packet(FixBatch.empty())
    with pytest.raises(EncodeError, match="codec"):
        encode_packet(fixes, codec=0x10)
    with pytest.raises(EncodeError, match="variable length"):
        encode_packet(fixes.with_columns(extra={0: b'{"io":{"9":"ff"}}'}), codec=0x08)


def test_every_codec_can_encode():
    for made in CODECS.values():
        assert made.encode_weighings if made.carries == "weighings" else made.encode, made.name


@moderate
@given(weighings=weighing_batches(min_axles=1))
def test_axles_come_back_as_a_vehicle(weighings):
    encode = codec("weigh-axle-events").encode_weighings
    assert encode
    decoded = codec("weigh-axle-events").decode(encode(weighings), arrived(1))
    assert_plausible(decoded, 1)
    assert decoded.refusals == ()
    got = decoded.weighings
    assert (got.station, got.plate) == (weighings.station, weighings.plate)
    for column in ("time", "lane", "axle_start"):
        np.testing.assert_array_equal(getattr(got, column), getattr(weighings, column))
    for column in ("axle_kg", "speed_kmh", "axle_spacing_m"):
        np.testing.assert_allclose(
            getattr(got, column), getattr(weighings, column), rtol=1e-6, err_msg=column
        )
    np.testing.assert_allclose(got.gross_kg, weighings.axle_kg.sum())

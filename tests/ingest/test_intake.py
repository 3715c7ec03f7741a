import json

import numpy as np
import pytest

from devices.catalogue import CODECS
from devices.codec import Registration
from devices.formats.ufms.codec import encode_registration
from geofence.registry import BEGINNING_US, END_US
from ingest.directory import Directory, Tenure, TimedNames
from ingest.errors import Unusable
from ingest.intake import take_in
from ingest.source import MessageBatch
from ingest.topics import TopicRouter

NOW = 1_760_000_000_000_000
DIRECTORY = Directory(
    devices=TimedNames.of(
        [Tenure("imei-1", 1, BEGINNING_US, END_US), Tenure("imei-2", 2, BEGINNING_US, NOW)]
    ),
    plates=TimedNames.of([Tenure("29C12345", 7, BEGINNING_US, END_US)]),
    stations={"QL5": 3},
)


def take(*messages):
    batch = MessageBatch(
        [topic for topic, _ in messages],
        [p if isinstance(p, bytes) else json.dumps(p).encode() for _, p in messages],
        np.full(len(messages), NOW, np.int64),
    )
    return take_in(batch, TopicRouter(), lambda name, _ident: CODECS.get(name), DIRECTORY)


def fix(time_s=NOW // 10**6 - 5, **more):
    return {"time": time_s, "lat": 10.77, "lon": 106.7, "speed_kmh": 40.0, **more}


def test_fixes_of_several_topics_come_out_with_their_vehicles_and_messages():
    intake = take(
        ("gsht/v1/json/imei-2", fix(NOW // 10**6 - 9)),
        ("gsht/v1/json/imei-1", [fix(), fix(NOW // 10**6 - 4)]),
    )
    assert intake.fixes.vehicle.tolist() == [2, 1, 1]
    assert intake.fix_message.tolist() == [0, 1, 1]
    assert not intake.refused


def test_drivers_are_numbered_across_codecs_and_messages():
    intake = take(
        ("gsht/v1/json/imei-1", [fix(driver="790123456789"), fix(NOW // 10**6 - 4)]),
        ("gsht/v1/json/imei-2", fix(driver="790000000001")),
    )
    names = [intake.licences[i] if i >= 0 else None for i in intake.fixes.driver]
    assert names == ["790123456789", None, "790000000001"]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("nowhere/at/all", b"x", Unusable.UNKNOWN_TOPIC),
        ("gsht/v1/morse/imei-1", b"...", Unusable.UNKNOWN_CODEC),
        ("gsht/v1/json/imei-9", fix(), Unusable.UNKNOWN_DEVICE),
        ("gsht/v1/json/imei-2", fix(NOW // 10**6), Unusable.UNKNOWN_DEVICE),  # not any more
        ("gsht/v1/json/imei-1", fix(ident="imei-2"), Unusable.IDENTITY_MISMATCH),
        ("gsht/v1/json/imei-1", b"nonsense", "bad_syntax"),
        ("gsht/v1/json/imei-1", fix(lat=91.5, lon=200.0), "coordinates_out_of_range"),
        ("weigh/v1/json/QL9", {"time": 1.7e9, "plate": "29C12345", "gross_kg": 9000},
         Unusable.UNKNOWN_STATION),
        ("weigh/v1/json/QL5", {"time": 1.7e9, "plate": "29C99999", "gross_kg": 9000},
         Unusable.UNKNOWN_PLATE),
        ("weigh/v1/json/QL5", {"time": 1.7e9, "plate": "29C12345", "gross_kg": 1, "station": "X"},
         Unusable.IDENTITY_MISMATCH),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_its_reason_and_the_rest_goes_on(
    topic, payload, reason
):
    intake = take((topic, payload), ("gsht/v1/json/imei-1", fix()))
    assert [(r.message, r.reason) for r in intake.refused] == [(0, reason)]
    assert intake.fixes.vehicle.tolist() == [1]
    assert intake.fix_message.tolist() == [1]


def test_the_good_fixes_of_a_message_are_kept_beside_its_refusal():
    intake = take(("gsht/v1/json/imei-1", [fix(), fix(0), fix(NOW // 10**6 - 1)]))
    assert len(intake.fixes) == 2
    assert [r.reason for r in intake.refused] == ["time_out_of_range"]


def test_a_weighing_finds_its_station_and_vehicle():
    weighing = {"time": NOW / 1e6, "plate": "29C-123.45", "gross_kg": 20_000}
    intake = take(("weigh/v1/json/QL5", weighing), ("weigh/v1/json/QL5", b"[]x"))
    assert intake.weighing_vehicle.tolist() == [7]
    assert intake.weighing_station.tolist() == [3]
    assert len(intake.refused) == 1


def test_an_empty_batch_comes_to_nothing():
    intake = take()
    assert len(intake.fixes) == len(intake.weighings) == len(intake.refused) == 0


@pytest.mark.parametrize(
    ("kind", "values", "detail"),
    [
        ("driver", {"driver": "790123456789", "name": "An"}, "driver: driver, name"),
        (
            "vehicle", {"vehicle": "29C12345", "driver": "790123456789", "company": "north"},
            "vehicle: vehicle=29C12345, driver, company=north",
        ),
    ],
)  # fmt: skip
def test_master_data_of_a_feed_waits_and_who_drives_is_not_told_beside_it(kind, values, detail):
    payload = encode_registration(Registration(0, kind, values))
    [refused] = take(("gsht/v1/ufms/p", payload)).refused
    assert refused.reason == Unusable.REGISTRATION
    assert "790123456789" not in refused.detail
    assert refused.detail.startswith(detail)

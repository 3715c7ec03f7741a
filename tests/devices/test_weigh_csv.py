import numpy as np
import pyarrow.parquet as pq
import pytest

from devices.errors import ColumnMapError, Reject
from devices.formats.weighing.column_map import ColumnMap
from devices.formats.weighing.csv_lines import weigh_csv
from tests.data_folder import real_data
from tests.devices.made_up import NOW_US, arrived
from tests.devices.plausible import assert_plausible

STATION = {
    "columns": {
        "time": "Ngày giờ",
        "plate": "Biển số",
        "lane": "Làn",
        "gross_kg": {"header": "Tổng (t)", "unit": "t"},
        "speed_kmh": {"header": "v", "unit": "m/s"},
        "length_m": {"header": "L", "unit": "cm"},
        "axle{n}_kg": {"header": "P{n} kN", "unit": "kN"},
        "axle{n}_spacing_m": {"header": "D{n} mm", "unit": "mm"},
    },
    "delimiter": ";",
    "decimal": ",",
    "time_format": "%d/%m/%Y %H:%M:%S",
    "utc_offset_minutes": 420,
}


def test_a_station_s_own_headers_and_units_are_converted():
    text = (
        "Ngày giờ;Biển số;Làn;Tổng (t);v;L;P1 kN;P2 kN;D2 mm;Ghi chú\r\n"
        "05/01/2026 18:59:30;29C-123.45;2;16,5;10,5;850;68,64655;93,163175;4200;mưa\r\n"
    )
    decoded = weigh_csv(ColumnMap.from_json(STATION))([text.encode()], arrived(1))
    assert_plausible(decoded, 1)
    assert decoded.refusals == ()
    weighings = decoded.weighings
    assert weighings.time.tolist() == [NOW_US - 30_000_000]
    assert weighings.plate == ("29C12345",)
    assert weighings.lane.tolist() == [2]
    assert weighings.gross_kg.tolist() == [16_500.0]
    assert weighings.speed_kmh[0] == pytest.approx(37.8)
    assert weighings.length_m[0] == pytest.approx(8.5)
    np.testing.assert_allclose(weighings.axle_kg, [7000, 9500])
    np.testing.assert_allclose(weighings.axle_spacing_m, [np.nan, 4.2])
    assert "mưa".encode() in weighings.extra[0]


def test_a_file_with_other_headers_than_the_map_s_is_refused():
    decoded = weigh_csv(ColumnMap.from_json(STATION))([b"time;gross_kg\n1;2\n"], arrived(1))
    assert [refusal.reason for refusal in decoded.refusals] == [Reject.MISSING_FIELD]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "colour"),
        ({"columns": None}, "columns: expected an object"),
        ({"columns": {"time": "t"}}, "gross_kg or axle"),
        ({"columns": {"gross_kg": "g"}}, "expected time"),
        ({"columns": {"time": "t", "gross": "g"}}, "columns.gross:"),
        ({"columns": {"time": "t", "gross_kg": {"header": "g", "unit": "stone"}}}, "unit"),
        ({"columns": {"time": {"header": "t", "unit": "kg"}, "gross_kg": "g"}}, "no unit"),
        ({"columns": {"time": "t", "axle{n}_kg": "axle"}}, "with {n}"),
        ({"columns": {"time": "", "gross_kg": "g"}}, "expected a header"),
        ({"columns": {"time": 5, "gross_kg": "g"}}, "expected a header"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"delimiter": 5}, "delimiter"),
        ({"delimiter": ","}, "decimal"),
        ({"decimal": "'"}, "decimal"),
        ({"utc_offset_minutes": 900}, "utc_offset_minutes"),
        ({"utc_offset_minutes": "7"}, "utc_offset_minutes"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused_by_key(change, message):
    with pytest.raises(ColumnMapError, match=message.replace("{", r"\{")):
        ColumnMap.from_json({**STATION, **change})


@pytest.mark.data
def test_axle_loads_of_a_real_wim_station_become_kilograms():
    table = pq.read_table(
        real_data("swiss_wim/wim_daily_top10_axle_events_2011_2019.parquet"),
        columns=["L1Load", "ZST"],
    ).slice(0, 2000)
    loads, stations = (table[name].to_numpy() for name in ("L1Load", "ZST"))
    known = np.flatnonzero(~np.isnan(loads) & (loads > 0))
    lines = [f"2019-05-01 08:00:00,{loads[i]},{stations[i]:g}" for i in known]
    station = {"header": "ZST"}
    columns = {"time": "when", "gross_kg": {"header": "L1Load", "unit": "kN"}, "station": station}
    decode = weigh_csv(ColumnMap.from_json({"columns": columns, "utc_offset_minutes": 60}))
    decoded = decode(["\n".join(["when,L1Load,ZST", *lines]).encode()], arrived(1))
    assert_plausible(decoded, 1)
    assert decoded.refusals == ()
    assert len(decoded.weighings) == len(known) > 1000
    np.testing.assert_allclose(decoded.weighings.gross_kg, loads[known] * 1000 / 9.80665, rtol=1e-6)
    assert set(decoded.weighings.time.tolist()) == {1_556_694_000_000_000}

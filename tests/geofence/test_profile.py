"""Rule profiles: the shipped ones, and what is refused."""

import tomllib
from datetime import date
from importlib import resources

import numpy as np
import pytest

from geofence.errors import ProfileError
from geofence.parameters import PARAMETERS, PROFILE_DTYPE
from geofence.profile import SHIPPED, parse_profile, shipped_profile


def shipped_text(name="qcvn31"):
    return resources.files("geofence").joinpath("profiles", f"{name}.toml").read_text("utf-8")


def changed(old, new, count=1):
    text = shipped_text()
    assert text.count(old) >= 1
    return text.replace(old, new, count)


def refused(text):
    with pytest.raises(ProfileError) as caught:
        parse_profile(text)
    return str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_say_where_every_value_comes_from(name):
    profile = shipped_profile(name)
    assert profile.id == name
    needed = {p.key for p in PARAMETERS if p.asked_by in ("", profile.choice("speeding.mode"))}
    assert needed <= set(profile.values) == set(profile.sources)
    assert all(source.text and source.mark for source in profile.sources.values())


def test_the_two_ways_of_measuring_speed_are_those_of_the_rules():
    fix, step = shipped_profile("qcvn31"), shipped_profile("tt09")
    speeding = ("mode", "tolerance_kmh", "max_gap_s", "min_duration_s", "min_duration_is_strict")
    assert [fix.values[f"speeding.{key}"] for key in speeding] == ["fix", 0, 60, 20, False]
    assert [step.values[f"speeding.{key}"] for key in speeding] == ["step", 5, 60, 30, True]
    assert step.number("speeding.pair_distance_over_s") == 10
    assert fix.edges("speeding.bands_kmh") == (5, 10, 20, 35)


def test_the_shipped_profiles_differ_in_speeding_only():
    one, other = (tomllib.loads(shipped_text(name)) for name in SHIPPED)
    for section in one.keys() - {"id", "title", "speeding"}:
        assert one[section] == other[section], section


def test_values_of_the_rules_that_both_profiles_share():
    profile = shipped_profile()
    expected = {
        "limits.default_kmh": 80,
        "visits.confirm_in": 2,
        "visits.max_gap_s": 900,
        "off_route.min_fixes": 2,
        "off_route.min_duration_s": 120,
        "route_stops.stop_radius_m": 150,
        "stops.stop_speed_kmh": 3,
        "data_gap.over_s": 120,
        "overload.group_spacing_m": 2.0,
        "quality.jump_kmh": 250,
        "quality.frozen_fixes": 20,
        "quality.late_over_s": 120,
    }
    assert {key: profile.number(key) for key in expected} == expected
    assert profile.edges("overload.cargo_bands_pct") == (10, 30, 50, 100, 150)


def test_columns_for_kernels_have_one_name_each_and_microseconds_for_seconds():
    names = [p.column for p in PARAMETERS]
    assert len(set(names)) == len(names)
    assert PROFILE_DTYPE["speeding_max_gap_us"] == np.int64
    assert PROFILE_DTYPE["visits_confirm_in"] == np.int32


def test_defaults_of_classes_are_read_beside_the_default_of_all():
    entry = '[limits.by_class]\nbus = { value = 70, unit = "km/h", source = "x", mark = "R" }\n'
    text = changed("[visits]", f"{entry}\n[visits]")
    profile = parse_profile(text)
    assert profile.class_limits_kmh == {"bus": 70.0}
    assert profile.sources["limits.by_class.bus"].mark == "R"
    assert refused(text.replace("bus = { value = 70", "bus = { value = 700")).startswith(
        "limits.by_class.bus.value: expected 5..200, got 700"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "qcvn31"', 'id = ""', "id: expected a text, got ''"),
        ('id = "qcvn31"', "", "id: expected a text, got None"),
        ('id = "qcvn31"', "id =", "profile: expected TOML"),
        ('id = "qcvn31"', 'id = "x"\ncolour = 1', "colour: expected one of id, title"),
        ('effective_from = "-infinity"', "", "effective_from: expected a day like 2015-06-01"),
        ('effective_from = "-infinity"', 'effective_from = "2015"', "effective_from: expected"),
        (
            'effective_from = "-infinity"\neffective_to = "infinity"',
            "effective_from = 2020-01-01\neffective_to = 2020-01-01",
            "effective_to: expected a day after 2020-01-01",
        ),
        ("[visits]", "[visit]", "visit: expected one of"),
        ("confirm_in =", "confirm_inn =", "visits.confirm_inn: expected a key of docs/zones.md"),
        ("value = 80,", "", "limits.default_kmh.value: expected a value"),
        ("value = 80,", "value = 0,", "limits.default_kmh.value: expected 5..200, got 0"),
        ("value = 80,", 'value = "80",', "limits.default_kmh.value: expected 5..200, got '80'"),
        ("value = 80,", "value = true,", "limits.default_kmh.value: expected 5..200, got True"),
        ("value = 80,", "value = nan,", "limits.default_kmh.value: expected 5..200, got nan"),
        ("value = 80,", "value = 80, why = 1,", "limits.default_kmh.why: expected one of value"),
        ("default_kmh = {", "default_kmh = 80 #{", "limits.default_kmh: expected a table, got 80"),
        (
            'value = 80, unit = "km/h"',
            'value = 80, unit = "mph"',
            "limits.default_kmh.unit: expected 'km/h', got 'mph'",
        ),
        ("confirm_in = { value = 2", "confirm_in = { value = 2.5", "visits.confirm_in.value: "),
        ('{ value = "fix"', '{ value = "mean"', "speeding.mode.value: expected one of fix, step"),
        ("value = false", "value = 0", "speeding.min_duration_is_strict.value: expected true or"),
        ("[5, 10, 20, 35]", "[5, 20, 10]", "speeding.bands_kmh.value: expected ascending"),
        ("[5, 10, 20, 35]", "[]", "speeding.bands_kmh.value: expected a list of numbers"),
        ("[5, 10, 20, 35]", '[5, "x"]', "speeding.bands_kmh.value[1]: expected 0..1000"),
        ('{ value = "fix"', '{ value = "step"', "speeding.pair_distance_over_s: expected a value"),
        ('mark = "CI" }', 'mark = "sure" }', "speeding.mode.mark: expected one of C, CI"),
        ("source = ", "from = ", "speeding.mode.from: expected one of value, unit, source, mark"),
    ],
)
def test_wrong_profiles_are_refused_with_the_key_and_what_was_expected(old, new, message):
    assert refused(changed(old, new)).startswith(message)


def test_a_missing_value_is_named():
    lines = [line for line in shipped_text().splitlines() if not line.startswith("jump_kmh")]
    assert refused("\n".join(lines)) == "quality.jump_kmh: expected a value, the profile has none"


def test_a_profile_that_does_not_come_with_the_package_is_named():
    with pytest.raises(ProfileError, match="expected one of qcvn31, tt09, got 'qcvn32'"):
        shipped_profile("qcvn32")


def test_load_limits_are_those_of_the_day():
    profile = shipped_profile()
    titles = {
        date(2010, 12, 31): None,
        date(2014, 4, 1): "TT 07/2010/TT-BGTVT, amended by TT 03/2011/TT-BGTVT",
        date(2015, 11, 30): "TT 07/2010/TT-BGTVT, amended by TT 03/2011/TT-BGTVT",
        date(2015, 12, 1): "TT 46/2015/TT-BGTVT",
        date(2024, 12, 31): "TT 46/2015/TT-BGTVT",
        date(2025, 1, 1): "TT 39/2024/TT-BGTVT of 15/11/2024",
    }
    for day, title in titles.items():
        found = profile.load_limits_on(day)
        assert (found.title if found else None) == title, day


def test_driving_is_limited_by_the_law_of_the_day():
    profile = shipped_profile()

    def limits_on(day):
        table = profile.driving_limits_on(day)
        return {key: limit.limit_s / 3_600 for key, limit in table.limits.items()} if table else {}

    assert limits_on(date(2009, 6, 30)) == {}
    assert limits_on(date(2024, 12, 31)) == {"continuous_s": 4, "daily_s": 10}
    assert limits_on(date(2025, 1, 1)) == {"continuous_s": 4, "daily_s": 10, "weekly_s": 48}


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("continuous_s = { value = 14400", "continuous_s = { value = 0", "[0].continuous_s.value"),
        ("daily_s = { value = 36000", "daily_s = { value = 90000", "[0].daily_s.value"),
        ('14400, unit = "s"', '14400, unit = "h"', "[0].continuous_s.unit"),
        ("continuous_s = { value", "hourly_s = { value", "[0].hourly_s"),
        ('source = "Law 23/2008', 'because = "Law 23/2008', "[0].continuous_s.because"),
        ("effective_from = 2009-07-01", "effective_from = 2030-07-01", "[0].effective_to"),
    ],
)
def test_a_limit_of_driving_time_that_cannot_be_is_refused_by_name(old, new, place):
    assert refused(changed(old, new)).startswith(f"driving_limits{place}: expected")

"""What spans of driving add up to, by the law of their day."""

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.driving_limits import DrivingLimit, DrivingLimits
from geofence.driving_time import NEVER_US, DrivingTime, judge_drivers
from geofence.interval import Interval
from geofence.profile import shipped_profile
from geofence.registry import VehicleRule
from geofence.rulebook import Rulebook
from tests.geofence.agreement import by_key
from tests.geofence.fleet import with_values
from tests.oracle.driving_time import driving_time
from tests.oracle.world import World

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
HOUR_US = 3_600_000_000
SHIPPED = [shipped_profile()]


def limits(begins, ends, **seconds):
    return DrivingLimits(
        "", begins, ends, {key: DrivingLimit(s, "", "D") for key, s in seconds.items()}
    )


TUESDAY = date(2026, 5, 5)
SHORT = [
    replace(
        with_values(shipped_profile(), driving__rest_s=600.0, driving__warning_s=600.0),
        effective_to=TUESDAY,
        driving_limits=(limits(None, None, continuous_s=3_600, daily_s=7_200, weekly_s=10_800),),
    ),
    replace(
        with_values(shipped_profile("tt09"), driving__rest_s=1_200.0, driving__warning_s=4_000.0),
        effective_from=TUESDAY,
        driving_limits=(
            limits(None, date(2026, 5, 6), daily_s=3_600),
            limits(date(2026, 5, 6), None, continuous_s=1_200, weekly_s=20_000),
        ),
    ),
]


def rulebook(profiles):
    return Rulebook.build(profiles, (), (), [VehicleRule(v) for v in range(4)])


RULES, SHORT_RULES = rulebook(SHIPPED), rulebook(SHORT)


def at(day, clock="00:00"):
    """A clock time of a day of May 2026 (the 4th is a Monday), in microseconds."""
    hour, minute = (int(part) for part in clock.split(":"))
    instant = datetime(2026, 5, day, tzinfo=HANOI).timestamp() + hour * 3_600 + minute * 60
    return round(instant * 1e6)


def span(started, ended, vehicle=1, driver=7, unseen_s=0.0, *, is_open=False, is_moving=False):
    """A span with a place and a length of its own."""
    here = 105.0 + started % 1_000_003 / 1e6, 21.0 + vehicle
    there = 105.0 + ended % 1_000_003 / 1e6, 21.0 + vehicle
    return Interval(
        "driving", vehicle, "", "qcvn31", driver, started, ended, (ended - started) / 1e5,
        (ended - started) // 30_000_000, here, there, is_open,
        {
            "driving_s": (ended - started) / 1e6, "unseen_s": unseen_s, "continues": False,
            "is_moving": is_moving,
        },
    )  # fmt: skip


def told(spans, *kinds, rules=RULES):
    """(kind, start, end) of what spans come to, as clock times; of these kinds, else of all."""
    return [
        (i.kind, clock(i.started), clock(i.ended))
        for i in judge_drivers(rules, spans)
        if not kinds or i.kind in kinds
    ]


def clock(instant):
    return datetime.fromtimestamp(instant / 1e6, HANOI).strftime("%d %H:%M")


def test_four_hours_may_be_driven_and_no_microsecond_more():
    drive = span(at(4, "08:00"), at(4, "12:00"))
    warned = ("continuous_driving_warning", "04 08:00", "04 11:55")
    assert told([drive]) == [warned]
    longer = replace(drive, ended=drive.ended + 1)
    assert told([longer]) == [("continuous_driving", "04 08:00", "04 12:00"), warned]


def test_the_warning_comes_when_five_minutes_are_left():
    early, due = (span(at(4, "08:00"), at(4, "11:55") - less) for less in (1, 0))
    assert told([early]) == []
    (warning,) = judge_drivers(RULES, [due])
    assert warning.ended == due.ended
    assert warning.details == {
        "driving_s": 14_100.0, "limit_s": 14_400.0, "left_s": 300.0, "vehicles": 1
    }  # fmt: skip


def test_a_rest_of_a_quarter_of_an_hour_ends_continuous_driving_and_a_shorter_one_does_not():
    morning, on = span(at(4, "08:00"), at(4, "10:00")), (at(4, "10:15"), at(4, "12:30"))
    assert told([morning, span(*on)]) == []
    (violation, _) = judge_drivers(RULES, [morning, span(on[0] - 1, on[1])])
    assert (violation.kind, violation.started) == ("continuous_driving", morning.started)
    # The quarter of an hour at no wheel is not driving.
    assert violation.details["driving_s"] == pytest.approx(15_300)
    assert violation.details["over_at"] == "2026-05-04T05:14:59.999Z"


def test_a_driver_takes_the_hours_along_into_another_vehicle():
    spans = [span(at(4, "08:00"), at(4, "10:30")), span(at(4, "10:40"), at(4, "12:30"), vehicle=2)]
    (violation, _) = judge_drivers(RULES, spans)
    assert (violation.vehicle, violation.driver) == (1, 7)
    assert violation.details["vehicles"] == 2
    assert (violation.start, violation.end) == (spans[0].start, spans[1].end)


def test_a_card_in_two_vehicles_at_once_counts_once():
    spans = [span(at(4, "08:00"), at(4, "11:00")), span(at(4, "08:30"), at(4, "11:30"), vehicle=2)]
    assert told(spans) == []
    spans.append(span(at(4, "11:30"), at(4, "12:01"), vehicle=3))
    (violation, _) = judge_drivers(RULES, spans)
    assert violation.details["driving_s"] == 4 * 3_600 + 60
    assert violation.details["vehicles"] == 3


def test_nobody_knows_whose_driving_it_is_in_two_vehicles_without_a_driver():
    spans = [
        span(at(4, "08:00"), at(4, "10:30"), driver=-1),
        span(at(4, "10:30"), at(4, "13:00"), vehicle=2, driver=-1),
    ]
    assert told(spans) == []
    alone = [span(at(4, "08:00"), at(4, "12:30"), driver=-1)]
    assert [i.driver for i in judge_drivers(RULES, alone)] == [-1, -1]


def test_a_day_is_a_local_day():
    evening = [span(at(4, f"{hour:02}:00"), at(4, f"{hour + 2:02}:30")) for hour in (15, 18, 21)]
    night = [span(at(5, "00:00"), at(5, "02:45"))]
    assert told(evening + night, "daily_driving") == []
    more = [span(at(4, "11:00"), at(4, "13:31"))]
    assert told(evening + more, "daily_driving") == [("daily_driving", "04 11:00", "04 23:30")]


def test_continuous_driving_goes_on_over_midnight():
    spans = [span(at(4, "21:00"), at(5)), span(at(5), at(5, "01:01"))]
    assert told(spans, "continuous_driving") == [("continuous_driving", "04 21:00", "05 01:01")]


def week(first_day, hours=7):
    return [
        span(at(day, f"{hour:02}:00"), at(day, f"{hour + 3:02}:{(hours - 6) * 30:02}"))
        for day in range(first_day, first_day + 7)
        for hour in (7, 13)
    ]


def test_a_week_begins_on_monday():
    assert told(week(4), "weekly_driving") == [("weekly_driving", "04 07:00", "10 16:30")]
    assert told(week(5), "weekly_driving") == []
    (violation,) = [i for i in judge_drivers(RULES, week(4)) if i.kind == "weekly_driving"]
    assert violation.details["over_at"] == "2026-05-10T08:30:00.000Z"


def test_the_week_is_limited_since_2025_by_the_law_in_force_when_it_began():
    def moved(days):
        return [
            replace(s, started=s.started - days * 24 * HOUR_US, ended=s.ended - days * 24 * HOUR_US)
            for s in week(4)
        ]

    monday = (date(2026, 5, 4) - date(2025, 1, 6)).days
    assert [k for k, _, _ in told(moved(monday), "weekly_driving")] == ["weekly_driving"]
    assert told(moved(monday + 7), "weekly_driving") == []


def test_before_2009_no_law_limits_driving():
    drive = span(at(4), at(4, "12:00"))
    years = (date(2026, 5, 4) - date(2009, 6, 30)).days * 24 * HOUR_US
    assert told([replace(drive, started=drive.started - years, ended=drive.ended - years)]) == []


def test_a_violation_is_open_while_one_of_its_spans_is_and_counts_only_what_is_over():
    spans = [
        span(at(4, "08:00"), at(4, "10:00")),
        span(at(4, "10:05"), at(4, "12:30"), is_open=True, is_moving=True, unseen_s=120.0),
    ]
    violation, warning = judge_drivers(RULES, spans)
    assert (violation.is_open, warning.is_open) == (True, False)
    assert (violation.distance_m, violation.fixes) == (spans[0].distance_m, spans[0].fixes)
    assert violation.details["unseen_s"] == 120.0


def quiet(*spans):
    until = DrivingTime(RULES).judge(spans).quiet_until
    return None if until == NEVER_US else clock(until)


def test_nothing_changes_until_the_next_warning_or_limit():
    moving = {"is_open": True, "is_moving": True}
    assert quiet() is None
    assert quiet(span(at(4, "08:00"), at(4, "10:00"))) is None
    assert quiet(span(at(4, "08:00"), at(4, "10:00"), is_open=True)) == "04 11:55"
    assert quiet(span(at(4, "08:00"), at(4, "10:00"), **moving)) == "04 11:55"
    assert quiet(span(at(4, "08:00"), at(4, "11:56"), **moving)) == "04 12:00"
    assert quiet(span(at(4, "08:00"), at(4, "12:01"), **moving)) == "04 12:01"
    # Behind another vehicle of the driver's, it may meet what that one drove.
    ahead = span(at(4, "11:00"), at(4, "11:30"), vehicle=2)
    assert quiet(span(at(4, "08:00"), at(4, "10:00"), **moving), ahead) == "04 10:00"


def test_the_window_of_a_change_begins_on_the_monday_of_the_rest_before_it():
    assert clock(DrivingTime(RULES).window_from(at(6))) == "04 00:00"
    assert clock(DrivingTime(RULES).window_from(at(11, "00:15"))) == "11 00:00"
    assert clock(DrivingTime(RULES).window_from(at(11, "00:14"))) == "04 00:00"


@st.composite
def spans_of_a_week(draw):
    """Spans of up to three vehicles around two midnights; those of one vehicle do not overlap."""
    found = []
    for vehicle in range(draw(st.integers(1, 3))):
        now = at(3, "21:00") + 60_000_000 * draw(st.integers(0, 100))
        for _ in range(draw(st.integers(1, 10))):
            now += 60_000_000 * draw(st.sampled_from([0, 1, 9, 10, 15, 19, 20, 21, 60, 600]))
            until = now + 60_000_000 * draw(st.sampled_from([1, 10, 20, 30, 59, 60, 61, 240]))
            midnight = next(at(day) for day in range(4, 40) if at(day) > now)
            driver = draw(st.sampled_from([-1, 7, 7, 7, 8]))
            for start, end in ((now, min(until, midnight)), (midnight, until)):
                if start < end:
                    unseen = draw(st.sampled_from([0.0, 0.0, 600.0]))
                    found.append(span(start, end, vehicle, driver, unseen))
            now = until
        if draw(st.booleans()):
            moving = draw(st.booleans())
            details = {**found[-1].details, "is_moving": moving}
            found[-1] = replace(found[-1], is_open=True, details=details)
    return found


@settings(max_examples=60, deadline=None)
@given(spans_of_a_week(), st.booleans(), st.randoms(use_true_random=False))
def test_sums_are_those_of_the_oracle(spans, short, random):
    rules, profiles = (SHORT_RULES, SHORT) if short else (RULES, SHIPPED)
    world = World(profiles, [], [], {})
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert by_key(judge_drivers(rules, shuffled)) == by_key(driving_time(world, spans))


@settings(max_examples=50, deadline=None)
@given(spans_of_a_week(), st.integers(0, 300))
def test_a_span_that_goes_on_changes_nothing_before_it_is_said_to(spans, minutes):
    own = [replace(s, driver=7) for s in spans if s.vehicle == 0]
    own[-1] = replace(own[-1], is_open=True)
    judge = DrivingTime(SHORT_RULES)
    before = judge.judge(own)
    midnight = next(at(day) for day in range(4, 40) if at(day) > own[-1].started)
    ended = min(own[-1].ended + 60_000_000 * minutes, before.quiet_until - 1, midnight)
    if ended > own[-1].ended:
        grown = [*own[:-1], replace(own[-1], ended=ended)]
        assert by_key(judge.judge(grown).intervals) == by_key(before.intervals)

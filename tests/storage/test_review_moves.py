"""The state machine of reviews, against the table of its page and against a slow twin."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import ReviewError
from storage.reviews.kinds import KINDS, unknown
from storage.reviews.moves import (
    ANSWERS,
    DECISIONS,
    MOVES,
    STATES,
    STEPS,
    Asked,
    Caller,
    Proposal,
    Standing,
    judge,
    needs_four_eyes,
    possible,
)
from storage.reviews.reasons import LONGEST_TEXT, REASONS

PAGE = (Path(__file__).parents[2] / "docs" / "reviews.md").read_text("utf-8")
READ = Standing("speeding", "final", 1, "new", 0, is_flagged=False)
OPERATOR = Caller(None, frozenset({"read", "answer"}))
BINH, CHI = (Caller(person, frozenset({"read", "decide"})) for person in (1, 2))
PROGRAM = Caller(None, frozenset({"read", "decide"}))


def rows_under(heading):
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    table = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in table]


def named(cell):
    return re.findall(r"`(\w+)`", cell)


def test_the_page_has_every_move_and_no_other():
    moves = set()
    for step, _, before, after in rows_under("Steps"):
        [one], [end] = named(step), named(after)
        moves |= {(one, begin, end) for begin in named(before)}
    assert moves == MOVES


def test_the_page_has_every_reason_with_its_steps():
    shown = {named(code)[0]: set(named(steps)) for code, _, steps in rows_under("Reasons")}
    assert shown == {code: set(reason.steps) for code, reason in REASONS.items()}


def refusal(standing, caller, what, *, reason="other", text="why", four_eyes=False):
    with pytest.raises(ReviewError) as refused:
        judge(standing, caller, Asked(what, reason, text), four_eyes=four_eyes)
    return refused.value.code


standings = st.builds(
    Standing,
    kind=st.just("speeding"),
    status=st.sampled_from(["open", "final", "revised", "withdrawn"]),
    version=st.just(3),
    review=st.sampled_from(STATES),
    number=st.just(7),
    is_flagged=st.booleans(),
    proposal=st.none()
    | st.builds(Proposal, st.just(6), st.sampled_from(list(DECISIONS)), st.integers(1, 3)),
    confirmers=st.frozensets(st.integers(1, 3)),
)
callers = st.builds(
    Caller,
    person=st.none() | st.integers(1, 3),
    abilities=st.frozensets(st.sampled_from(["read", "answer", "decide"])),
)


def of_the_operator(now, who, what):
    """The page, sentence by sentence: what refuses a step, in order."""
    again = now.review == "acknowledged" and now.is_flagged
    begins = now.review == "confirmed" if what == "appeal" else now.review == "new" or again
    yield "answer" not in who.abilities, "forbidden"
    yield now.status == "withdrawn", "step_not_possible"
    yield not begins, "step_not_possible"


def of_the_authority(now, who, what, two):
    """The same for decisions and answers."""
    yield "decide" not in who.abilities or who.person is None, "forbidden"
    step = what
    if what in ANSWERS:
        yield now.proposal is None, "step_not_possible"
        step = now.proposal.step
        is_own = who.person == now.proposal.person
        yield is_own != (what == "withdraw"), "other_person_needed"
    state = {"excuse": "excused", "confirm": "confirmed", "dismiss": "dismissed"}[step]
    yield now.review == state and not now.is_flagged, "step_not_possible"
    if what not in ANSWERS:
        yield now.status == "open", "step_not_possible"
        yield now.status == "withdrawn" and step != "dismiss", "step_not_possible"
    yield now.review == "appealed" and who.person in now.confirmers, "other_person_needed"
    if what not in ANSWERS:
        yield two and now.proposal is not None, "step_not_possible"


def slow_refusal(now, who, what, two):
    """Why a step with good reasons is refused, or None."""
    is_operators = what in ("acknowledge", "appeal")
    said = (
        of_the_operator(now, who, what) if is_operators else of_the_authority(now, who, what, two)
    )
    return next((code for refuses, code in said if refuses), None)


@given(now=standings, who=callers, what=st.sampled_from([*STEPS, *ANSWERS]), two=st.booleans())
def test_what_is_refused_is_what_the_page_refuses(now, who, what, two):
    asked = Asked(what, "other" if what in STEPS and what != "acknowledge" else "", "why")
    expected = slow_refusal(now, who, what, two)
    assert (what in possible(now, who, four_eyes=two)) == (expected is None)
    if expected is not None:
        assert refusal(now, who, what, reason=asked.reason, four_eyes=two) == expected
        return
    outcome = judge(now, who, asked, four_eyes=two)
    assert outcome.move in MOVES
    assert outcome.move.before == now.review
    is_decision = what in DECISIONS
    acts = {"agree": "agreed", "refuse": "refused", "withdraw": "withdrawn"}
    assert outcome.act == acts.get(what, "proposed" if is_decision and two else "taken")
    assert outcome.move.step == (now.proposal.step if what in acts else what)


@pytest.mark.parametrize(
    ("state", "what", "reason", "text", "place"),
    [
        ("new", "excuse", "", "because", "reason"),
        ("new", "excuse", "weather", "", None),
        ("new", "excuse", "evidence_stands", "", "reason"),
        ("new", "excuse", "other", "", "text"),
        ("new", "excuse", "other", "  ", "text"),
        ("new", "dismiss", "wrong_vehicle", "", None),
        ("new", "dismiss", "no_such_reason", "", "reason"),
        ("new", "confirm", "", "", None),
        ("acknowledged", "confirm", "evidence_stands", "", None),
        ("appealed", "confirm", "", "we looked again", "reason"),
        ("appealed", "confirm", "appeal_unfounded", "", "text"),
        ("appealed", "confirm", "appeal_unfounded", "no order was given", None),
        ("excused", "dismiss", "decided_wrongly", "", "text"),
        ("confirmed", "excuse", "decided_wrongly", "the road was closed", None),
    ],
)
def test_reasons_are_asked_for_where_they_matter(state, what, reason, text, place):
    now = replace(READ, review=state)
    asked = Asked(what, reason, text)
    if place is None:
        assert judge(now, BINH, asked, four_eyes=False).act == "taken"
        return
    with pytest.raises(ReviewError) as refused:
        judge(now, BINH, asked, four_eyes=False)
    assert (refused.value.code, refused.value.place) == ("invalid_request", place)


@pytest.mark.parametrize(
    ("what", "reason", "text", "place"),
    [
        ("acknowledge", "", "", None),
        ("acknowledge", "weather", "", "reason"),
        ("appeal", "weather", "", "text"),
        ("appeal", "", "we were told to", "reason"),
        ("appeal", "decided_wrongly", "no", "reason"),
        ("appeal", "official_order", "we were told to", None),
    ],
)
def test_an_operator_appeals_with_code_and_words(what, reason, text, place):
    now = replace(READ, review="confirmed" if what == "appeal" else "new")
    if place is None:
        assert judge(now, OPERATOR, Asked(what, reason, text), four_eyes=True).act == "taken"
    else:
        with pytest.raises(ReviewError) as refused:
            judge(now, OPERATOR, Asked(what, reason, text), four_eyes=True)
        assert refused.value.place == place


def test_a_proposal_is_refused_with_words_and_agreed_to_without():
    now = replace(READ, proposal=Proposal(1, "confirm", 1))
    assert judge(now, CHI, Asked("agree"), four_eyes=True).act == "agreed"
    assert judge(now, CHI, Asked("refuse", text="look at fix 3"), four_eyes=True).act == "refused"
    assert refusal(now, CHI, "refuse", reason="", text="") == "invalid_request"
    assert refusal(now, CHI, "agree", reason="weather") == "invalid_request"
    assert refusal(now, BINH, "agree", reason="") == "other_person_needed"
    assert judge(now, BINH, Asked("withdraw"), four_eyes=True).act == "withdrawn"


def test_programs_acknowledge_and_appeal_and_do_not_decide():
    assert judge(READ, OPERATOR, Asked("acknowledge"), four_eyes=False).act == "taken"
    assert refusal(READ, PROGRAM, "confirm") == "forbidden"
    assert possible(READ, PROGRAM, four_eyes=False) == []


@pytest.mark.parametrize(
    ("patterns", "kinds"),
    [
        ((), set()),
        (("overload_*",), {"overload_gross", "overload_axle"}),
        (("speeding",), {"speeding"}),
        (("*",), {"overload_gross", "overload_axle", "speeding"}),
        (("speed",), set()),
    ],
)
def test_four_eyes_are_set_by_kind_or_by_how_kinds_begin(patterns, kinds):
    every = ["overload_gross", "overload_axle", "speeding"]
    assert {kind for kind in every if needs_four_eyes(kind, patterns)} == kinds


def test_every_kind_of_the_rules_may_take_four_eyes_and_no_other_word():
    rules = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")
    headings = " ".join(line for line in rules.splitlines() if line.startswith("## "))
    facts = {"zone_visit", "route_trip", "driving", "not_run"}
    assert {*re.findall(r"`(\w+)`", headings)} - facts == set(KINDS)
    assert unknown(["*", "overload_*", "speeding"]) == []
    assert unknown(["speding", "overlaod_*", "speeding"]) == ["speding", "overlaod_*"]


def test_the_page_says_how_much_may_be_written():
    assert f"{LONGEST_TEXT:,}" in PAGE

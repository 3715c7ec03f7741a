"""Reviews over the API: steps, four eyes, late facts, races, and who sees what."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from tests.api.reviewed import authority
from tests.api.world import do

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def there(postgres, migrated_template):
    with postgres.new_database(migrated_template) as name, authority(postgres.dsn_of(name)) as made:
        yield made


def test_a_violation_goes_from_new_to_the_decision_of_an_appeal(there):
    one = there.new()
    assert there.took("op", one, "acknowledge")["to_state"] == "acknowledged"
    there.took("binh", one, "confirm")
    appeal = there.took("op", one, "appeal", reason="official_order", text="police led us there")
    assert (appeal["act"], appeal["from_state"], appeal["to_state"], appeal["version"]) == (
        "taken", "confirmed", "appealed", 1,
    )  # fmt: skip
    # Whoever confirmed it does not decide the appeal, by whichever key.
    for who in ("binh", "binh again"):
        assert there.refused(who, one, "dismiss") == (403, "other_person_needed")
    there.took("chi", one, "dismiss", reason="registered_wrongly", text="the sign was gone")
    assert there.state(one) == ("dismissed", 4, False, None)
    history = there.clients["chi"].get(f"/violations/{one}/reviews")
    assert [
        (row["number"], row["step"], row["by"], row["role"], row["operator"])
        for row in history["items"]
    ] == [
        (4, "dismiss", "person chi", "inspector", None),
        (3, "appeal", "person op", "operator", "north"),
        (2, "confirm", "person binh", "inspector", None),
        (1, "acknowledge", "person op", "operator", "north"),
    ]
    assert history["items"][1]["text"] == "police led us there"
    assert history["possible"] == ["excuse", "confirm"]


def test_an_appeal_that_is_turned_down_may_be_made_again_and_goes_to_a_third(there):
    one = there.new()
    there.took("binh", one, "confirm")
    there.took("op", one, "appeal")
    there.took("chi", one, "confirm", reason="appeal_unfounded")
    there.took("op", one, "appeal", text="we have found the order")
    for who in ("binh", "chi"):
        assert there.refused(who, one, "excuse") == (403, "other_person_needed")
    there.took("duc", one, "excuse")
    assert there.state(one)[0] == "excused"


def test_an_authority_corrects_itself_and_says_why(there):
    one = there.new()
    there.took("binh", one, "confirm")
    assert there.refused("binh", one, "confirm") == (409, "step_not_possible")
    assert there.refused("binh", one, "excuse", text="") == (422, "invalid_request")
    there.took("binh", one, "excuse", reason="decided_wrongly", text="it was the storm")
    assert there.state(one)[0] == "excused"


def test_a_step_is_taken_on_what_was_read_and_on_nothing_else(there):
    one = there.new()
    read = there.tag(one)
    assert read == '"1-0"'
    for tag in ("", "*", '"0-0"', '"1-1"', "1", '"x"', '"1-0-0"'):
        assert there.refused("binh", one, "confirm", tag) == (412, "version_mismatch"), tag
    assert there.state(one)[:2] == ("new", 0)
    answer = there.step("op", one, "acknowledge", f"W/{read}")
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1-1"')
    assert there.refused("binh", one, "confirm", read) == (412, "version_mismatch")
    for page in (f"/violations/{one}", f"/violations/{one}/reviews"):
        shown = there.clients["binh"].ask("GET", page)
        assert shown.headers["etag"] == there.tag(one) == answer.headers["etag"]
    shown = there.clients["binh"].get(f"/violations/{one}")
    assert (shown["review"], shown["review_number"], shown["proposal"]) == ("acknowledged", 1, None)


def test_facts_that_were_revised_have_to_be_read_again(there):
    facts = there.fresh()
    one = there.id_of(facts)
    read = there.tag(one)
    there.revise(facts)
    assert there.refused("binh", one, "confirm", read) == (412, "version_mismatch")
    assert there.state(one) == ("new", 0, False, None)
    assert there.took("binh", one, "confirm")["version"] == 2


def test_late_facts_raise_a_flag_that_a_decision_on_them_lowers(there):
    facts = there.fresh("off_route")
    one = there.id_of(facts)
    flagged = {"kind": "off_route", "flagged": "true"}
    listed = there.clients["north"].get
    there.took("binh", one, "confirm")
    assert listed("/violations", **flagged)["items"] == []
    there.revise(facts)
    assert there.state(one) == ("confirmed", 1, True, None)
    assert [v["id"] for v in listed("/violations", **flagged)["items"]] == [one]
    unflagged = listed("/violations", kind="off_route", flagged="false")["items"]
    assert one not in [v["id"] for v in unflagged]
    # The operator's appeal is no judgement of them.
    there.took("op", one, "appeal")
    assert there.state(one)[2]
    there.took("chi", one, "confirm", reason="facts_revised", text="it was longer still")
    assert there.state(one)[::2] == ("confirmed", False)
    assert there.refused("chi", one, "confirm") == (409, "step_not_possible")
    there.revise(replace(facts, fixes=facts.fixes + 1))
    assert there.took("chi", one, "confirm", reason="facts_revised")["version"] == 3
    assert listed("/violations", **flagged)["items"] == []


def test_an_acknowledgement_of_late_facts_is_enough_where_nothing_was_decided(there):
    facts = there.fresh()
    one = there.id_of(facts)
    there.took("op", one, "acknowledge")
    assert there.refused("op", one, "acknowledge") == (409, "step_not_possible")
    there.revise(facts)
    assert there.state(one)[2]
    there.took("op", one, "acknowledge")
    assert there.state(one) == ("acknowledged", 2, False, None)


def test_what_goes_on_is_acknowledged_and_decided_when_it_is_over(there):
    facts = there.fresh(is_open=True)
    one = there.id_of(facts)
    there.took("op", one, "acknowledge")
    assert there.refused("binh", one, "confirm") == (409, "step_not_possible")
    there.judge([replace(facts, is_open=False, ended=facts.ended + 60_000_000)])
    there.took("binh", one, "confirm")
    assert there.state(one) == ("confirmed", 2, False, None)


def test_what_was_withdrawn_under_a_review_is_dismissed(there):
    one = there.new()
    there.took("binh", one, "confirm")

    async def withdraw(conn):
        from storage.violations import SQL

        await conn.execute(SQL["withdraw"], {"id": [one]})

    do(there.world.dsn, withdraw)
    [listed] = there.clients["binh"].get("/violations", status="withdrawn", flagged="true")["items"]
    assert (listed["id"], listed["review"]) == (one, "confirmed")
    for who, step in (("op", "appeal"), ("binh", "confirm"), ("binh", "excuse")):
        assert there.refused(who, one, step) == (409, "step_not_possible")
    there.took("binh", one, "dismiss", reason="facts_revised")
    assert there.state(one) == ("dismissed", 2, False, None)


def test_where_four_eyes_are_set_a_decision_waits_for_another_person(there):
    def waiting():
        found = there.clients["chi"].get("/violations", kind="overload_gross", proposed="true")
        return [violation["id"] for violation in found["items"]]

    one = there.new("overload_gross")
    assert one not in waiting()
    made = there.took("binh", one, "confirm")
    assert (made["act"], there.state(one)) == ("proposed", ("new", 1, False, 1))
    assert one in waiting()
    for who in ("binh", "binh again"):
        assert there.refused(who, one, "agree", text="") == (403, "other_person_needed")
    assert there.refused("chi", one, "withdraw", text="") == (403, "other_person_needed")
    assert there.refused("chi", one, "dismiss") == (409, "step_not_possible")
    there.took("op", one, "acknowledge")
    assert there.state(one) == ("acknowledged", 2, False, 1)
    agreed = there.took("chi", one, "agree", text="")
    assert (agreed["act"], agreed["step"], agreed["from_state"], agreed["to_state"]) == (
        "agreed", "confirm", "acknowledged", "confirmed",
    )  # fmt: skip
    assert there.state(one) == ("confirmed", 3, False, None)
    # Neither of the two decides the appeal, and two others do.
    there.took("op", one, "appeal")
    for who in ("binh", "chi"):
        assert there.refused(who, one, "dismiss") == (403, "other_person_needed")
    there.took("duc", one, "dismiss")
    for who in ("binh", "chi"):
        for answer in ("agree", "refuse"):
            assert there.refused(who, one, answer) == (403, "other_person_needed")
    there.took("boss", one, "agree", text="")
    assert there.state(one)[0] == "dismissed"


def test_a_proposal_is_withdrawn_or_refused_and_nothing_has_happened(there):
    one = there.new("overload_axle")
    assert there.refused("chi", one, "agree", text="") == (409, "step_not_possible")
    there.took("binh", one, "excuse")
    assert there.refused("chi", one, "refuse", text="") == (422, "invalid_request")
    assert there.took("chi", one, "refuse", text="no storm that day")["act"] == "refused"
    assert there.state(one) == ("new", 2, False, None)
    there.took("binh", one, "dismiss")
    assert there.took("binh again", one, "withdraw", text="")["act"] == "withdrawn"
    assert there.state(one) == ("new", 4, False, None)


def test_a_proposal_lapses_with_the_facts_that_it_was_made_on(there):
    facts = there.fresh("overload_gross")
    one = there.id_of(facts)
    there.took("binh", one, "confirm")
    there.revise(facts)
    assert there.state(one) == ("new", 1, False, None)
    assert there.refused("chi", one, "agree", text="") == (409, "step_not_possible")
    assert there.took("chi", one, "confirm")["act"] == "proposed"


def test_a_proposal_to_change_what_is_appealed_against_lapses_with_the_appeal(there):
    one = there.new("overload_cargo")
    there.took("binh", one, "confirm")
    there.took("chi", one, "agree", text="")
    there.took("binh", one, "excuse")
    there.took("op", one, "appeal")
    assert there.state(one) == ("appealed", 4, False, None)
    assert there.refused("duc", one, "agree", text="") == (409, "step_not_possible")


@pytest.mark.parametrize("kind", ["speeding", "overload_gross"])
def test_of_two_who_decide_at_once_one_is_too_late(there, kind):
    for _ in range(3):
        one = there.new(kind)
        tag, gate = there.tag(one), Barrier(2)

        def decide(who, step, one=one, tag=tag, gate=gate):
            gate.wait(10)
            return there.step(who, one, step, tag)

        with ThreadPoolExecutor(2) as both:
            answers = both.map(decide, ("binh", "chi"), ("confirm", "dismiss"))
            found = sorted((a.status_code, a.json().get("code", "")) for a in answers)
        assert found == [(201, ""), (412, "version_mismatch")]
        assert there.state(one)[1] == 1


def test_a_worker_that_revises_at_the_moment_of_a_step_is_waited_for_and_the_step_refused(there):
    import psycopg

    one = there.new()
    tag = there.tag(one)
    with psycopg.connect(there.world.dsn) as worker, ThreadPoolExecutor(1) as person:
        worker.execute(
            "UPDATE violations SET version = version + 1, status = 'revised' WHERE id = %s", [one]
        )
        asked = person.submit(there.step, "binh", one, "confirm", tag)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        with psycopg.connect(there.world.dsn, autocommit=True) as watch:
            for _ in range(10_000):
                if watch.execute(waits).fetchone() == (1,):
                    break
        worker.commit()
        answer = asked.result(20)
    assert (answer.status_code, answer.json()["code"]) == (412, "version_mismatch")
    assert there.state(one)[0] == "new"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"step": "forgive"}, "body.step"),
        ({}, "body.step"),
        ({"step": "confirm", "who": "somebody else"}, "body.who"),
        ({"step": "confirm", "text": "a\nb"}, "body.text"),
        ({"step": "confirm", "text": "a\x00b"}, "body.text"),
        ({"step": "confirm", "text": "a\x9bb"}, "body.text"),
        ({"step": "confirm", "text": "\u202egnol"}, "body.text"),
        ({"step": "confirm", "text": "x" * 2001}, "body.text"),
        ({"step": "confirm", "text": None}, "body.text"),
        ({"step": "confirm", "reason": "'; DROP TABLE violations"}, "body.reason"),
        ({"step": "confirm", "reason": "weather"}, "body.reason"),
        ({"step": "excuse"}, "body.reason"),
        ({"step": "excuse", "reason": "other"}, "body.text"),
    ],
)
def test_a_step_that_is_not_what_it_should_be_says_where_and_changes_nothing(there, body, place):
    one = there.new()
    answer = there.clients["binh"].ask(
        "POST", f"/violations/{one}/reviews", json=body, headers={"If-Match": there.tag(one)}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [flaw["location"] for flaw in answer.json()["errors"]] == [place]
    assert there.state(one)[:2] == ("new", 0)


def test_words_of_any_language_are_kept_as_they_were_written(there):
    one = there.new()
    text = "Xe c\u1ee9u th\u01b0\u01a1ng \U0001f691 \u2014 \u201cl\u1ec7nh\u201d; <b>&amp;</b> %s"
    assert there.took("binh", one, "excuse", text=text)["text"] == text


def test_decisions_are_peoples_and_steps_are_of_those_whose_role_they_are(there):
    one = there.new()
    for who, step in (
        ("inspector", "confirm"),  # a program's key
        ("administrator", "dismiss"),
        ("binh reading", "confirm"),  # a key that may less than its person
        ("binh", "acknowledge"),
        ("op", "confirm"),
        ("north", "excuse"),
        ("reader", "confirm"),
        ("provider", "confirm"),
    ):
        assert there.refused(who, one, step) == (403, "forbidden"), who
    assert there.refused("south", one, "acknowledge") == (404, "violation_not_found")
    assert there.took("north", one, "acknowledge")["by"].startswith("key ")


def test_a_province_decides_about_its_operators_and_no_other(there):
    there.took("duc", there.new(), "confirm")
    of_south = there.world.of_south_speeding
    assert there.refused("duc", of_south, "confirm") == (404, "violation_not_found")


def test_the_other_side_is_not_told_names_and_who_takes_no_part_no_words(there):
    one = there.new()
    there.took("op", one, "acknowledge", text="seen by our dispatcher")
    there.took("duc", one, "confirm", text="clear as day")

    def shown(who):
        rows = there.clients[who].get(f"/violations/{one}/reviews")["items"]
        return [(row["by"], row["role"], row["province"], row["text"]) for row in rows]

    words = [("clear as day", "seen by our dispatcher"), (None, None)]
    for who, by_duc, by_op, (first, second) in (
        ("binh", "person duc", "person op", words[0]),
        ("boss", "person duc", "person op", words[0]),
        ("north", None, "person op", words[0]),
        ("reader", None, None, words[1]),
        ("reader_of_north", None, "person op", words[1]),
        ("binh reading", None, None, words[1]),
    ):
        expected = [(by_duc, "inspector", "Ha Noi", first), (by_op, "operator", None, second)]
        assert shown(who) == expected, who
    for who in ("reader", "reader_of_north", "binh reading"):
        assert there.clients[who].get(f"/violations/{one}/reviews")["possible"] == []
    assert there.clients["south"].ask("GET", f"/violations/{one}/reviews").status_code == 404


def test_steps_and_reading_words_are_written_down_without_the_words(there):
    one = there.new("overload_gross")
    before = len(there.audited())
    there.took("binh", one, "excuse", '"1-0"', reason="weather", text="Nguyen Van An was ill")
    [row] = there.audited()[before:]
    assert (row.action, row.subject) == ("make_review", f"/violations/{one}/reviews")
    assert json.loads(row.detail) == {
        "act": "proposed", "from": "new", "number": 1, "reason": "weather", "step": "excuse",
        "version": 1,
    }  # fmt: skip
    for who in ("reader", "binh", "boss", "north"):
        there.clients[who].get(f"/violations/{one}/reviews")
    assert [row.action for row in there.audited()[before + 1 :]] == ["list_reviews"] * 3
    assert "Nguyen" not in str(there.audited())


def test_a_step_that_was_refused_leaves_no_trace(there):
    one = there.new()
    before = len(there.audited())
    there.refused("binh", one, "confirm", '"9-9"')
    there.refused("op", one, "appeal", '"1-0"')
    assert len(there.audited()) == before
    assert there.clients["inspector"].get(f"/violations/{one}/reviews")["items"] == []


def test_steps_on_many_violations_are_each_for_itself(there):
    some = [there.new(kind) for kind in ("speeding", "overload_gross", "speeding", "speeding")]
    there.took("binh", some[2], "confirm")
    given = [
        (some[3], "1-0"), (some[0], "1-0"), (some[1], '"1-0"'), (some[2], "1-1"),
        (some[0], "1-0"), (999_999, "1-0"),
    ]  # fmt: skip
    before = len(there.audited())
    answer = there.clients["chi"].ask(
        "POST", "/reviews",
        json={"steps": [{"violation": v, "etag": tag, "step": "confirm"} for v, tag in given]},
    )  # fmt: skip
    assert answer.status_code == 200
    assert [
        (one["violation"], one["act"], one["review"], one["etag"], one["code"])
        for one in answer.json()["items"]
    ] == [
        (some[3], "taken", "confirmed", "1-1", None),
        (some[0], "taken", "confirmed", "1-1", None),
        (some[1], "proposed", "new", "1-1", None),
        (some[2], None, None, None, "step_not_possible"),
        (some[0], None, None, None, "version_mismatch"),
        (999_999, None, None, None, "violation_not_found"),
    ]
    [row] = there.audited()[before:]
    assert [there.state(one)[0] for one in some] == ["confirmed", "new", "confirmed", "confirmed"]
    assert [one["violation"] for one in json.loads(row.detail)["steps"]] == sorted(
        [some[3], some[0], some[1]]
    )


@pytest.mark.parametrize(
    "body",
    [
        {"steps": []},
        {"steps": [{"violation": 1, "etag": "1-0", "step": "acknowledge"}] * 101},
        {"steps": [{"violation": 1, "step": "acknowledge"}]},
        {"steps": [{"violation": 1, "etag": "*", "step": "acknowledge"}]},
        {"steps": [{"violation": 0, "etag": "1-0", "step": "acknowledge"}]},
        {"steps": [{"violation": 1 << 63, "etag": "1-0", "step": "acknowledge"}]},
    ],
)
def test_steps_on_many_have_their_bounds(there, body):
    answer = there.clients["chi"].ask("POST", "/reviews", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_steps_are_counted(there):
    there.took("op", there.new(), "acknowledge")
    text = there.clients["binh"].ask("GET", "/metrics").text
    assert 'hanhtrinh_api_reviews_total{act="taken",step="acknowledge"}' in text


def test_what_was_excused_or_dismissed_does_not_count_in_the_rate(there):
    month = {"month": "2026-05"}

    def counted():
        return there.clients["binh"].get(f"/vehicles/{there.world.n1}/rate", **month)["counted"]

    before = counted()
    some = [there.id_of(there.fresh(band="10_20")) for _ in range(3)]
    assert counted() == before + 3
    there.took("binh", some[0], "dismiss")
    there.took("binh", some[1], "excuse")
    there.took("binh", some[2], "confirm")
    assert counted() == before + 1

"""Why a step was taken: codes that can be counted, and words of whoever took it."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from storage.errors import ReviewError

LONGEST_TEXT: Final = 2_000
"""Characters of what is written with a step: a page."""

APPEAL: Final = "appeal"
EXCUSE: Final = "excuse"
DISMISS: Final = "dismiss"
CONFIRM: Final = "confirm"


class Reason(NamedTuple):
    """What a code means, and the steps that it is a reason for."""

    meaning: str
    steps: frozenset[str]


REASONS: Final[Mapping[str, Reason]] = {
    code: Reason(meaning, frozenset(steps))
    for code, meaning, steps in (
        ("emergency", "life, health or safety was at stake", (APPEAL, EXCUSE)),
        ("traffic_jam", "there was no way out of a jam before", (APPEAL, EXCUSE)),
        ("official_order", "police or an authority had it done", (APPEAL, EXCUSE)),
        ("road_closed", "the way was closed or diverted", (APPEAL, EXCUSE)),
        ("breakdown", "the vehicle broke down", (APPEAL, EXCUSE)),
        ("weather", "storm, flood or fog", (APPEAL, EXCUSE)),
        ("exempt", "vehicle or journey is exempt from the rule", (APPEAL, EXCUSE, DISMISS)),
        ("wrong_vehicle", "device or plate was another vehicle's", (APPEAL, DISMISS)),
        ("wrong_driver", "somebody else drove", (APPEAL, DISMISS)),
        ("measured_wrongly", "tracker or scale was at fault", (APPEAL, DISMISS)),
        ("registered_wrongly", "a limit, zone, route or mass was wrong", (APPEAL, DISMISS)),
        ("out_of_time", "it is too late to pursue it", (APPEAL, DISMISS)),
        ("facts_revised", "late data shows otherwise", (APPEAL, EXCUSE, CONFIRM, DISMISS)),
        ("decided_wrongly", "the decision before was a mistake", (EXCUSE, CONFIRM, DISMISS)),
        ("evidence_stands", "the facts bear it out", (CONFIRM,)),
        ("appeal_unfounded", "the appeal gives no reason that holds", (CONFIRM,)),
        ("other", "what the text says", (APPEAL, EXCUSE, CONFIRM, DISMISS)),
    )
}

UNDECIDED: Final = frozenset({"new", "acknowledged"})


def check_reason(what: str, review: str, reason: str, text: str) -> None:
    """Refuse a step without the reasons that it needs. Raises ReviewError.

    review: the state that the step begins from. A decision about an appeal, and one in place of
    another, is explained in words.
    """
    if reason and what not in getattr(REASONS.get(reason), "steps", ()):
        raise ReviewError("invalid_request", f"expected one of {_of(what)}", place="reason")
    needs_code = what in {APPEAL, EXCUSE, DISMISS} or (what == CONFIRM and review not in UNDECIDED)
    if needs_code and not reason:
        raise ReviewError("invalid_request", f"expected one of {_of(what)}", place="reason")
    needs_text = (
        what in {APPEAL, "refuse"}
        or reason == "other"
        or (what in {EXCUSE, CONFIRM, DISMISS} and review not in UNDECIDED)
    )
    if needs_text and not text.strip():
        raise ReviewError("invalid_request", "expected why, in words", place="text")


def _of(what: str) -> str:
    return ", ".join(code for code, known in REASONS.items() if what in known.steps) or "none"

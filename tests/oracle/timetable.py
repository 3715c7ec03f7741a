"""Which departure serves which slot, and what follows, docs/rules.md sections 3 and 8."""

from itertools import combinations


def assignments(slots, departures, early, within):
    """Every assignment: later departures serve later slots, each within its time."""
    for count in range(min(len(slots), len(departures)) + 1):
        for some in combinations(range(len(slots)), count):
            for left in combinations(range(len(departures)), count):
                pairs = dict(zip(some, left, strict=True))
                if all(-early <= departures[d] - slots[s] <= within for s, d in pairs.items()):
                    yield [pairs.get(s) for s in range(len(slots))]


def assign(slots, departures, early, within):
    """The best of them: most slots, least distance, then the earliest departures first."""

    def worth(found):
        apart = [abs(departures[d] - slots[s]) for s, d in enumerate(found) if d is not None]
        return -len(apart), sum(apart), [len(departures) if d is None else d for d in found]

    return min(assignments(slots, departures, early, within), key=worth)


def rate(counted, km):
    """(violations per 1,000 km, whether the badge is due) by the shipped profiles."""
    per_thousand = counted if km < 1000 else counted * 1000 / km
    return per_thousand, per_thousand >= 5

"""Months of the deployment's timezone, and the profile in force on a day."""

from datetime import date, timedelta

from api.options import ApiOptions
from geofence.profile import Profile


def month_of(text: str) -> tuple[date, date]:
    """The first day of a month, YYYY-MM, and of the next."""
    first = date.fromisoformat(f"{text}-01")
    return first, (first + timedelta(days=31)).replace(day=1)


def profile_of(options: ApiOptions, day: date) -> Profile:
    """The profile in force on a local day."""
    for profile in options.profiles:
        begins, ends = profile.effective_from, profile.effective_to
        if (begins is None or begins <= day) and (ends is None or day < ends):
            return profile
    raise RuntimeError(f"profiles: expected one in force on {day}")

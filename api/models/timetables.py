"""A route compared with its timetable."""

from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import Direction, Model

SLOT: JsonDict = {
    "direction": "outbound",
    "departs": "06:30",
    "slots": 20,
    "run": 13,
    "late": 2,
    "not_run": 6,
    "open": 1,
    "share_percent": 68.421,
    "is_marked": True,
    "not_run_days": [
        "2026-05-04", "2026-05-05", "2026-05-06", "2026-05-11", "2026-05-12", "2026-05-13",
    ],
}  # fmt: skip


class TimetableSlot(Model):
    """A slot over a month. Slots of one direction and local time are one."""

    model_config = ConfigDict(json_schema_extra={"examples": [SLOT]})

    direction: Annotated[Direction, Field(description="outbound: from A to B; inbound: back.")]
    departs: Annotated[str, Field(description="Local time, HH:MM.")]
    slots: Annotated[int, Field(description="Days on which it was due (count).")]
    run: Annotated[int, Field(description="Days on which a vehicle ran it, late ones too (count).")]
    late: Annotated[int, Field(description="Days on which that vehicle left late (count).")]
    not_run: Annotated[int, Field(description="Days on which nobody ran it (count).")]
    open: Annotated[int, Field(description="Days on which a departure may still serve it (count).")]
    share_percent: Annotated[
        float | None, Field(description="run of run and not_run, percent; null: there are none.")
    ]
    is_marked: Annotated[
        bool, Field(description="The share is under the profile's least: marked for withdrawal.")
    ]
    not_run_days: Annotated[list[date], Field(description="The local days on which nobody ran it.")]


class Timetable(Model):
    """A route's slots in a month, in order of direction and time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "route": "HCM-DL-01",
                    "month": "2026-05",
                    "timezone": "Asia/Ho_Chi_Minh",
                    "is_provisional": True,
                    "items": [SLOT],
                }
            ]
        }
    )

    route: Annotated[str, Field(description="Code of the route.")]
    month: Annotated[str, Field(description="Local month, YYYY-MM.")]
    timezone: Annotated[str, Field(description="Of days and times.")]
    is_provisional: Annotated[
        bool, Field(description="Some slots are open: the shares are of what is decided.")
    ]
    items: Annotated[list[TimetableSlot], Field(description="The slots.")]

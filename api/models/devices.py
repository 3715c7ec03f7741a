"""Devices, and when they were last heard of."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import Instant, Model, NextCursor

DEVICE: JsonDict = {
    "id": 5, "ident": "352093081429150", "codec": "teltonika", "provider": "vnet",
    "last_fix_at": "2026-05-04T08:00:00.000Z", "last_received_at": "2026-05-04T08:00:01.250Z",
    "refused_24h": 0, "operator": "north", "vehicle_id": 17, "note": None, "retired_at": None,
    "version": 1,
}  # fmt: skip


class DeviceHealth(Model):
    """A device, and when it was last heard of."""

    model_config = ConfigDict(json_schema_extra={"examples": [DEVICE]})

    id: Annotated[int, Field(description="Number of the device (an identity, no unit).")]
    ident: Annotated[str, Field(description="What its topic names.")]
    codec: Annotated[str | None, Field(description="The format that it speaks; null: any.")]
    provider: Annotated[str | None, Field(description="Code of the provider of devices.")]
    last_fix_at: Annotated[
        Instant | None, Field(description="Time of its latest fix, usable or not, UTC.")
    ]
    last_received_at: Annotated[
        Instant | None,
        Field(description="Last heard of, UTC: a usable fix came then, any one by then."),
    ]
    refused_24h: Annotated[
        int, Field(description="Messages of the last 24 hours that were of no use (count).")
    ]
    operator: Annotated[
        str | None, Field(description="Code of whose it is; null: nobody's, or not yours to know.")
    ]
    vehicle_id: Annotated[
        int | None,
        Field(
            description="Number of the vehicle that it is in (an identity, no unit); null: none, "
            "or not yours to know."
        ),
    ]
    note: Annotated[str | None, Field(description="What people wrote about it.")]
    retired_at: Annotated[Instant | None, Field(description="Let in no longer since, UTC.")]
    version: Annotated[int, Field(description="Changes (a count from 1).")]


class DevicePage(Model):
    """A page of devices."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [DEVICE], "next_cursor": None}]}
    )

    items: Annotated[list[DeviceHealth], Field(description="In order of registration.")]
    next_cursor: NextCursor

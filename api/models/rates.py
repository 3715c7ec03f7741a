"""A vehicle's rate of violations."""

from typing import Annotated

from pydantic import ConfigDict, Field

from api.models.base import Model, VehicleId


class MonthlyRate(Model):
    """Speeding violations of a vehicle in a month, by the distance that it drove."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "vehicle_id": 17,
                    "plate": "51B12345",
                    "month": "2026-05",
                    "timezone": "Asia/Ho_Chi_Minh",
                    "counted": 9,
                    "distance_m": 1800000.0,
                    "rate": 5.0,
                    "is_due": True,
                }
            ]
        }
    )

    vehicle_id: Annotated[VehicleId, Field(description="The vehicle (a number).")]
    plate: Annotated[str, Field(description="Its plate.")]
    month: Annotated[str, Field(description="Local month, YYYY-MM.")]
    timezone: Annotated[str, Field(description="Of the month.")]
    counted: Annotated[
        int,
        Field(
            description="Speeding from the band 5_10 up, but what was excused or dismissed (count)."
        ),
    ]
    distance_m: Annotated[float, Field(description="Driven in the month, metres.")]
    rate: Annotated[
        float,
        Field(description="Per 1,000 km, from 1,000 km up; else counted (a number)."),
    ]
    is_due: Annotated[bool, Field(description="The badge is due for withdrawal.")]

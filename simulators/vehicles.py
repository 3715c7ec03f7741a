"""Who drives: makes of vehicles with their masses and axles, plates, trackers and drivers.

Belongs here: what the registry is told about a simulated vehicle. Does not belong here: motion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from geofence.registry import VehicleKind, VehicleRoute, VehicleRule

CODECS: Final = ("json", "teltonika", "ufms", "nmea", "owntracks")
"""Codecs that a simulated tracker can speak."""

MIX: Final = (
    *("json",) * 5,
    *("teltonika",) * 2,
    *("ufms", "nmea", "owntracks"),
)
"""Every ten vehicles of a mixed fleet."""

WHOLE_SECONDS: Final = frozenset({"ufms", "nmea", "owntracks"})
"""Formats whose trackers tell time in whole seconds."""

PROVIDER: Final = "mophong"
"""The provider in whose feed the simulated UFMS vehicles are named by plate."""

OPERATORS: Final = (
    ("HTX-CAUSEN", "Hợp tác xã vận tải Cầu Sen"),
    ("CT-DONGLIM", "Công ty vận tải Đồng Lim"),
    ("CT-GOMIT", "Công ty xe khách Gò Mít"),
    ("CT-NUIVOI", "Công ty đá Núi Voi"),
    ("HTX-SONGRONG", "Hợp tác xã Sông Rộng"),
)
"""Code and name of the made-up companies that own the fleet."""


@dataclass(frozen=True, slots=True)
class Make:
    """A make of vehicle: how the law classes it, what it may weigh, where its axles are.

    shares: of its gross mass on each axle; spacings_m: to the axle before, one fewer than axles.
    """

    vehicle_class: str
    kind: VehicleKind
    gross_kg: float
    kerb_kg: float
    cargo_kg: float
    shares: tuple[float, ...]
    spacings_m: tuple[float, ...]
    speed_limit_kmh: float | None = None

    @property
    def axles(self) -> int:
        return len(self.shares)


BUS: Final = Make("bus", "bus", 15_000.0, 10_500.0, 4_500.0, (0.38, 0.62), (5.9,))
CAR: Final = Make("car", "car", 2_100.0, 1_500.0, 500.0, (0.52, 0.48), (2.7,))
LORRIES: Final = (
    Make("truck_over_3_5t", "rigid", 15_000.0, 6_000.0, 9_000.0, (0.36, 0.64), (4.4,), 70.0),
    Make(
        "truck_over_3_5t",
        "rigid",
        23_000.0,
        9_000.0,
        14_000.0,
        (0.28, 0.36, 0.36),
        (4.6, 1.35),
        70.0,
    ),
    Make(
        *("truck_over_3_5t", "rigid", 29_000.0, 11_000.0, 18_000.0),
        *((0.22, 0.22, 0.28, 0.28), (1.85, 4.2, 1.35), 70.0),
    ),
)


@dataclass(frozen=True, slots=True)
class SimulatedVehicle:
    """One vehicle of the fleet. `number` counts from 1 and is the id in `rule`."""

    number: int
    plate: str
    ident: str
    codec: str
    operator: str
    licence: str
    make: Make
    rule: VehicleRule


def make_vehicle(
    number: int, make: Make, codec: str, routes: Sequence[str] = ()
) -> SimulatedVehicle:
    """The number-th vehicle: its names follow from its number alone."""
    which = (number - 1) % len(OPERATORS)
    plate = f"29{'BCHK'[number % 4]}{10_000 + number % 90_000:05d}"
    if number >= 90_000:
        plate += f"{number // 90_000}"
    rule = VehicleRule(
        id=number,
        plate=plate,
        operator_id=which + 1,
        vehicle_class=make.vehicle_class,
        kind=make.kind,
        speed_limit_kmh=make.speed_limit_kmh,
        gross_kg=make.gross_kg,
        kerb_kg=make.kerb_kg,
        cargo_kg=make.cargo_kg,
        axles=make.axles,
        routes=tuple(VehicleRoute(code) for code in routes),
    )
    imei = f"8690{number:011d}"
    return SimulatedVehicle(
        number=number,
        plate=plate,
        ident=f"mophong/{imei}" if codec == "owntracks" else imei,
        codec=codec,
        operator=OPERATORS[which][0],
        licence=f"0100{number:08d}",
        make=make,
        rule=rule,
    )

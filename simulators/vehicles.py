"""Who drives: makes of vehicles with their masses and axles, plates, trackers and drivers.

Belongs here: what the registry is told about a simulated vehicle. Does not belong here: motion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from devices.catalogue import CODECS as CATALOGUE
from geofence.registry import VehicleKind, VehicleRoute, VehicleRule

SHARES: Final[Mapping[str, int]] = {
    "json": 24, "teltonika": 12, "ufms": 8, "jt808": 6, "gt06": 6, "nmea": 4, "owntracks": 4,
}  # fmt: skip
"""How many vehicles of a mixed fleet speak each codec, for one that speaks each of the others."""

CODECS: Final = (
    *SHARES,
    *(
        name
        for name, codec in sorted(CATALOGUE.items())
        if codec.encode is not None and name not in SHARES
    ),
)
"""Codecs that a simulated tracker can speak: all that have an encoder of fixes."""

MILLISECONDS: Final = frozenset(
    {
        *("flespi", "gps103", "json", "pui"),
        *("teltonika", "teltonika-cbor", "teltonika-json", "traccar"),
    }
)
"""Formats whose trackers tell time to the millisecond, the others to the second."""

WITHIN_POLES: Final = frozenset({"cellocator", "egts", "meitrack", "tk103"})
"""Formats that cannot write a latitude beyond 90 degrees, and so no exchanged axes."""

NAMELESS: Final = frozenset({"json", "owntracks"})
"""Formats whose trackers leave it to the topic to say whose the payload is."""

NAMES_DRIVERS: Final = frozenset({"json", "osmand", "traccar", "ufms"})
"""Formats that say who drives."""

NUMBERED: Final = frozenset({"jt808", "jt808-json"})
"""Formats whose terminals are known by a number of at most 12 digits, not by an IMEI."""

PROVIDER: Final = "mophong"
"""The provider in whose feed the simulated UFMS vehicles are named by plate; an OwnTracks user."""

OPERATORS: Final = (
    ("HTX-CAUSEN", "Hợp tác xã vận tải Cầu Sen"),
    ("CT-DONGLIM", "Công ty vận tải Đồng Lim"),
    ("CT-GOMIT", "Công ty xe khách Gò Mít"),
    ("CT-NUIVOI", "Công ty đá Núi Voi"),
    ("HTX-SONGRONG", "Hợp tác xã Sông Rộng"),
)
"""Code and name of the made-up companies that own the fleet."""


def _spread(shares: Mapping[str, int]) -> tuple[str, ...]:
    """Every name as often as its share says, each at equal distances."""
    turns = [
        ((turn + 0.5) / share, name) for name, share in shares.items() for turn in range(share)
    ]
    return tuple(name for _, name in sorted(turns))


MIX: Final = _spread({name: SHARES.get(name, 1) for name in CODECS})
"""The codecs of a mixed fleet, vehicle after vehicle, again and again."""


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
    ident = f"1390{number:08d}" if codec in NUMBERED else imei
    return SimulatedVehicle(
        number=number,
        plate=plate,
        ident=f"{PROVIDER}/{imei}" if codec == "owntracks" else ident,
        codec=codec,
        operator=OPERATORS[which][0],
        make=make,
        rule=rule,
    )

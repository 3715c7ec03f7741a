"""Rules: what a worker reads and judges by, made of one picture of the registry.

Immutable: a change of the registry makes others. Belongs here: what follows from the registry
alone. Does not belong here: what is remembered of vehicles (judges.py).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from devices.catalogue import CODECS
from devices.codec import Codec
from devices.formats.weighing.column_map import ColumnMap
from devices.formats.weighing.csv_lines import weigh_csv
from geofence.profile import Profile
from geofence.quality import Region
from geofence.roads.matcher import RoadIndex
from geofence.rulebook import Rulebook
from ingest.directory import Directory, directory_of
from ingest.weighing import Weigher
from storage.registry import RegistrySnapshot


@dataclass(frozen=True, slots=True)
class JudgingOptions:
    """What fixes are judged by.

    timezone: of days and hours. region: where positions are plausible. roads: whose limits count.
    """

    profiles: tuple[Profile, ...]
    timezone: str
    region: Region
    roads: RoadIndex | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a picture of the registry (`snapshot`) comes to. station_codecs: by station code."""

    snapshot: RegistrySnapshot
    rulebook: Rulebook
    weigher: Weigher
    directory: Directory
    station_codecs: Mapping[str, Codec]

    @classmethod
    def of(cls, snapshot: RegistrySnapshot, options: JudgingOptions) -> "Rules":
        """Raises GeofenceError or DevicesError if parts of the registry contradict each other."""
        rulebook = Rulebook.build(
            options.profiles,
            snapshot.zones,
            snapshot.routes,
            snapshot.vehicles,
            timezone=options.timezone,
            roads=options.roads,
            stations=snapshot.stations,
        )
        station_codecs = {
            code: replace(CODECS["weigh-csv"], decode=weigh_csv(ColumnMap.from_json(columns)))
            for code, columns in snapshot.column_maps.items()
        }
        return cls(snapshot, rulebook, Weigher(rulebook), directory_of(snapshot), station_codecs)

    def codec(self, name: str, ident: str) -> Codec | None:
        """The codec of a name; stations that send CSV may have columns of their own."""
        if name == "weigh-csv" and ident in self.station_codecs:
            return self.station_codecs[ident]
        return CODECS.get(name)

    def vehicles_of(self, plates: Collection[str]) -> dict[str, int]:
        """The vehicles that carry some plates (capital letters and digits)."""
        return {v.plate: v.id for v in self.snapshot.vehicles if v.plate in plates}

    def name_of(self, vehicle: int) -> str:
        """What a tracker of a vehicle calls itself, else its plate, else its number."""
        names = [*self.snapshot.devices, *self.snapshot.plates]
        return next((name for name, of, *_ in names if of == vehicle), str(vehicle))

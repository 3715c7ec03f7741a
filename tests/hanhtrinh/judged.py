"""Running `hanhtrinh judge` on small files, in this process."""

import json
from datetime import UTC, datetime, timedelta

from typer.testing import CliRunner

from hanhtrinh.cli import app

BEGINS = datetime(2026, 5, 1, tzinfo=UTC)
"""A Friday; 07:00 in Vietnam."""
METRES_PER_DEGREE = 111_194.9266


def judge(folder, *options, **files):
    """Run the command on files of these contents; objects are written as JSON."""
    given = list(options)
    for name, content in files.items():
        suffix = ".geojson" if isinstance(content, dict) else ".txt"
        path = folder / f"{name}{suffix}"
        text = json.dumps(content) if isinstance(content, dict) else content
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        given += [f"--{name}", str(path)]
    return CliRunner().invoke(app, ["judge", *given])


def lines(ran):
    """The lines of a run that went well."""
    assert ran.exit_code == 0, ran.output
    return [json.loads(line) for line in ran.stdout.splitlines()]


def said(ran):
    """What standard error says, without the breaks of a narrow terminal."""
    return " ".join(ran.stderr.split())


def stamp(seconds):
    return (BEGINS + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def drive(vehicle="29B1", kmh=70.0, fixes=12, every_s=10, lon=105.5, lat=21.0, since_s=0):
    """Rows `vehicle,time,lat,lon,speed_kmh` of a drive to the north."""
    degrees = kmh / 3.6 * every_s / METRES_PER_DEGREE
    return [
        f"{vehicle},{stamp(since_s + n * every_s)},{lat + n * degrees:.6f},{lon},{kmh:g}"
        for n in range(fixes)
    ]


def fixes(*drives):
    """The text of a file of positions."""
    rows = [row for rows in drives for row in rows]
    return "\n".join(["vehicle,time,lat,lon,speed_kmh", *rows]) + "\n"


def box(west=105.0, south=20.0, east=107.0, north=22.0):
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


def zone(**properties):
    """A file of one zone around everything."""
    return collection(feature(box(), **properties))


SLOW = zone(id="slow", kind="speed", speed_limit_kmh={"*": 60, "bus": 50})

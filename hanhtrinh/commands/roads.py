"""Verbs about road maps."""

from pathlib import Path
from typing import Annotated

import typer

from hanhtrinh.commands.state import stderr, write_json

SHOWN = 20

roads = typer.Typer(help="Maps of roads and their limits.", no_args_is_help=True)


@roads.command("simulated")
def simulated_roads(
    output: Annotated[Path, typer.Option("-o", "--output", help="The road file to write.")],
) -> None:
    """Write the roads that the simulated fleet passes signs on, for `simulate --map`."""
    from hanhtrinh.road_import.simulated import write_simulated  # noqa: PLC0415
    from simulators.world import load_world  # noqa: PLC0415

    network = write_simulated(load_world(has_map=True), output)
    write_json({"ways": len(network.ways), "edges": len(network.edges)})


@roads.command("import")
def import_roads(
    file: Annotated[Path, typer.Argument(help="OpenStreetMap (.osm, .osm.pbf) or GeoJSON lines.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The road file to write.")],
    problems: Annotated[
        Path | None, typer.Option(help="Write every value that could not be used to this file.")
    ] = None,
) -> None:
    """Make a road file of a map, and say what of the map could not be used."""
    from geofence.roads.network import RoadNetwork  # noqa: PLC0415
    from hanhtrinh.road_import.files import read_map, write_roads  # noqa: PLC0415

    ways, report = read_map(file)
    network = RoadNetwork.build(ways.ways())
    lines = [str(problem) for problem in report.problems]
    if problems:
        problems.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    write_roads(network, output)
    shown = lines if problems is None else []
    for line in shown[:SHOWN]:
        stderr().print(line, markup=False, highlight=False, soft_wrap=True)
    if len(shown) > SHOWN:
        stderr().print(f"and {len(shown) - SHOWN} more: --problems FILE names them all")
    write_json(
        {
            "ways": report.ways,
            "edges": len(network.edges),
            "segments": len(network.segments),
            "km": round(float(network.edges["length_m"].sum()) / 1000, 1),
            "problems": len(report.problems),
            "ignored": dict(report.ignored),
            "skipped": dict(report.skipped),
        }
    )

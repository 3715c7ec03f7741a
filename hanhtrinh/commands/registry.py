"""Verbs about what is registered: vehicles with their devices."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.state import run, state_of, stderr, write_json
from hanhtrinh.errors import CommandError, UsageError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

T = TypeVar("T")

vehicles = typer.Typer(help="Vehicles and the devices in them.", no_args_is_help=True)


def in_transaction(
    context: typer.Context,
    work: "Callable[[AsyncConnection], Awaitable[T]]",
    audited: str | None = None,
) -> T:
    """Do the work in one transaction.

    audited: to what it is done, for the audit; None: nothing is changed.
    """
    from hanhtrinh import wiring  # noqa: PLC0415
    from storage import database  # noqa: PLC0415
    from storage.access import audit  # noqa: PLC0415
    from storage.registry import registering  # noqa: PLC0415

    settings = state_of(context).settings
    wiring.require_schema(settings)

    async def change() -> T:
        async with (
            await database.connect(wiring.dsn(settings), name="hanhtrinh command") as connection,
            connection.transaction(),
        ):
            if audited is None:
                return await work(connection)
            act = wiring.act_of_command(_name_of(context), audited)
            await registering.note(connection, act.actor)
            done = await work(connection)
            await audit.record(connection, act)
            return done

    return run(change())


def _name_of(context: typer.Context) -> str:
    """`hanhtrinh users create`, however it was started, is users_create."""
    words = []
    at: Any = context
    while at.parent is not None:
        words.append(at.info_name)
        at = at.parent
    return "_".join(reversed(words))


async def _operator(connection: "AsyncConnection", code: str, name: str | None) -> int:
    """The operator's id; a name registers it if it is new."""
    from storage import registry  # noqa: PLC0415
    from storage.errors import NotThereError  # noqa: PLC0415

    try:
        return await registry.operator_id(connection, code)
    except NotThereError as error:
        if name is None:
            raise CommandError(f"{error}; --operator-name NAME registers it") from error
        return await registry.add_operator(connection, code, name)


@vehicles.command("add")
def add_vehicle(
    context: typer.Context,
    plate: Annotated[str, typer.Option(help="Plate; only letters and digits count.")],
    device: Annotated[str, typer.Option(help="What its topic names: IMEI, serial, user/device.")],
    operator: Annotated[str, typer.Option(help="Code of its operator.")],
    operator_name: Annotated[
        str | None, typer.Option(help="Registers the operator under this name if it is new.")
    ] = None,
    vehicle_class: Annotated[
        str, typer.Option("--class", help="Class that speed limits and bans go by.")
    ] = "truck_over_3_5t",
    kind: Annotated[
        str, typer.Option(help="rigid, tractor_semi, rigid_trailer, bus or car.")
    ] = "rigid",
    speed_limit_kmh: Annotated[
        float | None, typer.Option(callback=finite, help="Its own limit; else the profile's.")
    ] = None,
    gross_kg: Annotated[
        float | None, typer.Option(callback=finite, help="Permitted gross mass.")
    ] = None,
    kerb_kg: Annotated[float | None, typer.Option(callback=finite, help="Kerb mass.")] = None,
    cargo_kg: Annotated[
        float | None, typer.Option(callback=finite, help="Permitted cargo.")
    ] = None,
    axles: Annotated[int | None, typer.Option(help="Number of axles.")] = None,
) -> None:
    """Register a vehicle and the device that reports for it."""
    from hanhtrinh import wiring  # noqa: PLC0415
    from storage.bulk.importing import unusual  # noqa: PLC0415
    from storage.registry import records, registering  # noqa: PLC0415

    letters = _plain_plate(plate)
    vehicle = records.VehicleRecord(
        plate=plate,
        operator=operator,
        vehicle_class=vehicle_class,
        kind=kind,
        speed_limit_kmh=speed_limit_kmh,
        gross_kg=gross_kg,
        kerb_kg=kerb_kg,
        cargo_kg=cargo_kg,
        axles=axles,
    )

    async def work(connection: "AsyncConnection") -> dict[str, object]:
        await _operator(connection, operator, operator_name)
        [vehicle_id] = await registering.register(connection, [vehicle])
        tracker = records.DeviceRecord(ident=device, operator=operator)
        await registering.register(connection, [tracker])
        inside = records.AssignmentRecord(device=device, vehicle=plate)
        await registering.register(connection, [inside])
        return {"vehicle": vehicle_id, "plate": letters, "device": device}

    done = in_transaction(context, work, f"vehicle {letters}")
    usual = wiring.vehicle_classes(state_of(context).settings)
    if vehicle_class not in usual:
        stderr().print(f"noted: --class: {unusual(vehicle_class, usual)}", markup=False)
    write_json(done)


def _plain_plate(plate: str) -> str:
    """Capital letters and digits: 29C-123.45 is 29C12345."""
    plain = "".join(letter for letter in plate.upper() if letter.isascii() and letter.isalnum())
    if not 4 <= len(plain) <= 12:
        raise UsageError(f"--plate: expected 4 to 12 letters and digits, got {plate!r}")
    return plain

"""docs/zones.md names every key of a profile."""

from pathlib import Path

from geofence.parameters import PARAMETERS

DOCUMENT = Path(__file__).parents[2] / "docs" / "zones.md"


def test_every_parameter_has_its_place_in_the_document():
    text = DOCUMENT.read_text("utf-8")
    for parameter in PARAMETERS:
        section, _, name = parameter.key.partition(".")
        if section == "quality":
            continue  # one row for all of them
        assert f"`{parameter.key}`" in text or f"`.{name}`" in text, parameter.key

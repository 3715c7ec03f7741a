"""What came of an imported table."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import Model

PLACE: JsonDict = {
    "row": 7,
    "column": "D (gross_kg)",
    "wrong": "expected 1 to 500000, got '0'",
}


class ImportPlace(Model):
    """One value that is not what it should be."""

    model_config = ConfigDict(json_schema_extra={"examples": [PLACE]})

    row: Annotated[
        int,
        Field(description="Row as a spreadsheet numbers it (a count from 1); 0: the whole table."),
    ]
    column: Annotated[str, Field(description="Letter and header; empty: the whole row.")]
    wrong: Annotated[str, Field(description="What was expected, and what is there.")]


class ImportReport(Model):
    """What a table changed, or would change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rows": 3, "added": 1, "changed": 0, "unchanged": 2, "written": False,
                    "problems": 1, "places": [PLACE],
                }
            ]
        }
    )  # fmt: skip

    rows: Annotated[int, Field(description="Rows under the header (count).")]
    added: Annotated[int, Field(description="Rows that are new (count).")]
    changed: Annotated[int, Field(description="Rows that change what stands (count).")]
    unchanged: Annotated[int, Field(description="Rows that say what stands (count).")]
    written: Annotated[bool, Field(description="It was written; false: a dry run.")]
    problems: Annotated[int, Field(description="Values that are wrong (count).")]
    places: Annotated[
        list[ImportPlace], Field(description="The first 1,000 of them, in the order of rows.")
    ]

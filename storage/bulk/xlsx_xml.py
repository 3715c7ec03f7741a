"""The XML of spreadsheets as a stream of tags, without namespaces and without declarations."""

from collections.abc import Callable, Iterable
from xml.parsers import expat

from storage.bulk.tables import TableError

Begin = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


def parse(
    pieces: Iterable[bytes],
    begin: Begin,
    end: End | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Feed a part to handlers, which are given tags without their prefixes.

    Raises TableError for a document type declaration: entities are how XML bombs are made, and no
    spreadsheet has any; expat's own error for what is no XML.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = 1 << 16

    def began(tag: str, attributes: dict[str, str]) -> None:
        begin(tag.rpartition(":")[2], attributes)

    def ended(tag: str) -> None:
        if end is not None:
            end(tag.rpartition(":")[2])

    def declared(*_: object) -> None:
        raise TableError("expected an XLSX file without a document type declaration")

    parser.StartElementHandler = began
    if end is not None:
        parser.EndElementHandler = ended
    if text is not None:
        parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = declared
    for piece in pieces:
        parser.Parse(piece, False)
    parser.Parse(b"", True)

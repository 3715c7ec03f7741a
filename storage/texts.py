"""Texts that came from outside, on their way into the database."""


def storable_text(value: str) -> str:
    """The text with what PostgreSQL's UTF-8 cannot hold (U+0000, surrogates) shown as U+FFFD."""
    clean = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return clean.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

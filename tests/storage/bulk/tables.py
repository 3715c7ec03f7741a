"""Tables as the programs of users write them."""


def utf_8_variants(text):
    """The bytes of a CSV text as several programs save it."""
    windows = text.replace("\n", "\r\n")
    return [text.encode("utf-8-sig"), windows.encode(), windows.encode("utf-8-sig")]

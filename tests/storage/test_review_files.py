"""Which format a file has: by its content, and whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import ReviewError
from storage.reviews.files import EXTENSIONS, LONGEST_NAME, format_of, name_for
from tests.storage.files import PDF, TEXT, WHOLE, chunk, jpeg, png


def refuses(content):
    with pytest.raises(ReviewError) as refused:
        format_of(content)
    assert refused.value.code == "file_refused"


@pytest.mark.parametrize("kind", WHOLE)
def test_each_format_is_told_by_its_content(kind):
    assert format_of(WHOLE[kind]) == kind


def test_each_format_has_a_file_here():
    assert WHOLE.keys() == EXTENSIONS.keys()


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "application/pdf"])
@settings(max_examples=40)
@given(data=st.data())
def test_a_file_that_is_cut_is_refused(kind, data):
    whole = WHOLE[kind].rstrip()
    refuses(whole[: data.draw(st.integers(4, len(whole) - 1))])


@settings(max_examples=40)
@given(where=st.integers(8, len(png()) - 1), other=st.integers(1, 255))
def test_a_png_with_one_wrong_byte_is_refused(where, other):
    content = bytearray(png())
    content[where] ^= other
    refuses(bytes(content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   \n",
        b"MZ\x90\0\x03",
        b"\x7fELF\x02\x01\x01\0",
        b"PK\x03\x04 word/document.xml",
        b"GIF89a\x01\0\x01\0",
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"\n <html>",
        b"\xef\xbb\xbf<?xml version='1.0'?>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"a\0b",
        b"\x1b[31mred",
        b"caf\xe9",
        b"\xff\xfea\0b\0",
        "left\x85right".encode(),
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        png() + b"<script>alert(1)</script>",
        b"GIF89a" + png(),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8<html></html>\xff\xd9",
        b"\xff\xd8\xff\xe0\xff\xff",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0\n",
        b"%PDF-9.9\n%%EOF",
        b"x%PDF-1.7\n\0%%EOF",
        PDF + bytes(2_000),
    ],
)
def test_what_is_none_of_the_formats_is_refused(content):
    refuses(content)


@settings(max_examples=40)
@given(st.binary(max_size=300))
def test_whatever_is_taken_as_text_is_text(content):
    try:
        kind = format_of(content)
    except ReviewError:
        return
    if kind == "text/plain":
        assert "\0" not in content.decode()


@settings(max_examples=40)
@given(size=st.integers(1, 40), scan=st.binary(max_size=200))
def test_whole_pictures_are_taken_whatever_is_in_them(size, scan):
    assert format_of(png(size)) == "image/png"
    assert format_of(jpeg(scan)) == "image/jpeg"


def test_a_phone_may_write_more_behind_a_jpeg_and_a_byte_order_mark_before_a_text():
    assert format_of(jpeg() + b"SEFT trailer of a maker\0\0") == "image/jpeg"
    assert format_of(b"\xef\xbb\xbf" + TEXT) == "text/plain"


@pytest.mark.parametrize(
    ("name", "kind", "kept"),
    [
        ("order.pdf", "application/pdf", "order.pdf"),
        ("ORDER.PDF", "application/pdf", "ORDER.PDF"),
        ("photo.jpeg", "image/jpeg", "photo.jpeg"),
        ("photo.png", "image/jpeg", "photo.png.jpg"),
        ("page.html", "text/plain", "page.html.txt"),
        ("report.pdf.exe", "application/pdf", "report.pdf.exe.pdf"),
        ("lệnh", "text/plain", "lệnh.txt"),
        ("x" * LONGEST_NAME, "image/png", "x" * (LONGEST_NAME - 4) + ".png"),
    ],
)
def test_a_name_ends_as_the_content_says(name, kind, kept):
    assert name_for(name, kind) == kept

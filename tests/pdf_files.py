"""PDF files of tests: sound ones, and broken ones of every kind."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from PIL import Image

HEAD = b"%PDF-1.7\n"


def pdf_of(sizes: Sequence[tuple[int, int]], colour: tuple[int, int, int] = (10, 120, 200)) -> bytes:
    """A PDF with a page of one colour for each size, in points."""
    pages = [Image.new("RGB", size, (colour[0] + k % 200, *colour[1:])) for k, size in enumerate(sizes)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "PDF", save_all=True, append_images=pages[1:])
    return buffer.getvalue()


def written(objects: Mapping[int, bytes], trailer: bytes = b"") -> bytes:
    """A PDF file of these objects; the first is its catalogue."""
    body, places = bytearray(HEAD), {}
    for number, content in objects.items():
        places[number] = len(body)
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    start = len(body)
    size = max(objects) + 1
    body += b"xref\n0 %d\n0000000000 65535 f \n" % size
    body += b"".join(b"%010d 00000 n \n" % places.get(number, 0) for number in range(1, size))
    body += b"trailer\n<</Root 1 0 R /Size %d %b>>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, start)
    return bytes(body)


def stream(content: bytes, head: bytes = b"") -> bytes:
    """An object that is a stream."""
    return b"<<%b /Length %d>>\nstream\n%b\nendstream" % (head, len(content), content)


def simple(box: str = "0 0 50 70", kids: str = "3 0 R", count: int = 1, trailer: bytes = b"", page: str = "") -> bytes:
    """A PDF of one empty page, with a few things to change."""
    objects = {
        1: b"<</Type /Catalog /Pages 2 0 R>>",
        2: f"<</Type /Pages /Kids [{kids}] /Count {count}>>".encode(),
        3: f"<</Type /Page /Parent 2 0 R /MediaBox [{box}] {page}>>".encode(),
    }
    return written(objects, trailer)


def endless() -> bytes:
    """A PDF whose page draws a form that draws a form ten times, and so on: it takes years to render."""
    levels = 12
    objects = {
        1: b"<</Type /Catalog /Pages 2 0 R>>",
        2: b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        3: b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 50 70] /Contents 4 0 R /Resources <</XObject <</F 5 0 R>>>>>>",
        4: stream(b"/F Do"),
    }
    for level in range(levels):
        last = level == levels - 1
        inner = b"" if last else b"/Resources <</XObject <</F %d 0 R>>>>" % (6 + level)
        content = b"0 0 10 10 re f" if last else b"/F Do " * 10
        objects[5 + level] = stream(content, b"/Type /XObject /Subtype /Form /BBox [0 0 50 70] " + inner)
    return written(objects)


def encrypted() -> bytes:
    """A PDF that opens with a password alone."""
    secret = b"<" + b"ab" * 32 + b">"
    return simple(
        trailer=b"/ID [<00><00>] /Encrypt <</Filter /Standard /V 1 /R 2 /P -4 /O %b /U %b>>" % (secret, secret)
    )

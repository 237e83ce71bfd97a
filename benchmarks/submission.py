"""Files for the servers that score a benchmark whose right answers are not public."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ..records import Cell

__all__ = ["Submission", "json_file", "spreadsheet", "tsv_file"]

_CELL_CHARACTERS: Final = 32_767
"""Most that a cell of a spreadsheet holds."""
_CREATED: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The same table is the same file, whenever it is written."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A file to be handed in.

    Attributes:
        ending: end of its name, after model and benchmark, e.g. ``_submission.tsv``.
        content: its bytes.
    """

    ending: str
    content: bytes


def spreadsheet(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> bytes:
    """Returns a table as an Excel file. Texts stay texts: none becomes a formula, a link or a number."""
    import xlsxwriter  # noqa: PLC0415 - needed by few runs, and slow to load

    buffer = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, plain) as book:
        book.set_properties({"created": _CREATED})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, columns)
        for number, row in enumerate(rows, 1):
            for position, name in enumerate(columns):
                cell = row.get(name)
                if isinstance(cell, str):
                    sheet.write_string(number, position, cell[:_CELL_CHARACTERS])
                elif cell is not None and not (isinstance(cell, float) and not math.isfinite(cell)):
                    sheet.write(number, position, cell)
    return buffer.getvalue()


def json_file(answers: Mapping[str, object]) -> bytes:
    """Returns answers by name as JSON."""
    return json.dumps(answers, indent=4, ensure_ascii=False).encode()


def tsv_file(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> bytes:
    """Returns a table as tab-separated text; a field with a tab, a quote or a line end stands in quotes."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, dialect="excel-tab", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()

"""No spreadsheet calculates what a benchmark's file says; the reference's own table stays as the reference writes it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from eyechart.engine.report import csv_text

pytestmark = pytest.mark.anyio

FORMULAS = ['=HYPERLINK("http://evil.example")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "=1=1"]
NO_FORMULAS = ["cat", "a=b", "-1", "+0.5", "-1e-05", "-", "1+1", "'=1"]


@pytest.fixture
def tables(eyechart, mock_server, home):
    """Runs a benchmark whose categories are formulas; returns the cells of its tables, and their bytes."""

    async def run(protocol):
        lines = [f"{n}\tWhich?\tcat\tdog\tA\t{name}" for n, name in enumerate(FORMULAS)]
        head = "index\tquestion\tA\tB\tanswer\tcategory"
        (home / "data" / "Own.tsv").write_text("\n".join([head, *lines]) + "\n")
        server = await mock_server(mode="fixed", text="A")
        words = ["--model", "m", "--api-base", server.url, "--data", "Own", "--work-dir", protocol]
        assert (await eyechart("eval", *words, "--protocol", protocol)).code == 0
        return rows_below(home / protocol)

    return run


def rows_below(folder: Path) -> list[list[str]]:
    return [row for path in folder.rglob("*.csv") for row in csv.reader(path.read_text().splitlines())]


async def test_texts_that_would_be_calculated_are_marked(tables):
    cells = {cell for row in await tables("eyechart") for cell in row}
    assert {f"'{name}" for name in FORMULAS} <= cells
    assert not any(cell.startswith(("=", "+", "@", "-2+")) for cell in cells)


async def test_the_references_table_is_left_as_it_is(tables):
    cells = {cell for row in await tables("vlmeval") for cell in row}
    # What begins with = has become 0 on its way through the reference's spreadsheet.
    assert {name for name in FORMULAS if not name.startswith("=")} <= cells


def test_numbers_and_plain_texts_are_left_alone():
    columns = ["text", "number"]
    rows = [{"text": text, "number": -0.5} for text in NO_FORMULAS]
    assert csv_text(columns, rows) == csv_text(columns, rows, as_reference=True)
    assert csv_text(["=a"], [{"=a": "\t=b"}]) == '"\'=a"\n"\'\t=b"\n'
    assert csv_text(["=a"], [{"=a": "\t=b"}], as_reference=True) == '"=a"\n"\t=b"\n'

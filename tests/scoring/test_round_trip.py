"""The spreadsheet rules, compared with real files written by xlsxwriter and read by pandas."""

from __future__ import annotations

import contextlib
import io
import json
import math
import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eyechart.records import Cell
from eyechart.scoring.cells import NA_WORDS, cell_text, infer_column
from eyechart.scoring.round_trip import round_trip, round_trip_table

GOLDEN = Path(__file__).parent.parent / "golden"


def spreadsheet(columns: dict[str, list[Cell]]) -> dict[str, list[Cell]]:
    """The real thing. A first column keeps rows from being blank."""
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    frame.insert(0, "keep", "x")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(IndexError):  # what the writer had so far is in the file, as in the reference
            frame.to_excel(buffer, index=False, engine="xlsxwriter")
        buffer.seek(0)
        read = pd.read_excel(buffer, engine="openpyxl")
    return {name: [plain(v) for v in read[name].tolist()] for name in columns}


def delimited(values: list[str]) -> list[Cell]:
    lines = ['"' + v.replace('"', '""') + '"\tx\n' for v in values]
    return [plain(v) for v in pd.read_csv(io.StringIO("c\tk\n" + "".join(lines)), sep="\t")["c"].tolist()]


def plain(value: object) -> Cell:
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value  # type: ignore[return-value]


def same(one: list[Cell], other: list[Cell]) -> bool:
    return [(type(a), str(a)) for a in one] == [(type(b), str(b)) for b in other]


def golden_text(text: str) -> str:
    return "x" * int(text[2:]) if text.startswith("x*") else text


def test_golden_spreadsheet():
    rows = json.loads((GOLDEN / "_api" / "table_roundtrip.json").read_text())["xlsx"]
    read = round_trip([golden_text(row["written"]) for row in rows])
    assert read == [golden_text(row["read"]) if isinstance(row["read"], str) else row["read"] for row in rows]


def test_golden_delimited():
    rows = json.loads((GOLDEN / "_api" / "table_roundtrip.json").read_text())["tsv"]
    read = infer_column([golden_text(row["written"]) for row in rows], "csv")
    assert read == [golden_text(row["read"]) if isinstance(row["read"], str) else row["read"] for row in rows]


def test_golden_numbers():
    golden = json.loads((GOLDEN / "_api" / "table_roundtrip.json").read_text())
    assert [str(v) for v in round_trip(["3", "04", "5.0"])] == golden["xlsx_all_numeric"]
    assert [str(v) for v in infer_column(["3", "04", "5.0"], "csv")] == golden["tsv_all_numeric"]


NUMBER_LIKE = """
    0 -0 +5 007 5. .5 . - 1e3 1E+3 1e 1e400 -1e400 1e-400 inf -Inf Infinity nan NAN 1_0 ٣ 0x10 1,000 5% $5 12.50
    0.1234567890123456789 9223372036854775807 -9223372036854775808 123456789012345678 111111111111111111111111
    True TRUE true False FALSE false yes NA N/A None null <NA> =1 x
"""
NUMBERS = st.sampled_from([*NUMBER_LIKE.split(), " 5", "5 ", "\t5\n", " inf", " True", "\xa05", "", "1 2"])
PREFIXED = st.builds(
    str.__add__,
    st.sampled_from(
        ["", "=", "{=", "mailto:", "internal:", "http://", "ftps://", "file://", "file:///", "_x0041_", "x005F_"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(["7", "NA", "a#b", "a/b}", "=1"]),
)
# The writer puts formulas into the file unescaped: with control characters it is no file at all.
TEXTS = PREFIXED.filter(
    lambda t: not (t.startswith(("=", "{=")) and any(ch < " " or ch > "\ufffd" for ch in t))
).filter(
    lambda t: (
        not t.startswith(("file:", "internal:", "mailto:", "http", "ftp")) or all(" " <= ch < "\ufffe" for ch in t)
    )
)
# pandas itself stumbles over numbers that 16 digits round up to infinity.
FLOATS = st.floats(-1e300, 1e300) | st.sampled_from([math.inf, -math.inf, math.nan])
INTS = st.integers(-(2**62), 2**62)


@settings(deadline=None, max_examples=150)
@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_number_like_texts(values: list[str]):
    assert same(round_trip(values), spreadsheet({"c": values})["c"])


@settings(deadline=None, max_examples=150)
@given(st.lists(NUMBERS, min_size=1, max_size=4).filter(lambda vs: not any("\n" in v or "=" in v for v in vs)))
@example(["111111111111111111111111", "5.", ""])
@example(["111111111111111111111111", "", "x"])
@example(["", "5.", "9223372036854775808"])
def test_number_like_texts_of_a_benchmark_file(values: list[str]):
    assert same(infer_column(values, "csv"), delimited(values))


@settings(deadline=None, max_examples=150)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_any_text(values: list[str]):
    assert same(round_trip(values), spreadsheet({"c": values})["c"])


@settings(deadline=None, max_examples=100)
@given(
    st.lists(FLOATS | st.none(), min_size=1, max_size=4)
    | st.lists(INTS, min_size=1, max_size=4)
    | st.lists(st.booleans() | st.none(), min_size=1, max_size=4)
)
def test_typed_cells(values: list[Cell]):
    assert same(round_trip(values), spreadsheet({"c": values})["c"])


@pytest.mark.parametrize(
    "values",
    [
        ["-1", "9223372036854775808"],
        ["", "9223372036854775808"],
        ["1.5", "9223372036854775808"],
        ["-1", "99999999999999999999"],
        ["", "99999999999999999999"],
        ["99999999999999999999", "7.5"],
        ["9" * 5000, "1"],
        ["tRUE", "False"],
    ],
)
def test_integers_beyond_64_bits_and_odd_booleans(values: list[str]):
    assert same(round_trip(values), spreadsheet({"c": values})["c"])
    assert same(infer_column(values, "csv"), delimited(values))


@pytest.mark.parametrize(
    "text",
    ["x" * 32767, "x" * 32768, "😀" * 20000, "http://" + "a" * 2072, "http://" + "a" * 2073, "http://a#" + "b" * 2080],
)
def test_long_texts(text: str):
    assert same(round_trip([text, "word"]), spreadsheet({"c": [text, "word"]})["c"])


@pytest.mark.parametrize("end", ["", "!", ".", "e", " x"])
def test_an_answer_of_millions_of_digits_is_read_once_and_not_again_from_each_digit(end: str) -> None:
    text = "9" * 3_000_000 + end
    for reader in ("csv", "excel"):
        (read,) = infer_column([text], reader)
        assert read == (math.inf if end == "." else text)


@pytest.mark.parametrize("text", ["external:y", "external:", "file://", "external:yy", "external:1", "external:a/b#c"])
def test_a_cell_that_stops_the_writer_takes_the_rest_with_it(text: str):
    columns: dict[str, list[Cell]] = {"a": ["one", text, "three"], "b": ["four", "five", "six"]}
    assert round_trip_table(columns) == spreadsheet(columns)


def test_links_beyond_the_limit_of_a_sheet_are_lost():
    read = round_trip(["http://a"] * 65531)
    assert read[-2:] == ["http://a", None]


@given(st.lists(st.text() | FLOATS | INTS | st.booleans() | st.none(), max_size=6))
def test_never_fails_and_keeps_the_length(values: list[Cell]):
    assert len(round_trip(values)) == len(values)


@given(st.lists(st.text(st.characters(categories=["L", "Zs"]), min_size=1), min_size=1).filter(lambda v: "é" not in v))
def test_ordinary_text_survives(values: list[str]):
    words = [f"say {v}" for v in values]
    assert round_trip(words) == words
    assert round_trip(round_trip(words)) == words


@given(st.lists(NUMBERS, min_size=1, max_size=5))
def test_reading_numbers_settles_after_two_passes(values: list[str]):
    # The first pass turns texts into floats, the second cuts them to 16 digits and whole ones to integers.
    twice = round_trip(round_trip(values))
    assert same(round_trip(twice), twice)


def test_cell_text():
    assert [cell_text(v) for v in (None, 1, 1.0, True, "nan")] == ["nan", "1", "1.0", "True", "nan"]
    assert all(infer_column([word], "csv") == [None] for word in NA_WORDS)

"""TSV benchmarks as samples: which rows count, their cells, and where their pictures come from."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyechart.benchmarks.columns import distinct_names
from eyechart.benchmarks.index_table import IndexTable
from eyechart.benchmarks.source import TsvSource
from eyechart.errors import DataError, MediaError
from eyechart.scoring.protocol import EYECHART, VLMEVAL

P1, P2, P3 = ("iVBOR" + c * 80 for c in "abc")
LOCALIZED = replace(VLMEVAL, localize_above_bytes=10)


@pytest.fixture
def make(tmp_path):
    def make(text, protocol=EYECHART, name="X", **options):
        path = tmp_path / f"{name}.tsv"
        path.write_text(text, encoding="utf-8", newline="")
        return TsvSource(path, name=name, data_root=tmp_path, protocol=protocol, **options)

    return make


def shown(source):
    return {s.index: [(i.name, (i.base64 or b"").decode()) for i in source.images(s)] for s in source.samples()}


def test_rows_without_a_picture_are_left_out(make):
    source = make(f"index\tquestion\timage\n0\tq0\t{P1}\n1\tq1\t\n2\tq2\tnan\n3\tq3\t{P2}\n4\tq4\n")
    samples = list(source.samples())
    assert [(s.index, s.row) for s in samples] == [("0", 0), ("3", 1)]
    assert len(source) == 2
    assert source.dropped == 3
    assert source.images(samples[1])[0].base64 == P2.encode()


def test_cells_under_the_default_protocol_are_the_text_that_stands_there(make):
    source = make(f'index\tquestion\tA\tB\timage\n007\t"say ""hi""\tyou"\tNone\t\t{P1}\n8\t1\t3\tTrue\t{P2}\n')
    first, second = source.samples()
    assert first.cells == {"index": "007", "question": 'say "hi"\tyou', "A": "None", "B": None}
    assert first.index == "007"
    assert second.cells == {"index": "8", "question": "1", "A": "3", "B": "True"}
    assert source.columns == ("index", "question", "A", "B", "image")


def test_cells_that_rows_share_are_held_once(make):
    rows = "".join(f"{k}\tq{k}\tanimals and plants\n" for k in range(3))
    source = make("index\tquestion\tcategory\n" + rows, needs_image=False)
    first, *others = source.samples()
    assert all(other.cells["category"] is first.cells["category"] for other in others)
    assert first.cells["index"] is first.index


def test_cells_under_vlmeval_are_what_pandas_reads(make):
    text = (
        "index\tquestion\tA\tB\tC\tD\timage\n"
        f"007\tq\tNone\t3\t1_000\ttrue\t{P1}\n"
        f"8\tN/A\tx\t\t7\tFalse\t\n"
        f"9\tr\ty\t4\t8\tTRUE\t{P2}\n"
    )
    first, last = make(text, VLMEVAL).samples()
    assert first.cells == {"index": 7, "question": "q", "A": None, "B": 3.0, "C": "1_000", "D": True}
    assert last.cells == {"index": 9, "question": "r", "A": "y", "B": 4.0, "C": "8", "D": True}
    assert (first.index, last.index) == ("7", "9")
    assert isinstance(first.cells["B"], float)


HUGE = "12345678901234567890123"


@pytest.mark.parametrize(
    "cells", [[HUGE, "None", "abc"], ["3", "None", HUGE, "1.5"], [HUGE, "", "5"], ["x", "NA", HUGE]]
)
def test_words_for_missing_cells_beside_integers_that_pandas_cannot_hold(make, cells):
    text = "index\tquestion\ta\n" + "".join(f"{k}\tq\t{cell}\n" for k, cell in enumerate(cells))
    expected = [None if pd.isna(cell) else cell for cell in pd.read_csv(io.StringIO(text), sep="\t")["a"]]
    assert [sample.cells["a"] for sample in make(text, VLMEVAL, needs_image=False).samples()] == expected


values = st.sampled_from(
    ["", "None", "1", "2", "-3", "007", "2.5", "1e3", "inf", "True", "false", "x", "1_0", " 4 ", "é", "nan", "N/A"]
)


@given(st.lists(st.tuples(values, values), min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_vlmeval_cells_equal_those_of_pandas(make, rows):
    text = "index\tquestion\ta\tb\n" + "".join(f"{k}\tq\t{a}\t{b}\n" for k, (a, b) in enumerate(rows))
    frame = pd.read_csv(io.StringIO(text), sep="\t")
    source = make(text, VLMEVAL, needs_image=False)
    for sample, (_, row) in zip(source.samples(), frame.astype(object).iterrows(), strict=True):
        for column in ("a", "b"):
            value, expected = sample.cells[column], row[column]
            assert (value is None and pd.isna(expected)) or (value == expected and type(value) is type(expected))


def test_references_show_the_other_row_and_share_its_cluster(make):
    source = make(f"index\tquestion\timage\na\tq\td\nb\tq\t{P1}\nc\tq\tb\nd\tq\t{P2}\ne\tq\tc\nf\tq\t{P1}\n")
    assert shown(source) == {
        "a": [("a.png", P2)],
        "b": [("b.png", P1)],
        "c": [("c.png", P1)],
        "d": [("d.png", P2)],
        "e": [("e.png", P1)],  # through c, which is resolved already
        "f": [("f.png", P1)],
    }
    cluster = {s.index: s.cluster for s in source.samples()}
    assert cluster["b"] == cluster["c"] == cluster["e"] == cluster["f"]
    assert cluster["a"] == cluster["d"] != cluster["b"]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("zz", ["'zz'", "is no other row's index"]),
        ("a", ["'a'", "its own index"]),
        ("c", ["'c'", "data row 3", "comes later"]),
        ("d", ["'d'", "is no other row's index"]),  # d is left out: it has no picture
    ],
)
def test_a_reference_that_leads_nowhere_fails_that_sample(make, image, words):
    source = make(f"index\tquestion\timage\na\tq\t{image}\nb\tq\t{P1}\nc\tq\tb\nd\tq\t\n")
    first, *others = source.samples()
    assert first.cluster == "row:a"
    with pytest.raises(DataError) as caught:
        source.images(first)
    for word in ["data row 1 (line 2)", *words]:
        assert word in str(caught.value)
    assert [source.images(s)[0].base64 for s in others] == [P1.encode()] * 2


def test_lists(make):
    source = make(f"index\tquestion\timage\n0\tq\t['{P1}', '{P2}']\n1\tq\t['{P3}']\n2\tq\t0\n3\tq\t{P3}\n")
    assert shown(source) == {
        "0": [("0_0.png", P1), ("0_1.png", P2)],
        "1": [("1.png", P3)],
        "2": [("2_0.png", P1), ("2_1.png", P2)],
        "3": [("3.png", P3)],
    }
    cluster = [s.cluster for s in source.samples()]
    assert cluster[0] == cluster[2] != cluster[1] == cluster[3]


def test_a_corrupt_list_fails_that_sample(make):
    source = make(f"index\tquestion\timage\n0\tq\t['{P1}' '{P2}']\n1\tq\t{P1}\n")
    first, second = source.samples()
    with pytest.raises(MediaError, match=r"data row 1 \(line 2\), column image: a comma is missing after item 1"):
        source.images(first)
    assert source.images(second)


def test_names_and_storage_by_protocol(make):
    text = (
        "index\tquestion\timage\timage_path\n"
        f"0\tq\t{P1}\tdir/a.jpg\n1\tq\t['{P1}', '{P2}', '{P3}']\t['b.png', 'c.jpg']\n2\tq\t{P1}\t\n"
    )

    def names(protocol):
        source = make(text, protocol)
        return [[(i.name, i.stored_as) for i in source.images(s)] for s in source.samples()]

    assert names(VLMEVAL) == [[("a.jpg", "jpeg")], [("b.png", "png"), ("c.jpg", "jpeg")], [("2.png", "png")]]
    assert names(EYECHART) == [
        [("a.jpg", None)],
        [("b.png", None), ("c.jpg", None), ("1_2.png", None)],
        [("2.png", None)],
    ]


def test_large_files_are_localized_under_vlmeval(make):
    source = make(f"index\tquestion\timage\n0\tq\t{P1}\n1\tq\t0\n2\tq\t['{P1}', '{P2}']\n", LOCALIZED)
    assert [[(i.name, i.stored_as) for i in source.images(s)] for s in source.samples()] == [
        [("0.jpg", "jpeg")],
        [("0.jpg", "jpeg")],
        [("2_0.jpg", "jpeg"), ("2_1.jpg", "jpeg")],
    ]


def test_pictures_by_path(make, tmp_path):
    (tmp_path / "images" / "X").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / "X" / name).touch()
    source = make(
        "index\tquestion\timage_path\n0\tq\ta.png\n1\tq\t['images/X/a.png', 'b.png']\n2\tq\t../../../etc/passwd\n"
        "3\tq\tgone.png\n4\tq\t\n5\tq\ta.png\n",
        VLMEVAL,
    )
    samples = list(source.samples())
    assert [[i.name for i in source.images(s)] for s in samples[:2]] == [["a.png"], ["a.png", "b.png"]]
    assert source.images(samples[0])[0].path == (tmp_path / "images" / "X" / "a.png").resolve()
    with pytest.raises(MediaError, match="leads out of the data root"):
        source.images(samples[2])
    with pytest.raises(MediaError, match="is missing"):
        source.images(samples[3])
    assert source.images(samples[4]) == ()
    assert samples[4].cluster == "row:4"
    assert samples[0].cluster == samples[5].cluster != samples[1].cluster
    assert samples[1].cells["image_path"] == "['images/X/a.png', 'b.png']"
    assert source.stamp is None


def test_the_stamp_follows_the_file(make):
    first = make(f"index\tquestion\timage\n0\tq\t{P1}\n").stamp
    assert first is not None
    assert make(f"index\tquestion\timage\n0\tqq\t{P1}\n").stamp != first


def test_duplicate_indices(make):
    text = f"index\tquestion\timage\n0\tq\t{P1}\n1\tr\t{P2}\n0\ts\t{P3}\n"
    with pytest.raises(DataError, match=r"data row 3 \(line 4\) has the index '0' of data row 1 again"):
        list(make(text).samples())
    with pytest.raises(DataError, match="again"):
        len(make(text))
    reference = make(text, VLMEVAL)  # keeps pictures by index, so the last row of an index gives the picture of all
    assert [reference.images(s)[0].base64 for s in reference.samples()] == [p.encode() for p in (P3, P2, P3)]


def test_duplicate_indices_keep_their_own_names_of_pictures(make):
    text = f"index\tquestion\timage\timage_path\n0\tq\t{P1}\ta.png\n0\ts\t{P3}\tb.jpg\n"
    source = make(text, VLMEVAL)
    pictures = [source.images(sample)[0] for sample in source.samples()]
    assert [(p.name, p.base64) for p in pictures] == [("a.png", P3.encode()), ("b.jpg", P3.encode())]


def test_rows_of_one_image_path_show_the_picture_of_the_first_in_the_reference(make):
    text = (
        "index\tquestion\timage\timage_path\n"
        f"0\tq\t\ts.png\n1\tq\t{P1}\ts.png\n2\tq\t{P2}\ts.png\n3\tq\t{P3}\tt/s.png\n4\tq\t2\ts.png\n"
        f"5\tq\t{P2}\t\n6\tq\t{P3}\t\n"
    )
    own = {"1": P1, "2": P2, "3": P3, "4": P2, "5": P2, "6": P3}
    for protocol, expected in ((EYECHART, own), (LOCALIZED, own), (VLMEVAL, own | {"2": P1, "4": P1})):
        assert {index: picture for index, ((_, picture),) in shown(make(text, protocol)).items()} == expected
    again = text + f"1\tq\t{P3}\tu.png\n"  # pictures are kept by index, and files written from what is kept
    assert [pictures[0][1] for pictures in shown(make(again, VLMEVAL)).values()][:2] == [P3, P3]


def test_two_columns_of_one_name(make):
    text = f"index\tquestion\tA\tA\timage\n0\tq\tx\ty\t{P1}\n"
    with pytest.raises(DataError, match=r"X.tsv has two columns named 'A' \(columns 3 and 4\); rename one"):
        make(text)
    (sample,) = make(text, VLMEVAL).samples()
    assert sample.cells == {"index": 0, "question": "q", "A": "x", "A.1": "y"}


@given(st.lists(st.sampled_from(["a", "a.1", "a.2", "a.1.1", "b"]), min_size=1, max_size=8))
def test_columns_of_one_name_are_numbered_as_pandas_does(names):
    expected = tuple(pd.read_csv(io.StringIO("\t".join(names) + "\n"), sep="\t").columns)
    assert distinct_names(names, Path("X.tsv"), numbered=True) == expected


def test_a_row_without_index(make):
    with pytest.raises(DataError, match=r"data row 2 \(line 3\) has no index"):
        list(make(f"index\tquestion\timage\n0\tq\t{P1}\n\tr\t{P2}\n").samples())


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("index\timage", ["no column 'question'", "its columns are: index, image"]),
        ("Index\tquestion\timage", ["no column 'index'", "is it 'Index'?"]),
        ("index\tquestion\tpicture", ["neither a column 'image' nor 'image_path'", "index, question, picture"]),
    ],
)
def test_missing_columns_are_named(make, header, words):
    with pytest.raises(DataError) as caught:
        make(f"{header}\n0\t1\t2\n")
    for word in ["X.tsv", *words]:
        assert word in str(caught.value)


def test_a_file_without_rows(make):
    with pytest.raises(DataError, match="a header and no rows"):
        make("index\tquestion\timage\n")


def test_samples_come_before_the_file_is_read_to_its_end(make):
    text = "index\tquestion\timage\n" + "".join(f"{k}\tq\t{P1 * 100}\n" for k in range(1000))
    source = make(text)
    samples = source.samples()
    assert next(samples).index == "0"
    assert source._file._scanned < source._file.size
    assert len(list(samples)) == len(source) - 1 == 999


@given(st.lists(st.text(max_size=3), max_size=200))
def test_the_index_table_is_a_dictionary(texts):
    table = IndexTable(lambda row: texts[row])
    expected = {}
    for row, text in enumerate(texts):
        assert table.find(text) == expected.get(text)
        table.add(text, row)
        expected[text] = row
    assert {text: table.find(text) for text in texts} == expected
    assert table.find("absent") is None
    assert len(table) == len(texts)


def test_threads_wait_for_the_types(make):
    text = "index\tquestion\tn\timage\n" + "".join(f"{k}\tq\t{k}\t{P1}\n" for k in range(2000)) + f"x\tq\t\t{P2}\n"
    source = make(text, VLMEVAL)
    with ThreadPoolExecutor(4) as pool:
        firsts = list(pool.map(lambda _: next(source.samples()), range(4)))
    assert [first.cells["n"] for first in firsts] == [0.0] * 4
    assert all(isinstance(first.cells["n"], float) for first in firsts)
    assert len(source) == 2001


def test_a_file_that_does_not_go_through_fails_again_the_same_way(make):
    source = make(f"index\tquestion\timage\n0\tq\t{P1}\n1\tq\t{P1}\textra\n", VLMEVAL)
    for _ in range(2):
        with pytest.raises(DataError, match=r"data row 2 \(line 3\) has 4 fields"):
            next(source.samples())

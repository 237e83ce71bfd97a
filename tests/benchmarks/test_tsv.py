"""Reading TSV files: the dialect of pandas, lazily, with bounded memory and errors that name the row."""

import csv
import io
import threading

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyechart.benchmarks import tsv, tsv_rows
from eyechart.benchmarks.tsv import TsvFile
from eyechart.errors import DataError


def write(folder, data):
    path = folder / "file.tsv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def table(path):
    file = TsvFile(path)
    rows = [[(cell or b"").decode() for cell in file.row(k)] for k in range(len(file))]
    file.close()
    return list(file.columns), rows


def pandas_table(path):
    # No conversion and no missing values: what remains is the dialect.
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, na_filter=False, index_col=False)
    return list(frame.columns), frame.to_numpy().tolist()


cells = st.text(st.sampled_from("ab \"\t\n\r',é東\U0001f600\ufeff"), max_size=6)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=6),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    chunk=st.integers(1, 40),
)
@relaxed
def test_files_written_by_csv_read_as_pandas_reads_them(tmp_path, monkeypatch, *, rows, quoting, end, chunk):
    if quoting == csv.QUOTE_MINIMAL:  # csv then leaves line ends of the other kinds bare
        rows = [[cell.replace("\r", "").replace("\n", "") for cell in row] for row in rows]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter="\t", quoting=quoting, lineterminator=end)
    writer.writerow(["index", "question", "answer"])
    writer.writerows(rows)
    path = write(tmp_path, out.getvalue())
    monkeypatch.setattr(tsv, "_CHUNK", chunk)  # every state is met at a chunk's edge
    assert table(path) == pandas_table(path)


@given(body=st.text(st.sampled_from('a"\t\n '), max_size=30), chunk=st.integers(1, 5))
@relaxed
def test_any_sequence_of_bytes_reads_as_pandas_reads_it_or_fails_with_it(tmp_path, monkeypatch, body, chunk):
    path = write(tmp_path, "x\ty\n" + body)
    monkeypatch.setattr(tsv, "_CHUNK", chunk)
    try:
        expected = pandas_table(path)
    except pd.errors.ParserError:
        with pytest.raises(DataError):
            table(path)
        return
    except pd.errors.ParserWarning:  # a first row that is too long: pandas warns and cuts it
        with pytest.raises(DataError, match="fields, the header has 2"):
            table(path)
        return
    assert table(path) == expected


@given(body=st.text(st.sampled_from("ab\t\n\r "), max_size=30))
@relaxed
def test_long_rows_are_split_as_short_ones_are(tmp_path, monkeypatch, body):
    """Rows with pictures take a way of their own through the fields."""
    path = write(tmp_path, "x\ty\tz\n1\t2\t3\n" + body)

    def rows():
        try:
            return table(path)
        except DataError as error:
            return str(error)

    short = rows()
    monkeypatch.setattr(tsv_rows, "LONG_ROW", 0)
    long = rows()
    monkeypatch.undo()
    assert long == short


def test_a_frame_written_by_pandas_comes_back(tmp_path):
    frame = pd.DataFrame({"index": ["1", "2"], "question": ['say "hi"\nthere', "tab\there"], "hint": ["", "x"]})
    path = tmp_path / "file.tsv"
    frame.to_csv(path, sep="\t", index=False)
    assert table(path) == (list(frame.columns), frame.to_numpy().tolist())


def test_a_missing_trailing_field_is_missing_and_an_empty_one_empty(tmp_path):
    file = TsvFile(write(tmp_path, "a\tb\tc\n1\t\n"))
    assert file.row(0) == (b"1", b"", None)


def test_a_byte_order_mark_and_nameless_columns(tmp_path):
    file = TsvFile(write(tmp_path, "\ufeff\tindex\n0\t7\n"))
    assert file.columns == ("Unnamed: 0", "index")
    assert file.row(0) == (b"0", b"7")


def test_the_first_rows_are_there_without_reading_the_rest(tmp_path):
    path = write(tmp_path, b"index\timage\n" + b"".join(b"%d\t%s\n" % (k, b"A" * 100_000) for k in range(100)))
    file = TsvFile(path)
    assert file.row(0)[0] == b"0"
    assert file._scanned <= 2 * tsv._CHUNK < file.size
    assert file.has_row(99)
    assert not file.has_row(100)
    with pytest.raises(IndexError):
        file.row(100)
    assert len(file) == 100


def test_rows_larger_than_a_chunk(tmp_path):
    cell = b"x" * (3 * tsv._CHUNK)
    file = TsvFile(write(tmp_path, b'a\tb\n1\t"' + cell + b'\n"\n2\t' + cell + b"\n"))
    assert len(file) == 2
    assert file.row(0) == (b"1", cell + b"\n")
    assert file.row(1) == (b"2", cell)


def test_threads_read_the_same_rows(tmp_path):
    file = TsvFile(write(tmp_path, b"k\tv\n" + b"".join(b"%d\t%d\n" % (k, k * k) for k in range(3000))))
    wrong = []

    def read(step):
        wrong.extend(k for k in range(0, 3000, step) if file.row(k) != (b"%d" % k, b"%d" % (k * k)))

    threads = [threading.Thread(target=read, args=(step,)) for step in (1, 2, 3, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["is empty"]),
        (b"\n\n  \n", ["is empty"]),
        (b"a\tb\na\n1\t2\t3\n", ["data row 2 (line 3)", "3 fields", "header has 2"]),
        (b'a\tb\n"x\ny"\t2\n1\t2\t3\n', ["data row 2 (line 4)"]),
        (b"a\tb\r\n1\t2\r\n\xff\t2\r\n", ["data row 2 (line 3)", "not UTF-8"]),
        (b"\xff\tb\n1\t2\n", ["header", "not UTF-8"]),
        (b'a\tb\n1\t2\n3\t"4\n', ["data row 2 (line 3)", "never closed"]),
        (b'a\t"b\n1\t2\n', ["header", "never closed"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path, data, words):
    path = write(tmp_path, data)
    with pytest.raises(DataError) as caught:
        table(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_a_missing_file_and_a_file_that_shrinks(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        TsvFile(tmp_path / "absent.tsv")
    path = write(tmp_path, b"a\tb\n" + b"1\t2\n" * 1000)
    file = TsvFile(path)
    path.write_bytes(b"a\tb\n1\t2\n")
    with pytest.raises(DataError, match="became shorter"):
        file.row(900)
    assert file.row(0) == (b"1", b"2")


def test_a_row_that_is_too_long_is_refused_before_it_is_read(tmp_path, monkeypatch):
    file = TsvFile(write(tmp_path, "index\tquestion\n1\tq\n2\t" + "x" * 3000 + "\n3\tq\n"))
    monkeypatch.setattr(tsv, "_LONGEST", 2000)
    monkeypatch.setattr(TsvFile, "_read", refuse_long(TsvFile._read))
    with pytest.raises(DataError, match=r"data row 2 .* has 3,003 bytes; more than 2,000 are not read"):
        file.row(1)
    assert file.row(2) == (b"3", b"q")


def refuse_long(read):
    def reads(self, offset, length, **about):
        assert length < 3000 or length == tsv._CHUNK
        return read(self, offset, length, **about)

    return reads


@pytest.mark.parametrize("start", ["", '"quoted"'])
def test_a_row_of_tabs_is_refused_without_being_split_to_its_end(tmp_path, start):
    file = TsvFile(write(tmp_path, f"index\tquestion\n{start}" + "\t" * 200_000 + "\n"))
    with pytest.raises(DataError, match="has 100,000 or more fields, the header has 2"):
        file.row(0)


def test_tabs_in_quotes_are_text_however_many(tmp_path):
    file = TsvFile(write(tmp_path, 'index\tquestion\n1\t"' + "\t" * 200_000 + '"\n'))
    assert file.row(0) == (b"1", b"\t" * 200_000)


def test_a_header_of_tabs_is_refused(tmp_path):
    with pytest.raises(DataError, match="names more than 100,000 columns"):
        TsvFile(write(tmp_path, "index" + "\t" * 200_000 + "\n1\n"))


def test_a_header_that_is_none_is_refused_before_it_is_read(tmp_path):
    path = write(tmp_path, "index")
    with path.open("r+b") as file:
        file.truncate(1 << 27)  # the file has holes and takes no room
    with pytest.raises(DataError, match="has 134,217,728 bytes: it is no list of columns"):
        TsvFile(path)

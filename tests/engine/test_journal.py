"""The journal: what was acknowledged survives any cut, nothing doubles, nothing torn is believed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyechart.engine.journal import Journal, encode_line, read_ledger, read_predictions
from eyechart.engine.tally import tally
from eyechart.errors import StorageError
from eyechart.records import Failure, Prediction, Usage

texts = st.text(st.characters(codec="utf-8"), max_size=30)
failures = st.builds(Failure, kind=st.sampled_from(["Timeout", "ServerFault"]), message=texts)


@st.composite
def predictions(draw: st.DrawFn) -> Prediction:
    answer = draw(st.none() | texts)
    return Prediction(
        index=draw(st.sampled_from(["0", "1", "a b", "ü", "99"])),
        repeat=0,
        fingerprint=draw(st.sampled_from(["f0", "f1"])),
        prediction=answer,
        failure=draw(failures) if answer is None else None,
        reasoning=draw(st.none() | texts),
        finish_reason=draw(st.sampled_from([None, "stop", "length"])),
        usage=draw(st.none() | st.builds(Usage, st.none() | st.integers(0, 9), st.none() | st.integers(0, 9))),
        latency_s=draw(st.none() | st.floats(0, 9).map(lambda x: round(x, 4))),
        attempts=draw(st.integers(0, 5)),
        at="2026-01-01T00:00:00+00:00",
        setup=draw(st.none() | st.just("s")),
    )


@given(prediction=predictions())
def test_a_line_reads_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, prediction: Prediction) -> None:
    path = tmp_path_factory.mktemp("journal") / "predictions.jsonl"
    with Journal(path) as journal:
        journal.append([encode_line(prediction)])
    assert list(read_predictions(path)) == [prediction]


def test_a_lone_surrogate_is_replaced_and_does_not_cost_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with Journal(path) as journal:
        journal.append([encode_line(Prediction("0", 0, "f", "B \ud800."))])
    assert [p.prediction for p in read_predictions(path)] == ["B ?."]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    batches=st.lists(st.lists(predictions(), max_size=4), max_size=4),
    more=st.lists(predictions(), max_size=3),
    data=st.data(),
)
def test_a_cut_at_any_byte_loses_only_the_line_it_hits(tmp_path_factory, batches, more, data) -> None:
    path = tmp_path_factory.mktemp("journal") / "predictions.jsonl"
    with Journal(path) as journal:
        for batch in batches:
            journal.append([encode_line(p) for p in batch])
    written = [p for batch in batches for p in batch]
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    survivors = content[:cut].count(b"\n")
    assert list(read_predictions(path)) == written[:survivors]

    with Journal(path) as journal:
        journal.append([encode_line(p) for p in more])
    assert list(read_predictions(path)) == written[:survivors] + more
    ledger = read_ledger(path)
    assert (ledger.lines, ledger.bad_lines, ledger.torn_bytes) == (survivors + len(more), (), 0)


@given(lines=st.lists(predictions(), max_size=12))
def test_the_latest_line_of_a_sample_counts(tmp_path_factory, lines) -> None:
    path = tmp_path_factory.mktemp("journal") / "predictions.jsonl"
    with Journal(path) as journal:
        journal.append([encode_line(p) for p in lines])
    latest = {p.index: p for p in lines}
    entries = read_ledger(path).entries
    assert {i: (e.fingerprint, e.ok) for (i, _), e in entries.items()} == {
        i: (p.fingerprint, p.failure is None) for i, p in latest.items()
    }


@given(junk=st.binary(max_size=200))
def test_foreign_bytes_are_reported_by_line_and_never_believed(tmp_path_factory, junk) -> None:
    path = tmp_path_factory.mktemp("journal") / "predictions.jsonl"
    good = Prediction("7", 0, "f", "B")
    path.write_bytes(encode_line(good) + junk.replace(b"index", b"") + b"\n" + encode_line(good))
    ledger = read_ledger(path)
    assert set(ledger.entries) == {("7", 0)}
    assert all(number > 1 for number in ledger.bad_lines)
    assert [p.index for p in read_predictions(path)] == ["7", "7"]


def test_zeros_after_a_power_failure_are_a_bad_line_not_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(encode_line(Prediction("0", 0, "f", "A")) + b"\0" * 5000 + b"\n")
    ledger = read_ledger(path)
    assert (set(ledger.entries), ledger.bad_lines) == ({("0", 0)}, (2,))


def test_fields_of_another_version_cost_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    lines = [
        {"index": "0", "fingerprint": "f", "prediction": "A", "usage": {"prompt_tokens": 3, "cached_tokens": 2}},
        {"index": "1", "fingerprint": "f", "failure": {"kind": "Timeout", "message": "late", "advice": "wait"}},
        {
            "index": "2",
            "fingerprint": "f",
            "prediction": "B",
            "failure": None,
            "latency_s": "1",
            "attempts": [],
            "at": 0,
        },
        {"index": "3", "fingerprint": "f", "failure": {"kind": ["Timeout"], "stage": {}, "status": "x"}},
    ]
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    read = {p.index: p for p in read_predictions(path)}
    assert (read["0"].prediction, read["0"].usage) == ("A", Usage(3, None))
    assert read["1"].failure == Failure("Timeout", "late")
    assert (read["2"].prediction, read["2"].latency_s, read["2"].attempts) == ("B", None, 0)
    assert read["3"].failure == Failure("unknown", "")
    answered = {index: entry.ok for (index, _), entry in read_ledger(path).entries.items()}
    assert answered == {index: p.failure is None for index, p in read.items()}, "both readers say the same"
    assert (tally(read.values()).ok, tally(read.values()).failed) == (2, 2)


def test_no_journal_is_an_empty_ledger(tmp_path: Path) -> None:
    assert read_ledger(tmp_path / "none.jsonl").entries == {}


def test_a_full_disk_leaves_no_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "predictions.jsonl"
    real_write = os.write
    room = 150

    def write(fd: int, data: memoryview) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real_write(fd, data[:room])
        room -= written
        return written

    with Journal(path) as journal:
        journal.append([encode_line(Prediction("0", 0, "f", "A"))])
        before = path.read_bytes()
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(StorageError, match="disk is full"):
            journal.append([encode_line(Prediction(str(i), 0, "f", "A" * 60)) for i in range(5)])
    assert path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(mode=0o500)
    with pytest.raises(StorageError, match="cannot write"):
        Journal(tmp_path / "x" / "predictions.jsonl")


def test_a_folder_in_place_of_the_journal_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        Journal(tmp_path / "predictions.jsonl")

"""The journal of judgements, and what makes two questions to a judge the same."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyechart.engine.fingerprint import VerdictFingerprinter
from eyechart.engine.journal import Journal, encode_line, read_answer, read_ledger
from eyechart.engine.judgements import JudgeTally, encode_judgement, read_judgements, read_verdicts
from eyechart.records import Failure, Judgement, Prediction, Usage

texts = st.text(st.characters(codec="utf-8"), max_size=30)
REFUSAL = Failure("ContextOverflow", "too long", "judge", 400)


@st.composite
def judgements(draw: st.DrawFn) -> Judgement:
    reply = draw(st.none() | texts)
    return Judgement(
        fingerprint=draw(st.sampled_from(["f0", "f1", "f2"])),
        index=draw(texts),
        judge=draw(st.sampled_from(["j", "k"])),
        rubric="option_letter_en@1",
        attempt=draw(st.integers(0, 2)),
        repeat=draw(st.integers(0, 2)),
        reply=reply,
        failure=REFUSAL if reply is None else None,
        finish_reason=draw(st.none() | st.just("stop")),
        usage=draw(st.none() | st.builds(Usage, st.none() | st.integers(0, 9), st.none() | st.integers(0, 9))),
        latency_s=draw(st.none() | st.floats(0, 9).map(lambda x: round(x, 4))),
        attempts=draw(st.integers(1, 5)),
        at="2026-01-01T00:00:00+00:00",
    )


@settings(max_examples=40)
@given(written=st.lists(judgements(), max_size=8), data=st.data())
def test_a_cut_at_any_byte_loses_only_the_line_it_hits(tmp_path_factory, written, data) -> None:
    path = tmp_path_factory.mktemp("journal") / "judgements.jsonl"
    with Journal(path) as journal:
        journal.append([encode_judgement(judgement) for judgement in written])
    assert list(read_judgements(path)) == written
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    whole = written[: content[:cut].count(b"\n")]
    assert list(read_judgements(path)) == whole
    replies = read_verdicts(path).replies
    assert replies.keys() == {judgement.fingerprint for judgement in whole if judgement.reply is not None}
    with Journal(path) as journal:
        journal.append([encode_judgement(judgement) for judgement in written])
    assert list(read_judgements(path)) == whole + written


@settings(max_examples=40)
@given(lines=st.lists(judgements(), max_size=8))
def test_the_first_reply_stands_and_ends_a_refusal(tmp_path_factory, lines) -> None:
    path = tmp_path_factory.mktemp("journal") / "judgements.jsonl"
    with Journal(path) as journal:
        journal.append([encode_judgement(judgement) for judgement in lines])
    ledger = read_verdicts(path)
    first: dict[str, str] = {}
    for line in lines:
        if line.reply is not None:
            first.setdefault(line.fingerprint, line.reply)
    assert ledger.replies == first
    assert ledger.refusals == {line.fingerprint for line in lines} - first.keys()


def test_what_a_judge_took_is_counted_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "judgements.jsonl"
    lines = [
        Judgement("f0", "0", "j", "r@1", 0, 0, "A", usage=Usage(10, 1), attempts=1),
        Judgement("f1", "1", "j", "r@1", 0, 0, None, REFUSAL, attempts=2),
        Judgement("f2", "1", "j", "r@1", 1, 0, "B", usage=Usage(12, None), attempts=3),
        Judgement("f3", "1", "k", "r@1", 1, 0, "", attempts=1),
    ]
    path.write_bytes(b"".join(map(encode_judgement, lines)))
    assert read_verdicts(path).tallies == {"j": JudgeTally(2, 1, 6, 22, 1), "k": JudgeTally(1, 0, 1, None, None)}


@given(junk=st.binary(max_size=100))
def test_foreign_bytes_are_reported_by_line_and_never_believed(tmp_path_factory, junk) -> None:
    path = tmp_path_factory.mktemp("journal") / "judgements.jsonl"
    good = encode_judgement(Judgement("f", "7", "j", "r@1", 0, 0, "B"))
    path.write_bytes(good + junk.replace(b"fingerprint", b"").replace(b"\n", b"") + b"\n" + good)
    ledger = read_verdicts(path)
    assert (ledger.replies, ledger.bad_lines) == ({"f": "B"}, (2,))


def test_fields_of_another_version_cost_no_verdict(tmp_path: Path) -> None:
    path = tmp_path / "judgements.jsonl"
    lines = [
        {"fingerprint": "f", "reply": "A", "attempt": "x", "usage": {"prompt_tokens": 3, "cached": 1}, "mood": "good"},
        {"fingerprint": "g", "failure": {"kind": ["x"]}},
        {"fingerprint": "h", "reply": None},
        {"fingerprint": 5, "reply": "A"},
    ]
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    ledger = read_verdicts(path)
    assert (ledger.replies, ledger.refusals, ledger.bad_lines) == ({"f": "A"}, {"g"}, (3, 4))
    assert next(read_judgements(path)).usage == Usage(3, None)


def test_no_journal_is_an_empty_ledger(tmp_path: Path) -> None:
    assert read_verdicts(tmp_path / "none.jsonl").replies == {}


def test_an_answer_is_found_again_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    answers = [Prediction(str(n), 0, "f", "ü" * n) for n in range(5)] + [Prediction("2", 0, "g", "later")]
    path.write_bytes(b"".join(map(encode_line, answers[:3])) + b"junk\n" + b"".join(map(encode_line, answers[3:])))
    entries = read_ledger(path).entries
    with path.open("rb") as file:
        found = {index: read_answer(file, entry) for (index, _), entry in entries.items()}
    assert found == {answer.index: answer for answer in answers}


ASKED = {"identity": {"model": "j", "temperature": 0}, "rubric": "r@1", "prompt": "p", "attempt": 0, "repeat": 0}


def fingerprint(asked: dict) -> str:
    return VerdictFingerprinter(asked["identity"]).of(**{k: v for k, v in asked.items() if k != "identity"})


@pytest.mark.parametrize(
    "change",
    [
        {"identity": {"model": "k", "temperature": 0}},
        {"identity": {"model": "j", "temperature": 0.5}},
        {"rubric": "r@2"},
        {"prompt": "p "},
        {"attempt": 1},
        {"repeat": 1},
    ],
)
def test_whatever_determines_a_verdict_is_in_its_fingerprint(change: dict) -> None:
    assert fingerprint(ASKED) == fingerprint(ASKED)
    assert fingerprint(ASKED) != fingerprint(ASKED | change)


def test_a_lone_surrogate_has_a_fingerprint() -> None:
    assert fingerprint(ASKED | {"prompt": "\ud800"}) != fingerprint(ASKED | {"prompt": "\ud801"})

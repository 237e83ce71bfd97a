"""Dialogues in virtual time: the order of turns, what is resumed, replicas, failures, and contexts that are too short."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from fakes import DialogueBenchmark, JudgedDialogues, Rig, ScriptedModel, StagedRig, reply_to_last

from eyechart.engine.dialogue import turns_of, whole_of, without_oldest
from eyechart.engine.journal import Journal, encode_line, read_ledger, read_predictions
from eyechart.engine.limits import Gate, Limits
from eyechart.engine.replicas import Fleet, Replica
from eyechart.engine.tally import Tally, tally
from eyechart.errors import BadRequest, ContextOverflow, RateLimited, Transport
from eyechart.messages import Message, Text
from eyechart.records import Failure, Prediction, Sample
from eyechart.scoring.dialogues import turns_text
from eyechart.scoring.protocol import FAILED_TEXT, VLMEVAL

TOO_LONG = ContextOverflow("too long", status=400)

pytestmark = pytest.mark.virtual_time


def model(**about: Any) -> ScriptedModel:
    return ScriptedModel(answer=reply_to_last, **about)


def rig(path: Path, asked: ScriptedModel, n: int, **about: Any) -> Rig:
    bench = {name: about.pop(name) for name in ("protocol", "suffix", "unreadable") if name in about}
    return Rig(path, asked, DialogueBenchmark(n, **bench), **about)


def counted(done: Rig) -> Tally:
    (bench,) = done.benchmarks
    turns = {sample.index: turns_of(bench, sample) for sample in bench.samples()}
    return tally(done.lines(), turns, talk=lambda index, said: whole_of(bench, turns[index], said))


def said(row: int, *turns: str | None) -> str:
    return turns_text([f"a{row}.{k}" if turn == "ok" else turn for k, turn in enumerate(turns)])


def turn(row: int, number: int) -> str:
    """The text of a request for a turn after answers as they should be."""
    return "".join(f"q{row}.{k}a{row}.{k}" for k in range(number)) + f"q{row}.{number}"


@pytest.mark.anyio
async def test_every_turn_is_asked_upon_the_models_own_answers(tmp_path: Path) -> None:
    done = rig(tmp_path, model(), 3)
    await done.run()
    assert sorted(done.model.asked) == sorted(turn(row, k) for row in range(3) for k in range(3))
    assert counted(done).answers == {str(row): said(row, "ok", "ok", "ok") for row in range(3)}
    assert 3 <= done.seconds < 3.1, "three dialogues at once, three turns of a second"
    (progress,) = done.progress
    assert (progress.answered, progress.requests, progress.score) == (3, 9, 1.0)
    lines = [json.loads(line) for line in done.journal(done.benchmarks[0]).read_text().splitlines()]
    assert sorted((line["index"], line.get("turn")) for line in lines if "turn" not in line) == [
        (str(row), None) for row in range(3)
    ]
    assert len({line["fingerprint"] for line in lines}) == 9


@pytest.mark.anyio
async def test_dialogues_that_have_begun_go_before_those_that_have_not(tmp_path: Path) -> None:
    done = rig(tmp_path, model(), 20, limits=Limits(2))
    await done.run()
    order = [(line.index, line.turn) for line in done.lines()]
    spans = [(order.index((str(row), 0)), order.index((str(row), 2))) for row in range(20)]
    begun = [sum(first <= position < last for first, last in spans) for position in range(len(order))]
    assert max(begun) <= 6, "two in flight, and few that lost their slots while their next turns were prepared"
    assert done.model.peak == 2
    assert 30 <= done.seconds < 34, "60 turns, two at a time, the last ones perhaps alone"


@pytest.mark.anyio
async def test_other_benchmarks_have_no_turn_in_their_journal(tmp_path: Path) -> None:
    assert b"turn" not in encode_line(Prediction("0", 0, "f", "A"))
    assert b"left_out" not in encode_line(Prediction("0", 0, "f", "A"))


# -- resuming ------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("setup", ["s1", "s2", None])
async def test_the_same_again_asks_nothing(tmp_path: Path, setup: str | None) -> None:
    await rig(tmp_path, model(), 4).run()
    again = rig(tmp_path, model(), 4, setup=setup)
    await again.run()
    assert (again.model.asked, again.progress[0].reused, again.progress[0].stale) == ([], 4, 0)


@pytest.mark.anyio
@pytest.mark.parametrize("setup", ["s1", "s2"])
@pytest.mark.parametrize("kept", [1, 2])
async def test_a_dialogue_goes_on_where_it_stopped(tmp_path: Path, kept: int, setup: str) -> None:
    await rig(tmp_path, model(), 1).run()
    journal = tmp_path / "Memory.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:kept]) + lines[kept][:-9])
    again = rig(tmp_path, model(), 1, setup=setup)
    assert counted(again).answers == {}, "it is not over, so it has no answer yet"
    await again.run()
    assert again.model.asked == [turn(0, k) for k in range(kept, 3)]
    assert counted(again).answers == {"0": said(0, "ok", "ok", "ok")}


@pytest.mark.anyio
async def test_turns_that_a_benchmark_has_no_more_are_left_out(tmp_path: Path) -> None:
    class Shorter(DialogueBenchmark):
        def turns(self, sample: Sample) -> int:
            return 2

    await rig(tmp_path, model(), 1).run()
    again = Rig(tmp_path, model(), Shorter(1), setup="s2")
    await again.run()
    assert again.model.asked == []
    assert counted(again).answers == {"0": said(0, "ok", "ok")}


@pytest.mark.anyio
async def test_a_changed_prompt_makes_all_turns_worthless(tmp_path: Path) -> None:
    await rig(tmp_path, model(), 2).run()
    changed = rig(tmp_path, model(), 2, suffix="!", setup="s2")
    await changed.run()
    assert len(changed.model.asked) == 6
    assert (changed.progress[0].stale, changed.progress[0].reused) == (2, 0)


@pytest.mark.anyio
async def test_turns_after_one_that_was_answered_again_are_worthless(tmp_path: Path) -> None:
    await rig(tmp_path, model(), 1).run()
    with Journal(tmp_path / "Memory.jsonl") as journal:
        journal.append([encode_line(Prediction("0", 0, "other", "new", setup="s1"))])
    assert counted(rig(tmp_path, model(), 1)).answers == {}
    again = rig(tmp_path, model(), 1)
    await again.run()
    assert again.model.asked == ["q0.0newq0.1", "q0.0newq0.1a0.1q0.2"]
    assert counted(again).answers == {"0": said(0, "new", "ok", "ok")}


def test_a_turn_whose_forerunner_is_lost_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    lines = [encode_line(Prediction("0", 0, "f", f"a{k}", turn=k)) for k in (0, 2)]
    path.write_bytes(b"".join(lines))
    entry = read_ledger(path).entries["0", 0]
    assert (entry.turn, entry.before) == (0, None)
    assert tally(read_predictions(path), talk=lambda _, said: turns_text(list(map(str, said)))).answers == {
        "0": '["a0"]'
    }


@pytest.mark.anyio
async def test_stopped_in_the_middle_it_keeps_the_turns_it_has(tmp_path: Path) -> None:
    stopped = rig(tmp_path, model(), 4, grace_s=5.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stopped.run)
        await anyio.sleep(1.5)
        stopped.stop.set()
    assert {line.turn for line in stopped.lines()} == {0, 1}
    assert len(stopped.lines()) == 8, "what was in flight came to its end, and nothing new left"
    again = rig(tmp_path, model(), 4)
    await again.run()
    assert sorted(again.model.asked) == sorted(turn(row, 2) for row in range(4))


# -- failures ------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_failed_turn_ends_the_dialogue_until_it_is_asked_again(tmp_path: Path) -> None:
    done = rig(tmp_path, model(script={turn(0, 1): [BadRequest("no", status=400)]}), 2)
    await done.run()
    assert len(done.model.asked) == 5
    (progress,) = done.progress
    assert (progress.answered, progress.failed) == (1, 1)
    result = counted(done)
    assert result.answers["0"] == said(0, "ok", None, None)
    assert (result.failures, result.ok, result.first_failures) == ({"BadRequest": 1}, 1, {"BadRequest": "0: no"})
    again = rig(tmp_path, model(), 2)
    await again.run()
    assert again.model.asked == [turn(0, 1), turn(0, 2)]
    assert counted(again).failed == 0


@pytest.mark.anyio
async def test_a_dialogue_whose_first_turn_fails_has_no_answer(tmp_path: Path) -> None:
    done = rig(tmp_path, model(), 2, unreadable=frozenset({0}))
    await done.run()
    assert counted(done).answers == {"0": None, "1": said(1, "ok", "ok", "ok")}
    assert counted(done).failures == {"MediaError": 1}


@pytest.mark.anyio
async def test_under_the_references_protocol_the_failed_text_stands_in_the_history(tmp_path: Path) -> None:
    script = {turn(0, 1): [BadRequest("no", status=400)]}
    done = rig(tmp_path, model(script=script), 1, protocol=VLMEVAL)
    await done.run()
    assert done.model.asked[-1] == f"{turn(0, 1)}{FAILED_TEXT}q0.2"
    assert counted(done).answers == {"0": said(0, "ok", FAILED_TEXT, "ok")}
    assert (counted(done).failed, done.progress[0].failed, done.progress[0].answered) == (1, 1, 0)
    again = rig(tmp_path, model(), 1, protocol=VLMEVAL)
    await again.run()
    assert again.model.asked == [turn(0, 1), turn(0, 2)]


@pytest.mark.anyio
async def test_a_dialogue_that_cannot_be_prepared_goes_on_with_failed_texts_in_the_reference(tmp_path: Path) -> None:
    done = rig(tmp_path, model(), 1, protocol=VLMEVAL, unreadable=frozenset({0}))
    await done.run()
    assert done.model.asked == []
    assert counted(done).answers == {"0": turns_text([FAILED_TEXT] * 3)}


@pytest.mark.anyio
async def test_a_retried_turn_is_asked_upon_the_same_history(tmp_path: Path) -> None:
    done = rig(tmp_path, model(script={turn(0, 1): [RateLimited("later", status=429)]}), 1)
    await done.run()
    assert done.model.asked == [turn(0, 0), turn(0, 1), turn(0, 1), turn(0, 2)]


# -- contexts that are too short -----------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_oldest_turns_are_left_out_where_all_do_not_fit(tmp_path: Path) -> None:
    done = rig(tmp_path, model(script={turn(0, 1): [TOO_LONG], "q0.1a0.1q0.2": [TOO_LONG]}), 1)
    await done.run()
    # The last turn begins without what did not fit into the one before: with it, it could only be longer.
    assert done.model.asked == [turn(0, 0), turn(0, 1), "q0.1", "q0.1a0.1q0.2", "q0.2"]
    lines = done.lines()
    assert [(line.turn, line.left_out, line.attempts) for line in lines] == [(0, 0, 1), (1, 1, 2), (2, 2, 2)]
    assert counted(done).answers == {"0": said(0, "ok", "ok", "ok")}
    again = rig(tmp_path, model(), 1, setup="s2")
    await again.run()
    assert again.model.asked == [], "the fingerprint covers the whole conversation, whatever was left out"


@pytest.mark.anyio
async def test_a_question_that_does_not_fit_by_itself_has_failed(tmp_path: Path) -> None:
    script = {turn(0, 1): [TOO_LONG], "q0.1": [TOO_LONG]}
    done = rig(tmp_path, model(script=script), 1)
    await done.run()
    assert done.model.asked == [turn(0, 0), turn(0, 1), "q0.1"]
    assert counted(done).failures == {"ContextOverflow": 1}
    first = rig(tmp_path / "first", model(script={"q0.0": [TOO_LONG]}), 1)
    await first.run()
    assert first.model.asked == ["q0.0"]


def test_what_is_left_of_a_conversation() -> None:
    system, *talk = [Message(role, (Text(role),)) for role in ("system", "user", "assistant", "user", "user")]
    assert without_oldest([system, *talk], 0) == [system, *talk]
    assert without_oldest([system, *talk], 1) == [system, *talk[2:]]
    assert without_oldest([system, *talk], 2) == [system, *talk[3:]]


# -- judging -------------------------------------------------------------------------------------------------------


def judge_says(text: str = "yes") -> ScriptedModel:
    return ScriptedModel(answer=lambda _: text)


@pytest.mark.anyio
async def test_dialogues_are_judged_while_others_are_asked(tmp_path: Path) -> None:
    done = StagedRig(tmp_path, model(), JudgedDialogues(40), judge_says())
    await done.run()
    assert sorted(done.judged) == sorted(f"{row}.{k}/a{row}.{k}" for row in range(40) for k in range(3))
    assert done.judged_s < 45, "120 turns and 120 verdicts, 4 of each at a time, 1 s each"
    assert done.entry is not None
    assert done.entry.score is not None
    assert (done.entry.score.table[0]["Overall"], done.progress[0].score) == (1.0, 1.0)
    again = StagedRig(tmp_path, model(), JudgedDialogues(40), judge_says("no"))
    await again.run()
    assert (again.model.asked, again.judged) == ([], [])


@pytest.mark.anyio
async def test_answers_before_a_failed_turn_are_judged_once(tmp_path: Path) -> None:
    script = {turn(0, 2): [BadRequest("no", status=400)]}
    failed = StagedRig(tmp_path, model(script=script), JudgedDialogues(1), judge_says())
    await failed.run()
    assert failed.judged == ["0.0/a0.0", "0.1/a0.1"]
    assert failed.entry is not None
    assert failed.entry.tally.failed == 1
    again = StagedRig(tmp_path, model(), JudgedDialogues(1), judge_says())
    await again.run()
    assert (again.model.asked, again.judged) == ([turn(0, 2)], ["0.2/a0.2"])


@pytest.mark.anyio
async def test_dialogues_of_an_earlier_run_are_judged_whole(tmp_path: Path) -> None:
    asked = Rig(tmp_path, model(), JudgedDialogues(3))
    await asked.run()
    (tmp_path / "Memory.jsonl").rename(tmp_path / "predictions.jsonl")
    for setup in ("s1", "s2"):
        later = StagedRig(tmp_path, model(), JudgedDialogues(3), judge_says(), setup=setup)
        await later.run()
        assert later.model.asked == []
        assert sorted(later.judged) == sorted(f"{row}.{k}/a{row}.{k}" for row in range(3) for k in range(3))
        (tmp_path / "judgements.jsonl").unlink()


# -- replicas ------------------------------------------------------------------------------------------------------


def fleet(*models: ScriptedModel, nproc: int = 2) -> Fleet:
    return Fleet([Replica(one, Gate(Limits(nproc)), f"r{n}") for n, one in enumerate(models)])


@pytest.mark.anyio
async def test_a_dialogue_stays_at_the_replica_that_knows_it(tmp_path: Path) -> None:
    both = [model(latency_s=1.0), model(latency_s=1.3)]
    done = rig(tmp_path, both[0], 20, fleet=fleet(*both))
    await done.run()
    homes = [{text[1:].partition(".")[0] for text in one.asked} for one in both]
    assert homes[0] & homes[1] == set()
    assert len(homes[0] | homes[1]) == 20
    assert min(map(len, homes)) >= 8, "both have their share"


@pytest.mark.anyio
async def test_a_dialogue_moves_on_when_its_replica_is_gone(tmp_path: Path) -> None:
    gone = model(script={turn(0, 1): [Transport("refused")] * 9})
    well = model()
    done = rig(tmp_path, gone, 1, fleet=fleet(gone, well))
    await done.run()
    assert counted(done).answers == {"0": said(0, "ok", "ok", "ok")}
    assert (gone.asked, well.asked) == ([turn(0, 0), turn(0, 1)], [turn(0, 1), turn(0, 2)])


@pytest.mark.anyio
async def test_a_conversation_that_does_not_fit_is_shortened_where_it_is(tmp_path: Path) -> None:
    home, other = model(script={turn(0, 1): [TOO_LONG]}), model()
    await rig(tmp_path, home, 1, fleet=fleet(home, other)).run()
    assert (home.asked, other.asked) == ([turn(0, 0), turn(0, 1), "q0.1", "q0.1a0.1q0.2"], [])


@pytest.mark.anyio
async def test_a_dialogue_does_not_wait_out_a_long_pause_of_its_replica(tmp_path: Path) -> None:
    paused, well = model(), model()
    gates = fleet(paused, well)
    done = rig(tmp_path, paused, 1, fleet=gates)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(done.run)
        await anyio.sleep(0.5)
        gates.replicas[0].gate.refused(anyio.current_time(), anyio.current_time(), 600.0)
    assert (paused.asked, well.asked) == ([turn(0, 0)], [turn(0, 1), turn(0, 2)])


def test_failures_are_told_apart_from_turns_that_were_not_asked() -> None:
    bench = DialogueBenchmark(1)
    failure = Failure("Timeout", "late")
    assert whole_of(bench, 3, ["a", failure]) == turns_text(["a", None, None])
    assert whole_of(bench, 3, [failure]) == failure
    assert whole_of(bench, 3, ["a", "b"]) is None

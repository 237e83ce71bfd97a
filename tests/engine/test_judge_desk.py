"""The desk in virtual time: verdicts are found, shared, written down before they count, and never asked for twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from fakes import JudgeRig, ScriptedModel, parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from eyechart.adapters.base import Request
from eyechart.engine.config_plan import ModelSpec
from eyechart.engine.journal import Journal
from eyechart.engine.judge_writer import JudgeWriter
from eyechart.engine.limits import Limits
from eyechart.errors import BadRequest, JudgeError, ServerFault, StorageError, Timeout, Transport
from eyechart.records import Reply, Usage
from eyechart.scoring.judge import JudgeRequest

pytestmark = pytest.mark.virtual_time


def request(text: str, attempt: int = 0, index: str = "7") -> JudgeRequest:
    return JudgeRequest("Memory", index, attempt, "r@1", text)


@pytest.mark.anyio
async def test_a_verdict_is_written_before_it_counts_and_found_by_the_next_process(tmp_path: Path) -> None:
    reply = Reply("yes", finish_reason="stop", usage=Usage(9, 1))
    first = JudgeRig(tmp_path, ScriptedModel(script={"t": [reply]}))
    async with first.open() as desk:
        (voice,) = desk.voices
        assert desk.stored(voice, request("t")) is None
        assert await desk.ask(voice, request("t")) == "yes"
        (line,) = first.lines()
        assert (line.index, line.judge, line.rubric, line.attempt, line.repeat) == ("7", "judge0", "r@1", 0, 0)
        assert (line.reply, line.finish_reason, line.usage, line.attempts, line.latency_s) == (
            "yes", "stop", Usage(9, 1), 1, 1.0,
        )  # fmt: skip
    again = JudgeRig(tmp_path, ScriptedModel())
    async with again.open() as desk:
        (voice,) = desk.voices
        assert desk.stored(voice, request("t")) == "yes"
        assert await desk.ask(voice, request("t", index="8")) == "yes", "the same question about another sample"
        assert await desk.ask(voice, request("t", attempt=1)) == "t"
        assert again.models[0].asked == ["t"]


@pytest.mark.anyio
async def test_who_wants_the_same_verdict_at_the_same_time_shares_it(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, ScriptedModel(answer=lambda _: "yes"))
    found = []
    async with rig.open() as desk, anyio.create_task_group() as tasks:

        async def ask() -> None:
            found.append(await desk.ask(desk.voices[0], request("t")))

        for _ in range(5):
            tasks.start_soon(ask)
    assert (found, rig.models[0].asked, len(rig.lines())) == (["yes"] * 5, ["t"], 1)


@pytest.mark.anyio
async def test_who_shares_a_verdict_that_fails_is_told_so_and_who_comes_later_asks_again(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, ScriptedModel(script={"t": [Timeout("late")] * 6}, answer=lambda _: "yes"))
    told = []
    async with rig.open() as desk:

        async def ask() -> None:
            with pytest.raises(JudgeError, match="Timeout: late"):
                await desk.ask(desk.voices[0], request("t"))
            told.append(1)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
        assert (len(told), len(rig.models[0].asked)) == (3, 6)
        assert await desk.ask(desk.voices[0], request("t")) == "yes"


@pytest.mark.anyio
async def test_who_shares_a_verdict_with_somebody_that_is_cancelled_asks_for_it_himself(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, ScriptedModel(latency_s=10.0, answer=lambda _: "yes"))
    found = []
    async with rig.open() as desk, anyio.create_task_group() as tasks:

        async def give_up_early() -> None:
            with anyio.move_on_after(3):
                await desk.ask(desk.voices[0], request("t"))

        async def ask() -> None:
            found.append(await desk.ask(desk.voices[0], request("t")))

        tasks.start_soon(give_up_early)
        await anyio.sleep(1)
        tasks.start_soon(ask)
    assert (found, len(rig.models[0].asked), len(rig.lines())) == (["yes"], 2, 1)


@pytest.mark.anyio
async def test_every_judge_and_repeat_has_a_voice_and_a_verdict_of_its_own(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, ScriptedModel(), ScriptedModel(), repeats=2)
    async with rig.open() as desk:
        assert [(v.judge.name, v.repeat, v.decides) for v in desk.voices] == [
            ("judge0", 0, True), ("judge0", 1, True), ("judge1", 0, False), ("judge1", 1, False),
        ]  # fmt: skip
        for voice in desk.voices:
            await desk.ask(voice, request("t"))
    assert Counter((line.judge, line.repeat) for line in rig.lines()) == dict.fromkeys(
        [("judge0", 0), ("judge0", 1), ("judge1", 0), ("judge1", 1)], 1
    )


@pytest.mark.anyio
async def test_a_refusal_holds_as_long_as_the_process_and_is_tried_again_by_the_next(tmp_path: Path) -> None:
    first = JudgeRig(tmp_path, ScriptedModel(script={"t": [BadRequest("too long")]}))
    async with first.open() as desk:
        (voice,) = desk.voices
        assert await desk.ask(voice, request("t")) == ""
        assert (await desk.ask(voice, request("t")), desk.stored(voice, request("t"))) == ("", "")
        assert first.models[0].asked.count("t") == 1
    better = JudgeRig(tmp_path, ScriptedModel(answer=lambda _: "yes"))
    async with better.open() as desk:
        (voice,) = desk.voices
        assert desk.stored(voice, request("t")) is None
        assert await desk.ask(voice, request("t")) == "yes"
    assert [line.reply for line in better.lines()] == [None, "yes"]


@pytest.mark.anyio
async def test_a_refusal_of_last_time_stands_where_the_judge_is_out_of_reach(tmp_path: Path) -> None:
    first = JudgeRig(tmp_path, ScriptedModel(script={"t": [BadRequest("too long")]}))
    async with first.open() as desk:
        await desk.ask(desk.voices[0], request("t"))
    gone = JudgeRig(tmp_path, ScriptedModel(script={t: [Transport("refused")] * 999 for t in "tu"}))
    async with gone.open() as desk:
        assert await desk.ask(desk.voices[0], request("t")) == ""
        with pytest.raises(JudgeError, match="cannot be used any more"):
            await desk.ask(desk.voices[0], request("u"))
    assert len(gone.lines()) == 1


@pytest.mark.anyio
async def test_a_full_disk_ends_it_and_what_is_not_written_was_never_said(tmp_path: Path, monkeypatch) -> None:
    rig = JudgeRig(tmp_path, ScriptedModel(answer=lambda _: "yes"))
    monkeypatch.setattr(Journal, "append", _no_room)
    with pytest.raises(ExceptionGroup) as raised:
        async with rig.open() as desk:
            await desk.ask(desk.voices[0], request("t"))
    assert raised.group_contains(StorageError, match="full", depth=None)
    assert desk.stored(desk.voices[0], request("t")) is None


def _no_room(self: Journal, lines: list[bytes]) -> None:
    raise StorageError("the disk is full")


@pytest.mark.anyio
async def test_a_slot_is_kept_until_the_verdict_is_on_disk(tmp_path: Path, monkeypatch) -> None:
    rig = JudgeRig(tmp_path, ScriptedModel(), limits=Limits(3))
    most = 0
    async with rig.open() as desk:
        plain_write = desk._commit.write

        async def write(line: bytes) -> None:
            nonlocal most
            most = max(most, rig.judges[0].fleet.in_flight)
            await anyio.sleep(5)
            assert rig.models[0].in_flight <= rig.judges[0].fleet.in_flight <= 3
            await plain_write(line)

        monkeypatch.setattr(desk._commit, "write", write)
        started = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for n in range(9):
                tasks.start_soon(desk.ask, desk.voices[0], request(f"t{n}"))
    assert most == 3
    assert anyio.current_time() - started == pytest.approx(18, abs=0.2), "three rounds of 1 s and 5 s"


@pytest.mark.anyio
async def test_a_judge_that_thinks_first_is_not_held_to_a_rubrics_bound(tmp_path: Path) -> None:
    def bounded(spec: ModelSpec) -> ScriptedModel:
        model = parameters(spec)
        plain_encode = model.encode
        model.encode = lambda messages: Request((plain_encode(messages).chunks[0] + f"|{spec.max_tokens}".encode(),), 9)
        return model

    cut = {f"{text}|3": [Reply(said, finish_reason="length")] for text, said in (("t", ""), ("u", "<think> so"))}
    rig = JudgeRig(tmp_path, ScriptedModel(script=cut, answer=lambda _: "0.5"), max_tokens=900)
    rig.judges[0].writer = JudgeWriter(rig.judges[0].spec, bounded)
    async with rig.open() as desk:
        for text in "tuv":
            short = replace(request(text), max_tokens=3)
            assert await desk.ask(desk.voices[0], short) == "0.5"
            rig.judges[0].thinks = rig.judges[0].thinks and text != "t"
        assert await desk.ask(desk.voices[0], request("w")) == "0.5"
    assert rig.models[0].asked == ["t|3", "t|900", "u|3", "u|900", "v|900", "w|900"]
    assert [line.reply for line in rig.lines()] == ["0.5"] * 4


PASSING = [ServerFault("x"), Timeout("x"), Transport("x"), BadRequest("x")]


@settings(max_examples=60)
@given(
    rounds=st.lists(
        st.tuples(
            st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12),
            st.floats(0, 30),
            st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from(PASSING), max_size=3)),
        ),
        min_size=1,
        max_size=4,
    ),
    nproc=st.integers(1, 4),
    junk=st.binary(max_size=5),
)
def test_whenever_it_is_killed_no_verdict_that_was_told_is_lost_or_asked_for_again(
    virtual_time_loop: type[asyncio.AbstractEventLoop], tmp_path_factory, rounds: list[Any], nproc: int, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("desk")
    told: dict[str, str] = {}

    async def play(texts: list[str], killed_after_s: float, script: dict[str, Any]) -> None:
        model = ScriptedModel(script=script, answer=lambda text: f"{text}!")
        rig = JudgeRig(path, model, limits=Limits(nproc), health={"patience_s": 1e9, "startup_patience_s": 1e9})
        known = {line.fingerprint for line in rig.lines() if line.reply is not None}
        async with rig.open() as desk:
            with anyio.move_on_after(killed_after_s):
                async with anyio.create_task_group() as tasks:

                    async def ask(text: str) -> None:
                        try:
                            reply = await desk.ask(desk.voices[0], request(text))
                        except JudgeError:
                            return
                        if reply:
                            told[text] = reply

                    for text in texts:
                        tasks.start_soon(ask, text)
            for text in set("abcdef"):
                fingerprint = rig.judges[0].writer.fingerprint(request(text), 0)
                assert fingerprint not in known or text not in model.asked, "it was there, and asked for again"

    for texts, after_s, script in rounds:
        anyio.run(play, texts, after_s, script, backend_options={"loop_factory": virtual_time_loop})
        replies = Counter(line.fingerprint for line in JudgeRig(path).lines() if line.reply is not None)
        assert set(replies.values()) <= {1}
        there = {line.reply for line in JudgeRig(path).lines()}
        assert set(told.values()) <= there
        with (path / "judgements.jsonl").open("ab") as file:
            file.write(junk.replace(b"\n", b""))

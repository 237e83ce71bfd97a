"""The pipeline with a scripted model in virtual time: what is asked, when, and what reaches the journal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from fakes import MemoryBenchmark, Rig, ScriptedModel

from eyechart.engine.journal import Journal
from eyechart.engine.limits import Limits
from eyechart.engine.prepare import Preparer
from eyechart.errors import (
    AuthError,
    BadRequest,
    EmptyAnswer,
    EndpointUnusable,
    Overloaded,
    RateLimited,
    ServerFault,
    StorageError,
    Timeout,
    Transport,
)
from eyechart.records import Reply, Usage

pytestmark = pytest.mark.virtual_time


@pytest.mark.anyio
async def test_every_sample_is_asked_once_and_journaled_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ScriptedModel(), MemoryBenchmark(50))
    await rig.run()
    assert sorted(rig.model.asked) == sorted(f"q{i}" for i in range(50))
    assert rig.answers() == {str(i): f"a{i}" for i in range(50)}
    assert len(rig.lines()) == 50
    assert rig.model.peak == 4
    assert 13 <= rig.seconds < 14, "50 samples, 4 at a time, 1 s each"
    assert (rig.progress[0].answered, rig.progress[0].score) == (50, 1.0)


@pytest.mark.anyio
async def test_answers_that_only_a_judge_can_grade_have_no_running_score(tmp_path: Path) -> None:
    class Judged(MemoryBenchmark):
        needs_judge = True

    rig = Rig(tmp_path, ScriptedModel(script={"q1": [BadRequest("no", status=400)]}), Judged(3))
    await rig.run()
    assert (rig.progress[0].answered, rig.progress[0].failed, rig.progress[0].score) == (2, 1, None)


@pytest.mark.anyio
async def test_benchmarks_share_the_slots_without_a_gap_between_them(tmp_path: Path) -> None:
    first, second = MemoryBenchmark(5, name="First"), MemoryBenchmark(5, name="Second", suffix=" please")
    rig = Rig(tmp_path, ScriptedModel(), first, second, limits=Limits(5))
    await rig.run()
    assert 2 <= rig.seconds < 2.5
    assert (len(rig.lines(first)), len(rig.lines(second))) == (5, 5)
    assert rig.lines(second)[0].prediction.endswith(" please".replace("q", "a"))


@pytest.mark.anyio
async def test_the_same_again_asks_nothing(tmp_path: Path) -> None:
    await Rig(tmp_path, ScriptedModel(), MemoryBenchmark(20)).run()
    again = Rig(tmp_path, ScriptedModel(), MemoryBenchmark(20))
    await again.run()
    assert again.model.asked == []
    assert again.progress[0].reused == 20
    assert len(again.lines()) == 20


@pytest.mark.anyio
@pytest.mark.parametrize("setup", ["s2", None])
async def test_a_touched_file_with_the_same_prompts_asks_nothing(tmp_path: Path, setup: str | None) -> None:
    await Rig(tmp_path, ScriptedModel(), MemoryBenchmark(20)).run()
    again = Rig(tmp_path, ScriptedModel(), MemoryBenchmark(20), setup=setup)
    await again.run()
    assert (again.model.asked, again.progress[0].reused, again.progress[0].stale) == ([], 20, 0)


@pytest.mark.anyio
async def test_a_changed_prompt_is_asked_again_and_told(tmp_path: Path) -> None:
    await Rig(tmp_path, ScriptedModel(), MemoryBenchmark(20)).run()
    changed = Rig(tmp_path, ScriptedModel(), MemoryBenchmark(20, suffix="!"), setup="s2")
    await changed.run()
    assert len(changed.model.asked) == 20
    assert changed.progress[0].stale == 20
    assert changed.answers()["3"] == "a3!"


@pytest.mark.anyio
async def test_a_changed_parameter_is_asked_again(tmp_path: Path) -> None:
    await Rig(tmp_path, ScriptedModel(), MemoryBenchmark(3)).run()
    hotter = Rig(
        tmp_path, ScriptedModel(identity={"model": "scripted", "temperature": 1}), MemoryBenchmark(3), setup="s2"
    )
    await hotter.run()
    assert len(hotter.model.asked) == 3


@pytest.mark.anyio
async def test_failures_are_typed_and_asked_again_next_time(tmp_path: Path) -> None:
    script = {"q1": [BadRequest("picture too large", status=400)], "q2": [Timeout("no answer in 300 s")] * 6}
    rig = Rig(tmp_path, ScriptedModel(script=script), MemoryBenchmark(4))
    await rig.run()
    assert rig.answers() == {"0": "a0", "1": "BadRequest", "2": "Timeout", "3": "a3"}
    lost = {p.index: p for p in rig.lines()}["1"]
    assert (lost.failure.status, lost.failure.message, lost.attempts) == (400, "picture too large", 1)
    assert rig.progress[0].failed == 2

    again = Rig(tmp_path, ScriptedModel(), MemoryBenchmark(4))
    await again.run()
    assert sorted(again.model.asked) == ["q1", "q2"]
    assert again.answers()["2"] == "a2"


@pytest.mark.anyio
async def test_a_row_that_cannot_be_prepared_fails_alone_and_takes_no_slot(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ScriptedModel(), MemoryBenchmark(6, unreadable=frozenset({0, 2})), limits=Limits(2, rpm=60))
    await rig.run()
    assert rig.answers()["2"] == "MediaError"
    assert len(rig.model.asked) == 4
    assert rig.seconds < 5, "four requests at one a second"


@pytest.mark.anyio
async def test_waiting_for_another_try_holds_no_slot(tmp_path: Path) -> None:
    script = {"q0": [ServerFault("boom"), ServerFault("boom")]}
    rig = Rig(tmp_path, ScriptedModel(script=script), MemoryBenchmark(10), limits=Limits(1), policy={"wait_s": 4.0})
    await rig.run()
    # q0 fails at 1 s and waits 2 s, fails again and waits 4 s; the others go on meanwhile.
    assert rig.model.asked[:3] == ["q0", "q1", "q2"]
    assert rig.seconds < 13
    assert rig.answers()["0"] == "a0"


@pytest.mark.anyio
async def test_half_an_hour_of_retry_after_is_kept_by_all(tmp_path: Path) -> None:
    script = {"q0": [RateLimited("slow down", retry_after=1800.0)]}
    rig = Rig(tmp_path, ScriptedModel(script=script), MemoryBenchmark(30), limits=Limits(2))
    await rig.run()
    assert len(rig.answers()) == 30
    assert 1800 < rig.seconds < 1900
    assert len(rig.model.asked) == 31


@pytest.mark.anyio
async def test_empty_answers_count_as_answers_after_three(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ScriptedModel(script={"q0": [EmptyAnswer("nothing")] * 9}), MemoryBenchmark(2))
    await rig.run()
    assert rig.answers() == {"0": "", "1": "a1"}
    assert rig.model.asked.count("q0") == 3


@pytest.mark.anyio
async def test_under_vlmeval_an_empty_answer_is_a_failure(tmp_path: Path) -> None:
    benchmark = MemoryBenchmark(1)
    benchmark.protocol = replace(benchmark.protocol, empty_answer_fails=True)
    rig = Rig(tmp_path, ScriptedModel(script={"q0": [EmptyAnswer("nothing")] * 9}), benchmark)
    await rig.run()
    assert rig.answers() == {"0": "EmptyAnswer"}


@pytest.mark.anyio
async def test_a_refused_key_stops_after_a_few_requests(tmp_path: Path) -> None:
    script = {f"q{i}": [AuthError("key refused", status=401)] for i in range(1000)}
    rig = Rig(tmp_path, ScriptedModel(script=script), MemoryBenchmark(1000))
    with pytest.raises(ExceptionGroup) as raised:
        await rig.run()
    assert raised.group_contains(EndpointUnusable, match="key refused", depth=None)
    assert len(rig.model.asked) <= 8


@pytest.mark.anyio
async def test_a_server_that_is_down_is_given_up_after_its_patience(tmp_path: Path) -> None:
    script = {f"q{i}": [Transport("refused")] * 999 for i in range(100)}
    rig = Rig(tmp_path, ScriptedModel(latency_s=0.0, script=script), MemoryBenchmark(100))
    with pytest.raises(ExceptionGroup) as raised:
        await rig.run()
    assert raised.group_contains(EndpointUnusable, match="refused", depth=None)
    assert 30 <= rig.seconds < 90


@pytest.mark.anyio
async def test_a_last_sample_whose_connection_always_breaks_fails_in_the_end(tmp_path: Path) -> None:
    script = {"q4": [Transport("reset")] * 999}
    rig = Rig(tmp_path, ScriptedModel(script=script), MemoryBenchmark(5), limits=Limits(1))
    await rig.run()
    assert rig.answers() == {"0": "a0", "1": "a1", "2": "a2", "3": "a3", "4": "Transport"}
    assert 600 < rig.seconds < 1000


@pytest.mark.anyio
async def test_a_restart_of_two_minutes_costs_nothing_but_time(tmp_path: Path) -> None:
    model = ScriptedModel(latency_s=0.1)
    plain_ask = model.ask

    async def ask(request):
        if 1 < anyio.current_time() - started < 120:
            raise Transport("connection refused")
        return await plain_ask(request)

    model.ask = ask
    rig = Rig(tmp_path, model, MemoryBenchmark(200), policy={"tries": 6})
    started = anyio.current_time()
    await rig.run()
    assert rig.answers() == {str(i): f"a{i}" for i in range(200)}
    assert rig.seconds < 240


@pytest.mark.anyio
async def test_refusals_of_a_crowded_server_cost_no_sample(tmp_path: Path) -> None:
    model = ScriptedModel()
    plain_ask = model.ask

    async def ask(request):
        if model.in_flight >= 8:
            await anyio.sleep(0.01)
            raise Overloaded("busy", status=503)
        return await plain_ask(request)

    model.ask = ask
    rig = Rig(tmp_path, model, MemoryBenchmark(300), limits=Limits(64))
    await rig.run()
    assert rig.answers() == {str(i): f"a{i}" for i in range(300)}
    assert rig.seconds < 150, "37.5 s at best"


@pytest.mark.anyio
async def test_stop_lets_requests_in_flight_finish_and_asks_no_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ScriptedModel(latency_s=10.0), MemoryBenchmark(100))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.run)
        await anyio.sleep(5)
        rig.stop.set()
    assert len(rig.model.asked) == len(rig.lines()) == 4


@pytest.mark.anyio
async def test_stop_waits_no_longer_than_the_grace_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ScriptedModel(latency_s=1000.0), MemoryBenchmark(100), grace_s=7.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.run)
        await anyio.sleep(5)
        rig.stop.set()
    assert 11 < rig.seconds < 13
    assert rig.lines() == []


@pytest.mark.anyio
async def test_a_full_disk_ends_the_run_and_nothing_unwritten_counts(tmp_path: Path, monkeypatch) -> None:
    rig = Rig(tmp_path, ScriptedModel(), MemoryBenchmark(100))
    plain_append = Journal.append

    def append(self: Journal, lines: list[bytes]) -> None:
        if len(rig.lines()) >= 10:
            raise StorageError("the disk is full")
        plain_append(self, lines)

    monkeypatch.setattr(Journal, "append", append)
    with pytest.raises(ExceptionGroup) as raised:
        await rig.run()
    assert raised.group_contains(StorageError, depth=None)
    assert rig.progress[0].answered == len(rig.lines())


@pytest.mark.anyio
async def test_memory_held_is_bounded_by_bytes_not_by_the_benchmark(tmp_path: Path) -> None:
    model = ScriptedModel()
    plain_encode, alive, peak = model.encode, 0, 0

    def encode(messages):
        nonlocal alive, peak
        request = plain_encode(messages)
        alive += 1
        peak = max(peak, alive - len(model.asked))
        return type(request)(request.chunks, 1_000_000)

    model.encode = encode
    rig = Rig(tmp_path, model, MemoryBenchmark(300), limits=Limits(100), ready_bytes=20_000_000)
    await rig.run()
    assert len(rig.lines()) == 300
    assert peak <= 20 + 2 * 2, "20 MB of requests of 1 MB each, and a small batch of each thread"


@pytest.mark.anyio
@pytest.mark.parametrize(("slow_s", "largest"), [(1e9, 8), (-1.0, 1)])
async def test_rows_that_take_long_to_prepare_come_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow_s: float, largest: int
) -> None:
    monkeypatch.setattr("eyechart.engine.pipeline._SLOW_S", slow_s)
    sizes = []
    plain = Preparer.next_batch
    monkeypatch.setattr(Preparer, "next_batch", lambda self, most: sizes.append(most) or plain(self, most))
    rig = Rig(tmp_path, ScriptedModel(), MemoryBenchmark(60), prepare_threads=1, batch=8)
    await rig.run()
    assert len(rig.lines()) == 60
    assert (sizes[0], max(sizes)) == (1, largest)


@pytest.mark.anyio
@pytest.mark.parametrize(("most_bytes", "in_flight"), [(10**9, 8), (35_000_000, 6)])
async def test_big_requests_fill_the_slots_and_no_store(tmp_path: Path, most_bytes: int, in_flight: int) -> None:
    model = ScriptedModel()
    plain_encode = model.encode
    model.encode = lambda messages: type(request := plain_encode(messages))(request.chunks, 10_000_000)
    rig = Rig(
        tmp_path, model, MemoryBenchmark(40), limits=Limits(8), ready_bytes=20_000_000, most_bytes=most_bytes,
        prepare_threads=2,
    )  # fmt: skip
    await rig.run()
    assert len(rig.lines()) == 40
    # Each thread may be at one more when the bound is reached.
    assert (model.peak == in_flight) if in_flight == 8 else (4 <= model.peak <= in_flight)


@pytest.mark.anyio
async def test_tokens_truncation_and_limit_reach_the_records(tmp_path: Path) -> None:
    reply = Reply("a0", reasoning="hm", finish_reason="length", usage=Usage(10, 5))
    rig = Rig(tmp_path, ScriptedModel(script={"q0": [reply]}), MemoryBenchmark(100), limit=2)
    await rig.run()
    assert len(rig.lines()) == 2
    line = {p.index: p for p in rig.lines()}["0"]
    assert (line.reasoning, line.finish_reason, line.usage, line.setup) == ("hm", "length", Usage(10, 5), "s1")
    assert (rig.progress[0].prompt_tokens, rig.progress[0].completion_tokens) == (10, 5)

"""One unit before its judges: what stored verdicts are enough for, and what several voices decide."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import JoinedBenchmark, JudgedBenchmark, JudgeRig, ScriptedModel, hear
from hypothesis import given
from hypothesis import strategies as st

from eyechart.benchmarks.base import Scored
from eyechart.engine.hearing import Asked, Opinion, decision, hear_stored
from eyechart.engine.judge_summary import judge_summary
from eyechart.engine.judge_words import judging_words
from eyechart.errors import AuthError, JudgeError
from eyechart.records import Cell, Reply, Sample, Usage

pytestmark = pytest.mark.virtual_time

BENCHMARK = JudgedBenchmark(6)
SAMPLES = list(BENCHMARK.samples())


def says(*replies: str) -> ScriptedModel:
    """Says one after the other, whatever is asked; then ``yes``."""
    left = list(replies)
    return ScriptedModel(answer=lambda _: left.pop(0) if left else "yes")


@pytest.mark.anyio
async def test_what_the_rules_read_is_asked_nobody(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, says(), says(), repeats=3)
    async with rig.open() as desk:
        for answer, points in (("a1", 1.0), ("a2", 0.0), (None, 0.0)):
            found = hear_stored(BENCHMARK, [(SAMPLES[1], answer)], desk)
            assert ([s.points for s in found.scored], len(found.opinions), found.asked) == ([points], 1, {})
            assert await hear(BENCHMARK, [(SAMPLES[1], answer)], desk) == found
    assert rig.models[0].asked == []


@pytest.mark.anyio
async def test_an_unreadable_verdict_is_asked_for_again_and_then_not_read(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, says("hm", "well", "yes", "hm", "hm", "hm"))
    async with rig.open() as desk:
        assert hear_stored(BENCHMARK, [(SAMPLES[0], "?")], desk).request.attempt == 0
        assert (await hear(BENCHMARK, [(SAMPLES[0], "?")], desk)).scored[0].record == {"rule": "judge", "reply": "yes"}
        assert (await hear(BENCHMARK, [(SAMPLES[1], "?")], desk)).scored[0].record == {"rule": "none"}
        assert len(rig.models[0].asked) == 6
        stored = hear_stored(BENCHMARK, [(SAMPLES[0], "?")], desk)
        assert (stored.scored[0].points, stored.asked) == (1.0, {"0": Asked("yes_no@1", "yes")})
    assert len(rig.models[0].asked) == 6


@pytest.mark.anyio
async def test_half_of_what_a_unit_needs_is_not_enough(tmp_path: Path) -> None:
    joined = JoinedBenchmark(6)
    rig = JudgeRig(tmp_path, says("yes", "yes"))
    async with rig.open() as desk:
        await hear(BENCHMARK, [(SAMPLES[0], "?")], desk)
        unit = [(SAMPLES[0], "?"), (SAMPLES[3], "?")]
        assert hear_stored(joined, unit, desk).request.index == "3"
        found = await hear(joined, unit, desk)
        assert ([s.points for s in found.scored], set(found.asked)) == ([1.0, 1.0], {"0", "3"})
        assert hear_stored(joined, unit, desk) == found
    assert len(rig.models[0].asked) == 2


@pytest.mark.anyio
async def test_a_unit_that_is_lost_early_asks_no_further(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, says("no"))
    async with rig.open() as desk:
        found = await hear(JoinedBenchmark(6), [(SAMPLES[0], "?"), (SAMPLES[3], "?")], desk)
    assert ([s.points for s in found.scored], len(rig.models[0].asked)) == ([0.0, 0.0], 1)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("replies", "points"),
    [
        (["no", "yes", "yes"], 1.0),
        (["no", "no", "yes"], 0.0),
        (["yes", *["hm"] * 3, "no"], 1.0),
        ([*["hm"] * 3, "no", "yes"], 0.0),
    ],
    ids=["majority", "majority against", "a tie is the first's", "the first that can be read"],
)
async def test_the_majority_of_readable_verdicts_decides(tmp_path: Path, replies: list[str], points: float) -> None:
    rig = JudgeRig(tmp_path, says(*replies), repeats=3)
    async with rig.open() as desk:
        found = await hear(BENCHMARK, [(SAMPLES[0], "?")], desk)
    assert found.scored[0].points == points
    assert len(found.opinions) == 3


LETTERS = st.lists(st.sampled_from(["A", "B", "C", None]), min_size=1, max_size=6)


class _Lettered(JudgedBenchmark):
    def verdict(self, scored: Scored) -> object:
        return scored.record["letter"]


@given(LETTERS)
def test_whatever_is_said_the_decision_is_a_most_frequent_one_and_of_these_the_first(letters: Sequence[str | None]):
    sample = Sample("0", 0, {}, "c")
    opinions = [Opinion([Scored(sample, {"letter": letter, "n": n}, 0.0)], {}) for n, letter in enumerate(letters)]
    (chosen,) = decision(_Lettered(1), opinions)
    readable = [letter for letter in letters if letter is not None]
    if not readable:
        assert chosen.record["n"] == 0
        return
    most = max(readable.count(letter) for letter in readable)
    first = next(n for n, letter in enumerate(letters) if letter and readable.count(letter) == most)
    assert chosen.record["n"] == first


@pytest.mark.anyio
async def test_judges_that_are_compared_do_not_decide_and_their_agreement_is_told(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, says("yes", "no", "yes", "no"), says("yes", "yes", "yes", "no"))
    async with rig.open() as desk:
        hearings = [await hear(BENCHMARK, [(sample, "?")], desk) for sample in SAMPLES[:4]]
        assert [h.scored[0].points for h in hearings] == [1.0, 0.0, 1.0, 0.0]
        first, second = judge_summary(BENCHMARK, desk, hearings)
    assert (first["decides"], second["decides"], first["judged"], first["rubrics"]) == (True, False, 4, ["yes_no@1"])
    assert first["agreement_with_first"] is None
    # Agreed on 3 of 4; by chance 0.5 * 0.75 + 0.5 * 0.25.
    assert second["agreement_with_first"] == {"n": 4, "agreed": 0.75, "kappa": pytest.approx(0.5)}
    assert "agreement with the first judge: 75.0 % of 4, kappa 0.50" in judging_words(second)
    assert "(only compared)" in judging_words(second)


@pytest.mark.anyio
async def test_a_compared_judge_that_is_gone_costs_the_comparison_not_the_score(tmp_path: Path) -> None:
    gone = ScriptedModel(script={f"{n}/?": [AuthError("bad key")] for n in range(6)})
    rig = JudgeRig(tmp_path, says("yes", "no"), gone)
    async with rig.open() as desk:
        found = await hear(BENCHMARK, [(SAMPLES[0], "?")], desk)
        assert (found.scored[0].points, found.opinions[1]) == (1.0, None)
        assert "AuthError: bad key" in str(found.unsaid)
        assert hear_stored(BENCHMARK, [(SAMPLES[0], "?")], desk).voice is desk.voices[1], "it is still to be asked"


@pytest.mark.anyio
async def test_without_a_verdict_of_the_deciding_judge_there_is_no_score(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, ScriptedModel(script={"0/?": [AuthError("bad key")]}), says())
    async with rig.open() as desk:
        with pytest.raises(JudgeError, match="bad key"):
            await hear(BENCHMARK, [(SAMPLES[0], "?")], desk)


@pytest.mark.anyio
async def test_a_judge_that_repeats_itself_is_compared_with_itself(tmp_path: Path) -> None:
    price = {"prompt_per_million": 2.0, "completion_per_million": 10.0}
    from eyechart.engine.config_model import Price

    used = Usage(100_000, 10_000)
    script = {"0/?": [Reply("yes", usage=used), Reply("yes", usage=used)], "1/?": [Reply("no"), Reply("yes")]}
    rig = JudgeRig(tmp_path, ScriptedModel(script=script), repeats=2, price=Price(**price))
    async with rig.open() as desk:
        hearings = [await hear(BENCHMARK, [(sample, "?")], desk) for sample in SAMPLES[:2]]
        (about,) = judge_summary(BENCHMARK, desk, hearings)
    assert about["agreement_of_repeats"] == {"n": 2, "agreed": 0.5, "kappa": 0.0}
    assert (about["replies"], about["requests"], about["prompt_tokens"], about["completion_tokens"]) == (
        4,
        4,
        200_000,
        20_000,
    )
    assert about["cost"] == {"amount": 0.6, "currency": "USD"}
    assert judging_words(about) == (
        "judge judge0: 2 answers judged (yes_no@1), 0 unparsed; 4 requests; 200,000 tokens in, 20,000 out; "
        "cost 0.6 USD; agreement of its verdicts: 50.0 % of 2, kappa 0.00"
    )


class _Sleepy(JudgedBenchmark):
    async def judge_unit(self, answers, judge):
        import anyio

        await anyio.sleep(1)
        return await super().judge_unit(answers, judge)


@pytest.mark.anyio
async def test_a_benchmark_that_waits_for_something_else_is_a_fault_that_is_told(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, says())
    async with rig.open() as desk:
        with pytest.raises(TypeError, match="awaits something else than its judge"):
            hear_stored(_Sleepy(3), [(SAMPLES[0], "?")], desk)


@pytest.mark.anyio
async def test_no_rule_runs_in_the_event_loop(tmp_path: Path) -> None:
    class Watched(JudgedBenchmark):
        def score(self, sample: Sample, prediction: Cell) -> Scored:
            threads.add(threading.current_thread())
            return super().score(sample, prediction)

    threads: set[threading.Thread] = set()
    rig = JudgeRig(tmp_path, says("hm", "yes"))
    async with rig.open() as desk:
        found = await hear(Watched(3), [(SAMPLES[0], "?")], desk)
    assert found.scored[0].points == 1.0
    assert threads
    assert threading.main_thread() not in threads

"""Inference and judging side by side, in virtual time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
from fakes import JoinedBenchmark, JudgedBenchmark, ScriptedModel, StagedRig

from eyechart.benchmarks.base import Scored
from eyechart.engine.limits import Limits
from eyechart.engine.report import Entry
from eyechart.errors import BadRequest, Transport
from eyechart.records import Cell, Sample
from eyechart.scoring.protocol import VLMEVAL

UNREADABLE = "?"

pytestmark = pytest.mark.virtual_time


def unclear(**about: Any) -> ScriptedModel:
    """A model whose answers only a judge can read."""
    return ScriptedModel(answer=lambda _: UNREADABLE, **about)


def says(text: str = "yes", **about: Any) -> ScriptedModel:
    return ScriptedModel(answer=lambda _: text, **about)


def overall(entry: Entry | None) -> Any:
    assert entry is not None
    assert entry.score is not None, entry.error
    return entry.score.table[0]["Overall"]


@pytest.mark.anyio
async def test_asking_and_judging_take_hardly_longer_than_either(tmp_path: Path) -> None:
    rig = StagedRig(tmp_path, unclear(), JudgedBenchmark(100), says())
    await rig.run()
    assert (len(rig.judged), overall(rig.entry)) == (100, 1.0)
    assert 25 <= rig.judged_s < 28, "100 answers and 100 verdicts, 4 of each at a time, 1 s each"
    assert (rig.model.peak, rig.judge_rig.models[0].peak) == (4, 4)
    assert (rig.progress[0].to_judge, rig.progress[0].judged, rig.progress[0].score) == (100, 100, 1.0)
    assert rig.entry.score.counts == {"scored": 100, "failed": 0, "unparsed": 0, "judged": 100}


@pytest.mark.anyio
async def test_only_what_no_rule_reads_is_judged(tmp_path: Path) -> None:
    model = ScriptedModel(answer=lambda text: UNREADABLE if int(text[1:]) % 5 == 0 else f"a{text[1:]}")
    rig = StagedRig(tmp_path, model, JudgedBenchmark(20), says("no"))
    await rig.run()
    assert sorted(rig.judged) == sorted(f"{n}/{UNREADABLE}" for n in (0, 5, 10, 15))
    assert overall(rig.entry) == 0.8
    assert (rig.progress[0].to_judge, rig.progress[0].judged, rig.progress[0].score) == (4, 4, 0.8)
    assert dict(rig.entry.score.rules) == {"equal": 16, "judge": 4}


@pytest.mark.anyio
async def test_a_slow_judge_does_not_hold_the_model_up(tmp_path: Path) -> None:
    rig = StagedRig(tmp_path, unclear(), JudgedBenchmark(40), says(latency_s=100.0))
    await rig.run()
    assert rig.seconds < 12
    assert 1000 <= rig.judged_s < 1120
    assert overall(rig.entry) == 1.0


@pytest.mark.anyio
async def test_the_judges_limits_are_its_own(tmp_path: Path) -> None:
    judge = {"limits": Limits(2, rpm=30)}
    rig = StagedRig(tmp_path, unclear(), JudgedBenchmark(40), says(), limits=Limits(16), bench=judge)
    await rig.run()
    assert rig.seconds < 5
    assert 75 <= rig.judged_s < 90
    assert rig.judge_rig.models[0].peak <= 2


@pytest.mark.anyio
async def test_a_failed_request_is_never_judged_but_as_its_text_in_the_reference(tmp_path: Path) -> None:
    script = {"q3": [BadRequest("no")]}
    for name, protocol in (("eyechart", None), ("vlmeval", VLMEVAL)):
        benchmark = JudgedBenchmark(6)
        benchmark.protocol = protocol or benchmark.protocol
        (tmp_path / name).mkdir()
        rig = StagedRig(tmp_path / name, unclear(script=script), benchmark, says())
        await rig.run()
        asked = {text for text in rig.judge_rig.models[0].asked if text.startswith("3/")}
        assert asked == ({"3/Failed to obtain answer via API."} if protocol else set())
        assert rig.entry.tally.failed == 1


@pytest.mark.anyio
async def test_rows_that_are_judged_together_wait_for_each_other(tmp_path: Path) -> None:
    model = unclear(script={"q0": [30.0], "q5": [BadRequest("no")]})
    rig = StagedRig(tmp_path, model, JoinedBenchmark(9), says(), limits=Limits(9), bench={"limits": Limits(9)})
    await rig.run()
    # 1, 4, 7 are a unit of answers; 2, 5, 8 have a failed one, which ends them; 0, 3, 6 wait for 0.
    assert set(rig.judged[:4]) == {"1/?", "4/?", "7/?", "2/?"}
    assert rig.judged[4:] == ["0/?", "3/?", "6/?"]
    assert rig.judged_s > 33
    assert [r["rule"] for r in rig.entry.score.per_sample.values()].count("failed") == 1
    assert overall(rig.entry) == pytest.approx(6 / 9)


@pytest.mark.anyio
async def test_units_end_at_the_limit(tmp_path: Path) -> None:
    rig = StagedRig(tmp_path, unclear(), JoinedBenchmark(9), says(), limit=4)
    await rig.run()
    assert sorted(rig.judged) == ["0/?", "1/?", "2/?", "3/?"]
    assert (rig.entry.total, overall(rig.entry)) == (4, 1.0)


@pytest.mark.anyio
async def test_what_finds_no_room_is_judged_at_the_end(tmp_path: Path) -> None:
    rig = StagedRig(tmp_path, unclear(), JudgedBenchmark(60), says(latency_s=8.0), stage={"room": 5_000})
    await rig.run()
    assert 8 < len(rig.judged) < 40
    assert overall(rig.entry) == 1.0
    assert sorted(rig.judge_rig.models[0].asked) == sorted(f"{n}/{UNREADABLE}" for n in range(60)), "each once"
    assert (rig.progress[0].judged, rig.progress[0].to_judge) == (60, 60)


# -- the end of a judge, and after ------------------------------------------------------------------------------------


def dies_after(replies: int) -> ScriptedModel:
    model = says()
    plain_ask = model.ask

    async def ask(request):
        if len(model.asked) >= replies:
            await anyio.sleep(0.1)
            raise Transport("connection refused")
        return await plain_ask(request)

    model.ask = ask
    return model


@pytest.mark.anyio
async def test_a_judge_that_dies_costs_no_answer_and_the_next_completes_what_it_left(tmp_path: Path) -> None:
    judge = {"health": {"patience_s": 20.0}, "policy": {"patience_s": 20.0}}
    rig = StagedRig(tmp_path, unclear(), JudgedBenchmark(200), dies_after(30), bench=judge)
    await rig.run()
    assert (len(rig.lines()), len(rig.judge_rig.lines())) == (200, 30)
    assert rig.seconds < 52
    assert rig.judged_s < 60, "nobody waits for a judge that is given up"
    assert (rig.entry.score, rig.entry.unjudged, rig.entry.tally.ok) == (None, 170, 200)
    assert "170 answers have no verdict" in rig.entry.error
    assert "eyechart score" in rig.entry.error
    assert "connection refused" in rig.judge_rig.told[0]

    again = says()
    assert overall(await rig.score_again(again)) == 1.0
    assert len(again.asked) == 170
    assert len(rig.judge_rig.lines()) == 200


@pytest.mark.anyio
async def test_scoring_again_with_all_verdicts_there_asks_nobody(tmp_path: Path) -> None:
    rig = StagedRig(tmp_path, unclear(), JudgedBenchmark(30), says("no"))
    await rig.run()
    nobody = says("yes")
    entry = await rig.score_again(nobody)
    assert (overall(entry), nobody.asked) == (0.0, [])
    assert entry == rig.entry


@pytest.mark.anyio
async def test_a_resumed_run_judges_the_old_answers_while_it_asks_for_the_new(tmp_path: Path) -> None:
    first = StagedRig(
        tmp_path, unclear(), JudgedBenchmark(100), dies_after(0), limit=60, bench={"health": {"patience_s": 1.0}}
    )
    await first.run()
    assert (len(first.lines()), first.judge_rig.lines()) == (60, [])
    again = StagedRig(tmp_path, unclear(), JudgedBenchmark(100), says())
    await again.run()
    assert len(again.model.asked) == 40
    assert again.seconds < 12
    assert sorted(again.judged) == sorted(f"{n}/{UNREADABLE}" for n in range(100))
    assert 25 <= again.judged_s < 28, "the judge was at work from the beginning"
    assert overall(again.entry) == 1.0


@pytest.mark.anyio
@pytest.mark.parametrize("setup", ["s2", None])
async def test_old_answers_that_hold_only_by_their_prompts_are_judged_as_well(
    tmp_path: Path, setup: str | None
) -> None:
    first = StagedRig(tmp_path, unclear(), JudgedBenchmark(20), dies_after(0), bench={"health": {"patience_s": 1.0}})
    await first.run()
    again = StagedRig(tmp_path, unclear(), JudgedBenchmark(24), says(), setup=setup)
    await again.run()
    assert (len(again.model.asked), len(again.judged), overall(again.entry)) == (4, 24, 1.0)


@pytest.mark.anyio
async def test_old_answers_that_hold_no_more_are_not_judged(tmp_path: Path) -> None:
    first = StagedRig(tmp_path, unclear(), JudgedBenchmark(20), dies_after(0), bench={"health": {"patience_s": 1.0}})
    await first.run()
    changed = ScriptedModel(answer=lambda _: "other?")
    again = StagedRig(tmp_path, changed, JudgedBenchmark(20, suffix="!"), says(), setup="s2")
    await again.run()
    assert sorted(again.judged) == sorted(f"{n}/other?" for n in range(20))


@pytest.mark.anyio
@pytest.mark.timeout(30)
async def test_old_answers_one_at_a_time_and_a_judge_that_is_gone_come_to_an_end(tmp_path: Path) -> None:
    first = StagedRig(tmp_path, unclear(), JudgedBenchmark(20), dies_after(0), bench={"health": {"patience_s": 1.0}})
    await first.run()
    again = StagedRig(
        tmp_path,
        unclear(),
        JudgedBenchmark(20),
        dies_after(5),
        stage={"room": 1},
        bench={"health": {"patience_s": 9.0}},
    )
    await again.run()
    assert (len(again.judge_rig.lines()), again.entry.unjudged) == (5, 15)


@pytest.mark.anyio
async def test_units_of_old_and_new_answers_are_whole(tmp_path: Path) -> None:
    first = StagedRig(
        tmp_path, unclear(), JoinedBenchmark(9), dies_after(0), limit=5, bench={"health": {"patience_s": 1.0}}
    )
    await first.run()
    again = StagedRig(tmp_path, unclear(), JoinedBenchmark(9), says())
    await again.run()
    assert (len(again.model.asked), sorted(again.judged)) == (4, [f"{n}/?" for n in range(9)])
    assert overall(again.entry) == 1.0


@pytest.mark.anyio
async def test_verdicts_that_are_there_are_not_asked_for_when_a_run_goes_on(tmp_path: Path) -> None:
    first = StagedRig(tmp_path, unclear(), JudgedBenchmark(40), says(), limit=30)
    await first.run()
    again = StagedRig(tmp_path, unclear(), JudgedBenchmark(40), says())
    await again.run()
    assert sorted(again.judged) == sorted(f"{n}/{UNREADABLE}" for n in range(30, 40))


@pytest.mark.anyio
async def test_a_file_that_breaks_off_is_no_trouble_for_the_stage(tmp_path: Path) -> None:
    class Broken(JoinedBenchmark):
        def samples(self):
            from eyechart.errors import DataError

            yield from list(super().samples())[:4]
            raise DataError("row 5 is broken")

    rig = StagedRig(tmp_path, unclear(), Broken(9), says())
    await rig.run()
    assert (len(rig.lines()), rig.entry.error) == (4, "row 5 is broken")


@pytest.mark.anyio
async def test_no_rule_runs_in_the_event_loop(tmp_path: Path) -> None:
    class Watched(JudgedBenchmark):
        def score(self, sample: Sample, prediction: Cell) -> Scored:
            threads.append(threading.current_thread())
            return super().score(sample, prediction)

    threads: list[threading.Thread] = []
    model = ScriptedModel(answer=lambda text: UNREADABLE if int(text[1:]) % 2 else f"a{text[1:]}")
    await StagedRig(tmp_path, model, Watched(40), says()).run()
    await StagedRig(tmp_path, model, Watched(44), says()).run()
    assert len(threads) == (20 + 2 * 20) + 40 + (2 + 2 * 2) + 40 + 44, "looked at, looked at again, and at the end"
    assert threading.main_thread() not in threads

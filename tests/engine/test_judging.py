"""Whole runs with a judge, over HTTP, in virtual time: greeting, overlap, death, resume, stop, scores again."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from stories import run_meanwhile

from eyechart.benchmarks.load import load_benchmark
from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.engine.config import RunPlan, load_tasks, read_environment, resolve_all
from eyechart.engine.config_model import Price
from eyechart.engine.config_plan import JudgeSpec
from eyechart.engine.judgements import read_judgements
from eyechart.engine.progress import RunProgress
from eyechart.engine.report import Report
from eyechart.engine.run import run_plan
from eyechart.errors import ConfigError, JudgeError
from eyechart.mockserver import MockServer
from eyechart.scoring.judge import JudgeRequest

GOLDEN = Path(__file__).parents[1] / "golden"
ROWS = 24
UNCLEAR = "it is hard to say what this might be"
GREETING = "This is a test of the connection"
KEY = "sk-canary-of-the-judge"

pytestmark = pytest.mark.virtual_time

Plan = Callable[..., RunPlan]


def judged_prompts(server: MockServer) -> Counter[str]:
    """What a judge was asked, greetings left out; the server has to record."""
    texts = (body["messages"][-1]["content"] for body in server.stats.recorded)
    return Counter(text for text in texts if not text.startswith(GREETING))


def verdicts(report: Report) -> list[Any]:
    return list(read_judgements(report.run_dir / "m" / "Choices" / "judgements.jsonl"))


async def elapsed(work: Any) -> tuple[Any, float]:
    started = anyio.current_time()
    return await work, anyio.current_time() - started


# -- the golden cases -------------------------------------------------------------------------------------------------


def scripts(
    name: str, data_root: Path, case: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, Any], dict[str, str]]:
    """Returns the model's answers by prompt, the judge's replies by prompt, and the sample of each prompt to the judge."""
    bench = load_benchmark(name, data_root=data_root, protocol="vlmeval")
    # An answer comes over HTTP without outer white space, and an empty one counts as a failed request here.
    predictions = {index: (text or "").strip() or None for index, text in case["predictions"].items()}
    answers = {}
    for sample in bench.samples():
        (message,) = bench.prompt(sample)
        text = "\n".join(part.text for part in message.parts if hasattr(part, "text"))
        answers[text] = predictions.get(sample.index) or ""
    replies: dict[str, Any] = {}
    index_of: dict[str, str] = {}

    async def listen(request: JudgeRequest) -> str:
        said = [*case["judge_replies"].get(request.index, []), case["judge_reply_when_exhausted"]]
        replies[request.prompt], index_of[request.prompt] = said, request.index
        return said[min(request.attempt, len(said) - 1)]

    score_predictions(bench, predictions, listen)
    return answers, replies, index_of


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["SEEDBench_IMG", "MMStar", "AI2D_TEST", "RealWorldQA"])
async def test_golden_cases_come_out_the_same_through_the_whole_engine(mock_server, tmp_path: Path, name: str) -> None:
    shutil.copy(GOLDEN / name / "dataset.tsv", tmp_path / f"{name}.tsv")
    case = json.loads((GOLDEN / name / "cases" / "judge.json").read_text(encoding="utf-8"))
    answers, replies, index_of = await anyio.to_thread.run_sync(scripts, name, tmp_path, case)
    model = await mock_server(mode="scripted", script={}, latency=0.1)
    model.settings = replace(model.settings, script=answers)
    judge = await mock_server(mode="scripted", script=replies, text="Z", latency=0.1, record=True)
    entry = {"type": "m", "name": "CustomAPIModel", "api_base": model.url, "retry": 1}
    evaluation = {"model": [entry], "data": [name], "data_root": str(tmp_path), "protocol": "vlmeval", "quiet": True}
    config = {"work_dir": str(tmp_path / "outputs"), "eval_config": evaluation}
    (plan,) = resolve_all(load_tasks(config), read_environment({}))
    spec = replace(plan.models[0], name="judge", url=judge.url, urls=())
    report = await run_plan(replace(plan, judges=(JudgeSpec(spec),)))

    (found,) = report.entries
    assert found.score is not None, found.error
    got = {index: record["hit"] for index, record in found.score.per_sample.items()}
    assert got == {index: record["hit"] for index, record in case["per_sample"].items()}
    by_split = lambda record: str(record.get("split"))  # noqa: E731
    table = sorted(({k: v for k, v in row.items() if v is not None} for row in found.score.table), key=by_split)
    expected = sorted(({k: v for k, v in row.items() if v is not None} for row in case["scores"]), key=by_split)
    assert [row.keys() for row in table] == [row.keys() for row in expected]
    for row, wanted in zip(table, expected, strict=True):
        assert row == {k: pytest.approx(v, abs=1e-9) if isinstance(v, float) else v for k, v in wanted.items()}
    asked = judged_prompts(judge)
    assert {index_of[text]: n for text, n in asked.items() if text in index_of} == case["judge_calls"]
    assert found.score.counts["judged"] == len(case["judge_calls"])
    # The spreadsheet of this protocol may change an answer, and with it what a judge is asked in the end.
    assert sum(n for text, n in asked.items() if text not in index_of) <= 6


# -- a run with a judge -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_judging_overlaps_asking_and_everything_is_told(mock_server, make_plan: Plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR, latency=1.0)
    judge = await mock_server(mode="fixed", text="B", latency=1.0, answer_tokens=2, api_key=KEY)
    from pydantic import SecretStr

    price = Price(prompt_per_million=1.0, completion_per_million=2.0)
    plan = make_plan(model, judge, judge={"price": price, "key": SecretStr(KEY), "temperature": 0.0})
    report, seconds = await elapsed(run_plan(plan))
    assert 6 <= seconds < 10, "24 answers and 24 verdicts, 4 of each at a time, 1 s each, after a greeting"
    (entry,) = report.entries
    assert (report.state, report.exit_code, entry.score.table[0]["Overall"]) == ("finished", 0, 0.25)
    assert entry.score.counts == {"scored": ROWS, "failed": 0, "unparsed": 0, "judged": ROWS}
    (about,) = entry.judging
    assert (about["name"], about["rubrics"], about["requests"], about["completion_tokens"]) == (
        "judge0", ["option_letter_en@1"], ROWS, 2 * ROWS,
    )  # fmt: skip
    assert about["cost"]["amount"] == pytest.approx((about["prompt_tokens"] + 4 * ROWS) / 1e6)
    assert judge.stats.requests == ROWS + 1
    scores = json.loads((report.run_dir / "m" / "Choices" / "scores.json").read_text())
    assert (scores["judging"][0]["judged"], scores["rules"]) == (ROWS, {"judge": ROWS})
    assert "judge judge0: 24 answers judged (option_letter_en@1), 0 unparsed" in report.as_markdown()
    (identity,) = json.loads((report.run_dir / "run.json").read_text())["judges"]
    assert (identity["name"], identity["endpoint"], identity["own_rubric"]) == ("judge0", judge.url, False)
    for path in report.run_dir.rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes(), path


@pytest.mark.anyio
async def test_scoring_again_asks_nobody_and_says_the_same(mock_server, make_plan: Plan) -> None:
    model, judge = await mock_server(mode="fixed", text=UNCLEAR), await mock_server(mode="fixed", text="B")
    plan = make_plan(model, judge)
    first = await run_plan(plan)
    files = [first.run_dir / "m" / name for name in ("Choices/scores.json", "m_Choices_acc.csv")]
    before = [file.read_bytes() for file in files]
    await judge.stop()
    again = await run_plan(replace(plan, mode="eval"))
    assert (again.run_dir, again.exit_code) == (first.run_dir, 0)
    assert [file.read_bytes() for file in files] == before
    assert (model.stats.requests, judge.stats.requests) == (ROWS, ROWS + 1)


@pytest.mark.anyio
async def test_a_judge_that_is_not_needed_is_not_asked(mock_server, make_plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "Words.tsv").write_text("index\tquestion\tanswer\timage\n0\tWhat?\tcat\t" + "QQ==" * 30 + "\n")
    model, judge = await mock_server(mode="fixed"), await mock_server(fail_always={"": "auth"})
    report = await run_plan(make_plan(model, judge, data=["Words"]))
    assert judge.stats.requests == 0
    assert not (report.run_dir / "m" / "Words" / "judgements.jsonl").exists()
    inferred = await run_plan(make_plan(model, judge, mode="infer"))
    assert (inferred.exit_code, judge.stats.requests) == (0, 0)


@pytest.mark.anyio
async def test_two_models_share_the_judges_limits(mock_server, make_plan: Plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR, latency=0.1)
    judge = await mock_server(mode="fixed", text="B", latency=1.0)
    entries = [{"type": name, "name": "CustomAPIModel", "api_base": model.url} for name in ("m", "n")]
    plan = make_plan(model, judge, judge={"nproc": 3}, models=entries)
    report, seconds = await elapsed(run_plan(plan))
    assert (report.exit_code, judge.stats.peak_in_flight) == (0, 3)
    assert 16 <= seconds < 20, "48 verdicts, 3 at a time"


# -- greeting ---------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("fault", ["auth", "not_found", "bad_request", "empty"])
async def test_an_unusable_judge_is_told_before_any_model_is_asked(mock_server, make_plan, tmp_path, fault) -> None:
    model, judge = await mock_server(mode="fixed"), await mock_server(fail_always={"": fault})
    with pytest.raises(JudgeError, match=r"judge judge0 cannot be used: .*judge: exact_matching") as raised:
        await run_plan(make_plan(model, judge))
    assert (raised.value.exit_code, model.stats.requests) == (3, 0)
    assert not (tmp_path / "outputs").exists(), "nothing was begun"


@pytest.mark.anyio
async def test_a_judge_that_is_not_there_is_told_soon(mock_server, make_plan: Plan) -> None:
    model, judge = await mock_server(mode="fixed"), await mock_server()
    await judge.stop()
    started = anyio.current_time()
    with pytest.raises(JudgeError, match="judge judge0 cannot be used"):
        await run_plan(make_plan(model, judge))
    assert anyio.current_time() - started < 40
    assert model.stats.requests == 0


@pytest.mark.anyio
async def test_a_rubric_that_shows_what_there_is_not_is_told_before_anything_is_asked(mock_server, make_plan) -> None:
    model, judge = await mock_server(), await mock_server()
    with pytest.raises(ConfigError, match=r"unknown placeholder \{letter\}"):
        await run_plan(make_plan(model, judge, rubric="{answer} {letter}"))
    assert (model.stats.requests, judge.stats.requests) == (0, 0)


@pytest.mark.anyio
async def test_a_rubric_of_ones_own_is_what_the_judge_is_shown(mock_server, make_plan: Plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR)
    judge = await mock_server(mode="fixed", text="B", record=True)
    rubric = "{question} {options}<{answer}> ({reference}) {{letter}}"
    report = await run_plan(make_plan(model, judge, rubric=rubric))
    assert f"What is in 2? A. cat\nB. dog\nC. boat\nD. lamp\n<{UNCLEAR}> (C) {{letter}}" in judged_prompts(judge)
    (name,) = report.entries[0].judging[0]["rubrics"]
    assert name.startswith("own@")
    assert {line.rubric for line in verdicts(report)} == {name}


# -- the end of a judge -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_judge_that_dies_leaves_the_model_going_and_scoring_again_completes_it(mock_server, make_plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR, latency=10.0)
    judge = await mock_server(mode="fixed", text="B")
    progress = RunProgress()
    plan = make_plan(model, judge, patience=20)
    async with run_meanwhile(plan, progress=progress) as reports:
        await anyio.sleep(15)
        await judge.stop()
    (report,) = reports
    (entry,) = report.entries
    kept = len(verdicts(report))
    assert (entry.tally.ok, entry.score, entry.unjudged) == (ROWS, None, ROWS - kept)
    assert 0 < kept < ROWS
    assert (report.state, report.exit_code) == ("incomplete", 3)
    assert f"eyechart score {report.run_dir} asks for those that are missing" in entry.error
    assert any("judge judge0 cannot be used any more" in warning for warning in report.warnings)
    with pytest.raises(JudgeError, match="answers have no verdict"):
        report.raise_for_problems()

    still_gone = await run_plan(replace(plan, mode="eval"))
    assert (still_gone.exit_code, still_gone.entries[0].unjudged) == (3, ROWS - kept)
    await judge.start()
    asked = judge.stats.requests
    scored = await run_plan(replace(plan, mode="eval"))
    assert (scored.exit_code, scored.entries[0].score.table[0]["Overall"]) == (0, 0.25)
    assert judge.stats.requests - asked == ROWS - kept, "only what is missing, and no greeting"
    assert (model.stats.requests, len(verdicts(scored))) == (ROWS, ROWS)


@pytest.mark.anyio
async def test_a_resumed_run_asks_only_for_what_is_missing(mock_server, make_plan: Plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR, latency=1.0)
    judge = await mock_server(mode="fixed", text="B", latency=1.0, record=True)
    plan = make_plan(model, judge)
    stop = anyio.Event()
    async with run_meanwhile(plan, stop=stop) as reports:
        await anyio.sleep(4.5)
        stop.set()
    (stopped,) = reports
    assert (stopped.state, stopped.exit_code) == ("interrupted", 130)
    first = judged_prompts(judge)
    assert 0 < len(first) == len(verdicts(stopped)) < ROWS, "what was on the wire was waited for and kept"
    again = await run_plan(plan)
    assert (again.run_dir, again.state) == (stopped.run_dir, "finished")
    assert set(judged_prompts(judge).values()) == {1}
    assert (len(judged_prompts(judge)), model.stats.requests) == (ROWS, ROWS)


@pytest.mark.anyio
async def test_stopped_at_the_judge_alone_a_run_is_interrupted_and_goes_on(mock_server, make_plan: Plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR)
    judge = await mock_server(mode="fixed", text="B", latency=100.0)
    plan = make_plan(model, judge, grace=5)
    stop = anyio.Event()
    started = anyio.current_time()
    async with run_meanwhile(plan, stop=stop) as reports:
        await anyio.sleep(150)
        stop.set()
    assert anyio.current_time() - started < 160, "the grace time is over before the judge has answered"
    (stopped,) = reports
    assert (stopped.state, stopped.entries[0].tally.ok, stopped.entries[0].score) == ("interrupted", ROWS, None)
    assert "the run was stopped" in stopped.entries[0].error
    again = await run_plan(plan)
    assert (again.state, model.stats.requests) == ("finished", ROWS)


# -- replies that cannot be read, refusals, several judges ------------------------------------------------------------


@pytest.mark.anyio
async def test_unreadable_verdicts_are_asked_for_three_times_and_counted(mock_server, make_plan: Plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR)
    judge = await mock_server(
        mode="scripted", script={"What is in 3?": "dunno", GREETING: "ready"}, text="B", record=True
    )
    report = await run_plan(make_plan(model, judge))
    (entry,) = report.entries
    assert (report.exit_code, entry.score.per_sample["3"]["rule"], entry.score.per_sample["3"]["hit"]) == (0, "none", 0)
    assert (entry.score.counts["unparsed"], entry.judging[0]["unparsed"]) == (1, 1)
    assert max(judged_prompts(judge).values()) == 3
    assert sum(judged_prompts(judge).values()) == ROWS + 2


@pytest.mark.anyio
async def test_an_answer_that_a_judge_refuses_is_unparsed_and_the_report_says_so(mock_server, make_plan: Plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR)
    judge = await mock_server(mode="fixed", text="B", fail_always={"What is in 3?": "context_overflow"})
    report = await run_plan(make_plan(model, judge))
    (entry,) = report.entries
    assert (entry.score.counts["unparsed"], entry.judging[0]["refused"]) == (1, 3)
    assert "3 requests refused" in report.as_markdown()
    assert {line.failure.kind for line in verdicts(report) if line.failure} == {"ContextOverflow"}


@pytest.mark.anyio
async def test_faults_of_all_kinds_cost_no_verdict(mock_server, make_plan: Plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR)
    kinds = ["rate_limit", "server_error", "unavailable", "reset", "truncated_json", "html_page", "reset_body"]
    judge = await mock_server(
        mode="fixed", text="B", fault_rate=0.5, fault_kinds=kinds, max_faults_per_request=2, seed=3
    )
    report = await run_plan(make_plan(model, judge))
    assert (report.exit_code, report.entries[0].score.counts["judged"]) == (0, ROWS)
    assert sum(judge.stats.faults.values()) > 5
    assert max(judge.stats.answers.values()) == 1


@pytest.mark.anyio
async def test_several_judges_and_repeats(mock_server, make_plan: Plan) -> None:
    model = await mock_server(mode="fixed", text=UNCLEAR)
    one = await mock_server(mode="scripted", script={"re:Question: What is in": ["A", "B", "B"]}, text="ready")
    two = await mock_server(mode="fixed", text="B")
    report = await run_plan(make_plan(model, one, two, repeats=3))
    (entry,) = report.entries
    assert {record["letter"] for record in entry.score.per_sample.values()} == {"B"}
    first, second = entry.judging
    assert (first["replies"], second["replies"], one.stats.requests) == (3 * ROWS, 3 * ROWS, 3 * ROWS + 1)
    assert first["agreement_of_repeats"]["agreed"] == pytest.approx(1 / 3)
    assert second["agreement_with_first"] == {"n": ROWS, "agreed": 1.0, "kappa": None}

"""The verb judge-audit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from eyechart.engine import resume
from eyechart.engine.config import load_tasks, read_environment, resolve_all
from eyechart.engine.config_plan import JudgeSpec
from eyechart.engine.run import run_plan


@pytest.fixture
async def judged_run(home, mock_server, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The folder of a run with a judge, and the judge."""
    model = await mock_server(
        mode="scripted", script={"Shapes 3?": "a boat, or so", "Shapes 4?": "who knows"}, text="B"
    )
    judge = await mock_server(mode="judge", script={"Answer: who knows": "nobody knows"}, text="ready")
    entry = {"type": "m", "name": "CustomAPIModel", "api_base": model.url}
    (plan,) = resolve_all(
        load_tasks({"work_dir": "out", "eval_config": {"model": [entry], "data": ["Shapes"], "quiet": True}}),
        read_environment(),
    )
    asked = replace(plan.models[0], name="judge", model="judge", url=judge.url, urls=(), retry=1)
    judges = (JudgeSpec(asked),)
    report = await run_plan(replace(plan, judges=judges))
    plain_plan_of_run = resume.plan_of_run

    def plan_of_run(*given: Any, **about: Any) -> Any:
        plan, missing = plain_plan_of_run(*given, **about)
        return replace(plan, judges=judges), missing

    monkeypatch.setattr(resume, "plan_of_run", plan_of_run)
    return report.run_dir, judge


@pytest.mark.anyio
async def test_a_table_and_what_is_behind_it(eyechart, judged_run) -> None:
    run_dir, judge = judged_run
    requests = judge.stats.requests
    done = await eyechart("judge-audit", run_dir)
    assert (done.code, done.err, judge.stats.requests) == (0, "", requests)
    head, row, *rest = done.out.splitlines()
    assert head.split() == [
        "model", "benchmark", "answers", "rules", "judge", "unparsed", "missing", "failed", "compared", "differ",
    ]  # fmt: skip
    assert row.split() == ["m", "Shapes", "12", "11", "0", "1", "0", "0", "0", "0"]
    text = "\n".join(rest)
    assert "judge judge: 1 answers judged (option_letter_en@1), 1 unparsed; 3 requests" in text
    assert "nobody could read: sample 4, 'who knows', judge: unreadable, saying 'nobody knows', worth 0" in text
    assert "rules read: sample" in text


@pytest.mark.anyio
async def test_as_json_and_with_questions(eyechart, judged_run) -> None:
    run_dir, judge = judged_run
    requests = judge.stats.requests
    done = await eyechart("judge-audit", run_dir, "--ask", "4", "--samples", "1", "--seed", "7", "--json")
    assert (done.code, judge.stats.requests) == (0, requests + 5)
    (audit,) = json.loads(done.out)["audits"]
    assert audit["compared"]["n"] == 4
    assert len(audit["cases"]["disagreements"]) == 1
    table = await eyechart("judge-audit", run_dir)
    assert "rules and judge agree on " in table.out
    assert table.out.splitlines()[1].split()[-2] == "4"


@pytest.mark.anyio
async def test_a_judge_that_does_not_answer_ends_with_its_own_code(eyechart, judged_run) -> None:
    run_dir, judge = judged_run
    judge.settings = replace(judge.settings, fail_always={"re:Question: What": "bad_image"}, dialect="transformers")
    done = await eyechart("judge-audit", run_dir, "--ask", "1")
    assert done.code == 3
    assert "m on Shapes: 1 answers have no verdict to compare with, the first being sample" in done.err
    judge.settings = replace(judge.settings, fail_always={"": "auth"})
    done = await eyechart("judge-audit", run_dir, "--ask", "5")
    assert (done.code, done.out) == (3, "")
    assert "judge judge cannot be used" in done.err


@pytest.mark.anyio
async def test_a_folder_without_a_run(eyechart, home) -> None:
    done = await eyechart("judge-audit", home)
    assert done.code == 1
    assert "there is no run in" in done.err

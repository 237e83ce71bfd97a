"""What an audit tells of rules and judges, and what it asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import JoinedBenchmark, JudgeRig, ScriptedModel, StagedRig

from eyechart.engine import judge_audit
from eyechart.engine.config import RunPlan
from eyechart.engine.judge_audit import audit_run
from eyechart.engine.run import run_plan
from eyechart.errors import ConfigError, JudgeError, RunLocked
from eyechart.mockserver import MockServer
from eyechart.records import Reply

ROWS = 24
CLEAR, NAMED, UNCLEAR = "The answer is A.", "I think it is a lamp or a boat, no, a boat", "it is hard to say"

pytestmark = pytest.mark.virtual_time


def answers() -> dict[str, str]:
    """Every third answer is a letter, every third needs a judge, every third is beyond anybody."""
    return {f"What is in {n}?": (CLEAR, NAMED, UNCLEAR)[n % 3] for n in range(ROWS)}


JUDGE = {"re:Answer: it is hard to say": "no idea at all", "re:Answer: I think": "C"}


@pytest.fixture
async def run(mock_server, make_plan: Callable[..., RunPlan]) -> tuple[RunPlan, Path, MockServer]:
    """A finished run: its plan, its folder and its judge. Two requests of the model failed."""
    fails = {"What is in 21?": "bad_request", "What is in 22?": "bad_request"}
    model = await mock_server(mode="scripted", script=answers(), fail_always=fails)
    judge = await mock_server(mode="judge", script=JUDGE, text="ready")
    plan = make_plan(model, judge)
    report = await run_plan(plan)
    assert report.exit_code == 2
    return replace(plan, mode="eval"), report.run_dir, judge


@pytest.mark.anyio
async def test_an_audit_of_what_is_stored_asks_nobody(run) -> None:
    plan, run_dir, judge = run
    asked = judge.stats.requests
    (audit,) = await audit_run(plan, run_dir)
    assert judge.stats.requests == asked
    assert (audit.model, audit.benchmark, audit.answers, audit.failed) == ("m", "Choices", 22, 2)
    assert (audit.by_rules, audit.by_judge, audit.unparsed, audit.missing) == (7, 7, 8, 0)
    assert dict(audit.rules) == {"option": 7, "judge": 7, "none": 8}
    (about,) = audit.judges
    assert (about["judged"], about["unparsed"], about["replies"]) == (15, 8, 7 + 3 * 8)
    assert (audit.compared.n, audit.unsaid, audit.error) == (0, {}, None)
    assert {kind: len(cases) for kind, cases in audit.cases.items()} == {
        "disagreements": 0, "by_rules": 3, "by_judge": 3, "unparsed": 3,
    }  # fmt: skip
    case = audit.cases["by_judge"][0]
    assert (case.answer, case.by_rules, case.by_judge, case.reply) == (NAMED, None, "C", "C")
    unread = audit.cases["unparsed"][0]
    assert (unread.rule, unread.by_judge, unread.reply, unread.points) == ("none", None, "no idea at all", 0.0)


@pytest.mark.anyio
async def test_on_request_the_judge_is_asked_about_what_the_rules_read_and_never_twice(run) -> None:
    plan, run_dir, judge = run
    # The judge's rule reads no option in "The answer is A.": it disagrees with the rules about all of them.
    asked = judge.stats.requests
    (audit,) = await audit_run(plan, run_dir, ask=4, shown=10)
    assert judge.stats.requests == asked + 1 + 4, "a greeting and four verdicts"
    assert (audit.compared.n, audit.compared.agreed) == (4, 0.0)
    assert {(c.by_rules, c.by_judge, c.reply) for c in audit.cases["disagreements"]} == {("A", "Z", "Z")}
    assert (audit.by_rules, audit.by_judge) == (7, 7), "what is asked for an audit changes no score"
    first = {c.index for c in audit.cases["disagreements"]}

    (again,) = await audit_run(plan, run_dir, ask=4, shown=10)
    assert judge.stats.requests == asked + 5 + 1, "only the greeting: the same seed draws the same answers"
    assert {c.index for c in again.cases["disagreements"]} == first
    (stored,) = await audit_run(plan, run_dir, shown=10)
    assert stored.compared == audit.compared
    (other,) = await audit_run(plan, run_dir, ask=4, seed=5, shown=10)
    assert other.compared.n > 4
    (everything,) = await audit_run(plan, run_dir, ask=1000)
    assert everything.compared.n == 7


@pytest.mark.anyio
async def test_scores_stay_what_they_are_after_an_audit(run) -> None:
    plan, run_dir, _ = run
    scores = run_dir / "m" / "Choices" / "scores.json"
    before = scores.read_bytes()
    await audit_run(plan, run_dir, ask=3)
    report = await run_plan(replace(plan, use_cache=run_dir))
    assert report.entries[0].score.rules == {"none": 8, "option": 7, "judge": 7, "failed": 2}
    assert scores.read_bytes() != before, "the requests of the audit are counted"


@pytest.mark.anyio
async def test_the_seed_draws_what_is_shown(run) -> None:
    plan, run_dir, _ = run
    shown = [
        tuple(c.index for c in (await audit_run(plan, run_dir, seed=seed))[0].cases["unparsed"])
        for seed in (0, 0, 1, 2)
    ]
    assert shown[0] == shown[1]
    assert len(set(shown)) > 1


@pytest.mark.anyio
async def test_a_judge_that_is_gone_is_told_and_what_is_stored_is_audited_all_the_same(run) -> None:
    plan, run_dir, judge = run
    await judge.stop()
    (audit,) = await audit_run(plan, run_dir)
    assert audit.by_judge == 7
    with pytest.raises(ExceptionGroup) as raised:
        await audit_run(plan, run_dir, ask=3)
    assert raised.group_contains(JudgeError, match="cannot be used")


@pytest.mark.anyio
async def test_answers_that_get_no_verdict_are_named(run) -> None:
    plan, run_dir, judge = run
    judge.settings = replace(judge.settings, fail_always={"re:Question: What is in": "server_error"})
    (audit,) = await audit_run(plan, run_dir, ask=3)
    assert len(audit.unsaid) == 3
    assert all("ServerFault" in reason for reason in audit.unsaid.values())
    assert audit.compared.n == 0


@pytest.mark.anyio
async def test_answers_that_wait_for_a_verdict_are_counted(run) -> None:
    plan, run_dir, _ = run
    journal = run_dir / "m" / "Choices" / "judgements.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"index":"1"' not in line))
    (audit,) = await audit_run(plan, run_dir)
    assert (audit.missing, audit.by_judge + audit.unparsed) == (1, 14)


@pytest.mark.anyio
async def test_asking_needs_the_run_for_itself_and_looking_does_not(run) -> None:
    from eyechart.engine.run_folder import RunFolder

    plan, run_dir, _ = run
    with RunFolder(run_dir):
        await audit_run(plan, run_dir)
        with pytest.raises(RunLocked):
            await audit_run(plan, run_dir, ask=1)


@pytest.mark.anyio
async def test_rows_of_a_unit_that_is_lost_early_are_nobodys_failure(tmp_path: Path, make_plan, monkeypatch) -> None:
    benchmark, folder = JoinedBenchmark(6), tmp_path / "m" / "Memory"
    folder.mkdir(parents=True)
    says = {"0/?": [Reply("no")], "1/?": [Reply("hm")] * 3}
    unclear = ScriptedModel(answer=lambda text: "a2" if text == "q2" else "?")
    await StagedRig(folder, unclear, benchmark, ScriptedModel(script=says, answer=lambda _: "yes")).run()
    judges = JudgeRig(folder, ScriptedModel()).judges
    monkeypatch.setattr(judge_audit, "load_benchmark", lambda *_, **__: benchmark)
    monkeypatch.setattr(judge_audit, "make_judges", lambda *_: judges)
    plan = replace(make_plan(MockServer()), data=("Memory",))
    (audit,) = await audit_run(plan, tmp_path, shown=9)
    # Units are 0 and 3 (no, and over), 1 and 4 (unreadable, and over), 2 and 5 (right by rule, and yes).
    assert (audit.by_rules, audit.by_judge, audit.unparsed, audit.undecided, audit.missing) == (1, 2, 1, 2, 0)
    assert [case.index for case in audit.cases["unparsed"]] == ["1"]


@pytest.mark.anyio
async def test_of_a_run_without_a_judge_the_rules_are_told(run) -> None:
    plan, run_dir, _ = run
    plan = replace(plan, judges=())
    (audit,) = await audit_run(plan, run_dir)
    assert (audit.answers, audit.by_rules, audit.by_judge, audit.unparsed, audit.judges) == (22, 7, 0, 15, ())
    assert len(audit.cases["unparsed"]) == 3
    with pytest.raises(ConfigError, match="there is none to ask"):
        await audit_run(plan, run_dir, ask=1)

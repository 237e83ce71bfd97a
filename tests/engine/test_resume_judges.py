"""A run that is taken up again has its judges in any folder and any environment, and says which key it lacks."""

from __future__ import annotations

import json

import pytest

from eyechart.engine.config import load_tasks, read_environment, resolve
from eyechart.engine.resume import kept_fields, plan_of_run
from eyechart.errors import ConfigError

MODEL = {"name": "CustomAPIModel", "type": "m", "api_base": "http://localhost:1/v1", "key": "sk-m"}
JUDGE = {"model": "j", "api_base": "http://judge:1/v1"}
BARE = {"HOME": "/h"}
PLEA = "is a secret and not stored with the run; give it in EYECHART_JUDGE_KEY"


@pytest.fixture
def begun(tmp_path):
    """Begins a run: writes the manifest of a task over a small file; keywords are fields of eval_config."""
    (tmp_path / "Mine.tsv").write_text("index\n")

    def begin(environ=None, task=None, **fields):
        mapping = {**(task or {}), "eval_config": {"model": [MODEL], "data": [str(tmp_path / "Mine.tsv")], **fields}}
        (config,) = load_tasks(mapping)
        plan = resolve(config, read_environment({**BARE, **(environ or {})}))
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "run.json").write_text(json.dumps(kept_fields(plan, {})))
        return tmp_path / "run", plan

    return begin


def again(run_dir, environ=None, **given):
    return plan_of_run(run_dir, read_environment({**BARE, **(environ or {})}), **given)


def asked(plan):
    """What of the judges does not come from a secret."""
    judges = []
    for judge in plan.judges:
        spec = judge.asked
        judges.append((spec.name, spec.model, spec.urls, spec.determines(), spec.nproc, judge.repeats, judge.rubric))
    return judges


TRIO = {"OPENAI_API_BASE": "http://env:1/v1", "LOCAL_LLM": "local-7b"}


@pytest.mark.parametrize(
    ("environ", "fields"),
    [
        ({}, {"judge": JUDGE}),
        ({}, {"judge": "gpt-4o", "judge_base_url": "http://h:1/x", "judge_args": {"top_p": 1}, "judge_api_nproc": 9}),
        ({}, {"judge": ["gpt-4o", "b"], "OPENAI_API_BASE": "http://h"}),
        (TRIO, {}),
        (TRIO, {"judge": "gpt-4o"}),
        (TRIO, {"judge": "gpt-4o", "judge_base_url": "http://h:1/x"}),
        (TRIO, {"judge_args": {"model": "gpt-4o-mini", "repeats": 3}}),
        (TRIO, {"judge": ["gpt-4o", JUDGE]}),
        ({"LOCAL_LLM": "local-7b"}, {"judge_base_url": "http://h:1/x"}),
        ({"LOCAL_LLM": "local-7b"}, {"task": {"OPENAI_API_BASE": "http://h:1"}}),
        ({"OPENAI_API_BASE": "http://env:1/path"}, {"judge": {"model": "j"}}),
        ({"OPENAI_API_BASE": "http://env:1"}, {"judge": "gpt-4o"}),
        ({"OPENAI_API_BASE": "http://env:1"}, {"judge": ["gpt-4o", "b", JUDGE]}),
    ],
)
def test_the_judges_are_the_same_in_another_environment(begun, environ, fields):
    run_dir, plan = begun(environ, **fields)
    assert plan.judges
    for elsewhere in ({}, {"OPENAI_API_BASE": "http://other", "LOCAL_LLM": "other"} if "judge" not in fields else {}):
        continued, missing = again(run_dir, elsewhere)
        assert asked(continued) == asked(plan)
        assert continued.digest == plan.digest
        assert not any("judge" in sentence or "OPENAI" in sentence for sentence in missing)


@pytest.mark.parametrize("place", ["judge", "list", "judge_args"])
def test_rubrics_are_found_from_anywhere(begun, tmp_path, monkeypatch, place):
    (tmp_path / "rubric.txt").write_text("Judge.")
    monkeypatch.chdir(tmp_path)
    entry = {**JUDGE, "rubric": "rubric.txt"}
    fields = {
        "judge": {"judge": entry},
        "list": {"judge": ["x", entry], "OPENAI_API_BASE": "http://h"},
        "judge_args": {"judge_args": entry},
    }[place]
    run_dir, plan = begun(**fields)
    monkeypatch.chdir("/")
    continued, _ = again(run_dir)
    assert [judge.rubric for judge in continued.judges] == [judge.rubric for judge in plan.judges]
    assert "Judge." in [judge.rubric for judge in continued.judges]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"judge": {**JUDGE, "key": "sk-j"}}, "eval_config.judge.key"),
        ({"judge": ["a", {**JUDGE, "key": "sk-j"}], "OPENAI_API_BASE": "http://h"}, "eval_config.judge[1].key"),
        ({"judge": "j", "judge_base_url": "http://h", "judge_key": "sk-j"}, "eval_config.judge_key"),
        ({"judge": "j", "judge_args": {"api_base": "http://h", "key": "sk-j"}}, "eval_config.judge_args.key"),
        ({**TRIO, "OPENAI_API_KEY": "sk-j"}, "eval_config.OPENAI_API_KEY"),
        ({**TRIO, "task": {"OPENAI_API_KEY": "sk-j"}}, "OPENAI_API_KEY"),
    ],
)
def test_a_missing_key_of_a_judge_is_asked_for(begun, fields, path):
    run_dir, _ = begun(**fields)
    assert "sk-j" not in (run_dir / "run.json").read_text()
    of_model = (
        "eval_config.model[0].key is a secret and not stored with the run; give it in EYECHART_API_KEY (or by --key)"
    )
    assert set(again(run_dir)[1]) == {of_model, f"{path} {PLEA}"}
    assert again(run_dir, mode="eval")[1] == [f"{path} {PLEA}"], "scoring asks no model, and the judge"
    plan, missing = again(run_dir, {"EYECHART_JUDGE_KEY": "sk-j"}, key="sk-m")
    assert missing == []
    assert plan.judges[-1].asked.key.get_secret_value() == "sk-j"
    plan, missing = again(run_dir, mode="eval", assignments=[f"{path}=sk-j"])
    assert missing == []
    assert plan.judges[-1].asked.key.get_secret_value() == "sk-j"


def test_a_judge_that_is_not_asked_needs_no_key(begun):
    run_dir, _ = begun(judge={**JUDGE, "key": "sk-j"})
    assert again(run_dir, mode="eval", judge={"judge": "exact_matching"})[1] == []
    assert again(run_dir, mode="eval", judge={"judge": "k", "judge_api_base": "http://k"})[1] == []
    assert again(run_dir, mode="eval", assignments=["eval_config.judge={model: k, api_base: http://k}"])[1] == []
    assert again(run_dir, key="sk-m", assignments=["eval_config.mode=infer"])[1] == []


def test_other_secrets_of_a_judge_are_asked_for_by_path(begun):
    run_dir, _ = begun(judge={**JUDGE, "access_token": "sk-j", "api_base": "http://j/v1/chat/completions?api-key=sk-j"})
    assert "sk-j" not in (run_dir / "run.json").read_text()
    missing = again(run_dir, {"EYECHART_JUDGE_KEY": "sk-k"}, mode="eval")[1]
    assert sorted(missing) == [
        f"eval_config.judge.{name} is a secret and not stored with the run; give it by --set "
        f"'eval_config.judge.{name}=…'"
        for name in ("access_token", "api_base")
    ]


def test_a_judge_for_this_time(begun):
    run_dir, plan = begun(judge=JUDGE)
    other, _ = again(run_dir, mode="eval", judge={"judge": "gpt-4o", "judge_api_base": "http://k:1", "judge_nproc": 7})
    (spec,) = (judge.asked for judge in other.judges)
    assert (spec.name, spec.url, spec.nproc) == ("gpt-4o", "http://k:1/v1/chat/completions", 7)
    assert other.digest == plan.digest
    known = json.loads((run_dir / "run.json").read_text())
    assert kept_fields(other, known) == known, "scoring again does not change what the run is"
    changed, _ = again(run_dir, mode="eval", assignments=["eval_config.judge.model=k"])
    assert changed.judges[0].asked.model == "k"


def test_a_judge_for_this_time_where_local_llm_named_the_runs(begun):
    run_dir, _ = begun(TRIO)
    other, _ = again(run_dir, mode="eval", judge={"judge": "gpt-4o"})
    (spec,) = (judge.asked for judge in other.judges)
    assert (spec.model, spec.url) == ("gpt-4o-2024-05-13", "http://env:1/v1/chat/completions")


def test_a_run_that_only_asked_is_judged_later(begun, tmp_path, monkeypatch):
    (tmp_path / "rubric.txt").write_text("Judge.")
    monkeypatch.chdir(tmp_path)
    run_dir, plan = begun(mode="infer", judge={**JUDGE, "key": "sk-j", "rubric": "rubric.txt"})
    assert plan.judges == ()
    monkeypatch.chdir("/")
    scored, missing = again(run_dir, mode="eval")
    assert [judge.rubric for judge in scored.judges] == ["Judge."]
    assert missing == [f"eval_config.judge.key {PLEA}"]


def test_a_rubric_that_is_gone(begun, tmp_path):
    rubric = tmp_path / "rubric.txt"
    rubric.write_text("Judge.")
    run_dir, _ = begun(judge={**JUDGE, "rubric": str(rubric)})
    rubric.unlink()
    with pytest.raises(ConfigError, match=r"run: eval_config\.judge\.rubric: there is no file '.*rubric\.txt'$"):
        again(run_dir)

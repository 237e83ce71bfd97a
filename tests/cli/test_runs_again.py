"""resume, score and report: what is done with the folder of a run."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.anyio


async def run(eyechart, server, *words, folder="run", data="Shapes"):
    return await eyechart(
        "eval", "-q", "--model", "m", "--api-base", server.url, "--data", *data.split(), "--use-cache", folder, *words
    )


def cut_journal(path, keep):
    """Leaves the first lines of a journal, as if the process had been killed then."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:keep]))


async def test_resume_asks_only_what_is_missing(eyechart, mock_server, home, monkeypatch):
    server = await mock_server()
    before = await run(eyechart, server)
    cut_journal(home / "run/m/Shapes/predictions.jsonl", 7)
    server.stats.reset()
    monkeypatch.delenv("LMUData")  # the folder of benchmark files is written in the run
    monkeypatch.chdir("/")
    done = await eyechart("resume", home / "run")
    assert done.code == 0
    assert server.stats.requests == 5
    assert "note: continuing" in done.err
    scores = [line for line in before.out.splitlines() if line.startswith("Shapes ")]
    assert [line for line in done.out.splitlines() if line.startswith("Shapes ")] == scores


async def test_a_run_begun_with_relative_paths_resumes_from_anywhere(eyechart, mock_server, home, monkeypatch):
    server = await mock_server()
    (home / "mine.tsv").write_text((home / "data" / "Shapes.tsv").read_text())
    assert (await run(eyechart, server, data="mine.tsv")).code == 0
    cut_journal(home / "run/m/mine/predictions.jsonl", 11)
    server.stats.reset()
    monkeypatch.chdir("/")
    assert (await eyechart("resume", home / "run")).code == 0
    assert server.stats.requests == 1


async def test_the_same_command_again_and_resume_mean_the_same_run(eyechart, mock_server, home):
    server = await mock_server()
    line = ("eval", "--model", "m", "--api-base", server.url, "--data", "Shapes")
    assert (await eyechart(*line)).code == 0
    (manifest,) = home.glob("outputs/*/run.json")
    manifest.write_text(manifest.read_text().replace('"finished"', '"interrupted"'))
    cut_journal(manifest.parent / "m/Shapes/predictions.jsonl", 4)
    assert (await eyechart("resume", manifest.parent)).code == 0
    manifest.write_text(manifest.read_text().replace('"finished"', '"interrupted"'))
    server.stats.reset()
    assert (await eyechart(*line)).code == 0
    assert server.stats.requests == 0
    assert len(list(home.glob("outputs/*/run.json"))) == 1


async def test_resume_says_that_a_key_was_left_out_and_takes_it_again(eyechart, mock_server, home, monkeypatch):
    server = await mock_server(api_key="sk-private")
    assert (await run(eyechart, server, "--key", "sk-private")).code == 0
    assert "sk-private" not in (home / "run" / "run.json").read_text()
    cut_journal(home / "run/m/Shapes/predictions.jsonl", 4)
    without = await eyechart("resume", "run")
    assert without.code == 3
    assert "note: eval_config.model[0].key is a secret and not stored with the run" in without.err
    cut_journal(home / "run/m/Shapes/predictions.jsonl", 4)
    monkeypatch.setenv("EYECHART_API_KEY", "sk-private")
    with_it = await eyechart("resume", "run")
    assert with_it.code == 0
    assert "secret" not in with_it.err
    monkeypatch.delenv("EYECHART_API_KEY")
    assert "secret" not in (await eyechart("resume", "run", "--key", "sk-private")).err


async def test_resume_with_a_change(eyechart, mock_server, home):
    server = await mock_server()
    assert (await run(eyechart, server, "--limit", 5)).code == 0
    done = await eyechart("resume", "run", "--set", "eval_config.limit=9")
    assert done.code == 0
    assert server.stats.requests == 9
    assert "9/9" in done.out


async def test_score_sends_no_request_and_leaves_the_run_what_it_was(eyechart, mock_server, home):
    server = await mock_server()
    assert (await run(eyechart, server, "--mode", "infer")).code == 0
    server.stats.reset()
    done = await eyechart("score", "run")
    assert done.code == 0
    assert server.stats.requests == 0
    assert "12/12" in done.out
    assert json.loads((home / "run/run.json").read_text())["config"]["eval_config"]["mode"] == "infer"
    cut_journal(home / "run/m/Shapes/predictions.jsonl", 10)
    assert (await eyechart("score", "run")).code == 2
    assert server.stats.requests == 0
    assert (await eyechart("resume", "run")).code == 0
    assert server.stats.requests == 2


async def test_scoring_with_a_judge_for_this_time_leaves_the_run_what_it_was(eyechart, mock_server, home):
    server = await mock_server()
    assert (await run(eyechart, server)).code == 0
    before = (home / "run/run.json").read_text()
    line = ("score", "run", "--judge", "gpt-4o", "--judge-api-base", server.url, "--judge-nproc", "auto")
    done = await eyechart(*line, "--set", "eval_config.judge_retry=2", "eval_config.judge_timeout=9")
    assert done.code == 0
    after = json.loads((home / "run/run.json").read_text())
    assert after["config"] == json.loads(before)["config"]
    done = await eyechart("score", "run", "--judge", "gpt-4o")
    assert done.code == 1
    assert done.err.startswith("eyechart: run: eval_config.judge: gpt-4o has no address")
    done = await eyechart("score", "run", "--set", "eval_config.judge.modle=x")
    assert "did you mean model?" in done.err


async def test_resume_makes_a_judge_the_runs_and_asks_for_its_key(eyechart, mock_server, home, monkeypatch):
    server = await mock_server()
    assert (await run(eyechart, server)).code == 0
    line = ("resume", "run", "--set", f"eval_config.judge={{model: j, api_base: '{server.url}', key: sk-private}}")
    assert (await eyechart(*line)).code == 0
    kept = json.loads((home / "run/run.json").read_text())
    assert kept["config"]["eval_config"]["judge"] == {"model": "j", "api_base": server.url}
    assert kept["secrets"] == ["eval_config.judge.key"]
    note = "note: eval_config.judge.key is a secret and not stored with the run; give it in EYECHART_JUDGE_KEY"
    assert note in (await eyechart("resume", "run")).err
    assert note in (await eyechart("score", "run")).err
    assert note not in (await eyechart("score", "run", "--judge", "exact_matching")).err
    monkeypatch.setenv("EYECHART_JUDGE_KEY", "sk-private")
    assert "secret" not in (await eyechart("score", "run")).err


async def test_report_prints_what_the_run_printed(eyechart, mock_server, home):
    server = await mock_server()
    before = await run(eyechart, server, data="Shapes Colours")
    done = await eyechart("report", "run")
    assert done.code == 0
    assert done.out == before.out.partition("\nReport: ")[0]


async def test_several_runs_side_by_side(eyechart, mock_server, home):
    server = await mock_server(mode="fixed", text="A")
    assert (await run(eyechart, server, folder="one", data="Shapes Colours")).code == 0
    assert (await run(eyechart, server, "--limit", 2, folder="two")).code == 0
    done = await eyechart("report", "one", "two")
    assert done.code == 0
    lines = {line.split("  ")[0]: line for line in done.out.splitlines()}
    assert "m @ one" in lines["benchmark"]
    assert "m @ two" in lines["benchmark"]
    assert lines["Shapes"].split()[1] == "0.25"
    assert "0.5" in lines["Shapes"].split()
    assert lines["Colours"].split()[-1] == "-"
    assert "Shapes: these runs differ in the number of samples (2, 12)" in done.out


async def test_scores_of_different_protocols_are_not_put_side_by_side(eyechart, mock_server):
    server = await mock_server()
    assert (await run(eyechart, server, folder="one")).code == 0
    assert (await run(eyechart, server, "--protocol", "vlmeval", folder="two")).code == 0
    done = await eyechart("report", "one", "two")
    assert done.code == 1
    assert done.out == ""
    assert "one: eyechart, two: vlmeval" in done.err


async def test_a_folder_of_runs_is_told_from_a_run(eyechart, mock_server, home):
    server = await mock_server()
    assert (await eyechart("eval", "-q", "--model", "m", "--api-base", server.url, "--data", "Shapes")).code == 0
    (run_dir,) = home.glob("outputs/*")
    for verb in ("report", "resume"):
        done = await eyechart(verb, "outputs")
        assert done.code == 1
        assert f"outputs/{run_dir.name}" in done.err

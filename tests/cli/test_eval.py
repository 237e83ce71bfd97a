"""eval: options, files, and what is printed."""

from __future__ import annotations

import json

import pytest

from eyechart.cli_options import spread

pytestmark = pytest.mark.anyio


def only_run(home, work_dir="outputs"):
    (path,) = (home / work_dir).glob("*/run.json")
    return path.parent


async def test_the_line_of_the_readme(eyechart, mock_server, home):
    server = await mock_server(mode="fixed", text="A")
    line = f"eval --model qwen-vl-chat --api-base {server.url} --data Shapes Colours --limit 8 --nproc 16"
    done = await eyechart(*line.split())
    assert done.code == 0
    assert server.stats.requests == 16
    run = only_run(home)
    rows = [line.split() for line in done.out.splitlines()]
    assert ["Shapes", "0.25", "0.07148", "to", "0.5907", "8/8", "0", "0", "0"] in rows
    assert next(row for row in rows if row[:1] == ["Colours"])[5] == "8/8"
    assert f"Report: outputs/{run.name}/report.md" in done.out
    assert "resume" not in done.out + done.err


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "Shapes", "Colours", "--limit", "2"],
        ["--data", "Shapes", "--limit", "2", "--data", "Colours"],
        ["--data=Shapes", "Colours", "--limit=2"],
        ["--limit", "2", "--data", "Shapes", "--data", "Colours"],
    ],
)
async def test_data_takes_several_values(eyechart, mock_server, home, words):
    server = await mock_server()
    done = await eyechart("eval", "--model", "m", "n", "--api-base", server.base_url, *words)
    assert done.code == 0
    jobs = {path.parent.relative_to(only_run(home)).as_posix() for path in home.glob("outputs/*/*/*/predictions.jsonl")}
    assert jobs == {"m/Shapes", "m/Colours", "n/Shapes", "n/Colours"}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--data A B", "--data A --data B"),
        ("--data A B --limit 3", "--data A --data B --limit 3"),
        ("--data=A B task.yaml", "--data=A --data B task.yaml"),
        ("--data A task.json -q", "--data A task.json -q"),
        ("--set a=1 b=2 c=x.json", "--set a=1 --set b=2 --set c=x.json"),
        ("--limit 3 task.yaml", "--limit 3 task.yaml"),
        ("--model a b --temperature -1 x", "--model a --model b --temperature -1 x"),
        ("--data A -- B", "--data A -- B"),
        ("--data", "--data"),
    ],
)
def test_spread(typed, meant):
    assert spread(typed.split()) == meant.split()


async def test_a_file_with_options_that_win_over_it(eyechart, mock_server, home):
    server = await mock_server(record=True)
    (home / "task.yaml").write_text(
        f"""
        work_dir: elsewhere
        eval_backend: VLMEvalKit
        eval_config:
          model:
            - {{type: m, name: CustomAPIModel, api_base: "{server.url}", temperature: 0.5}}
          data: [Shapes, Colours]
          limit: 5
        """
    )
    done = await eyechart(
        "eval", "task.yaml", "--limit", 3, "--data", "Shapes", "--max-tokens", 9, "--set",
        "eval_config.model[0].top_p=0.9", "eval_config.model[0].temperature=0.25",
    )  # fmt: skip
    assert done.code == 0
    assert len(server.stats.recorded) == 3
    body = server.stats.recorded[0]
    assert (body["max_tokens"], body["top_p"], body["temperature"]) == (9, 0.9, 0.25)
    assert only_run(home, "elsewhere")


async def test_a_file_with_a_list_of_tasks(eyechart, mock_server, home):
    server = await mock_server()
    task = {"eval_config": {"model": [{"type": "m", "api_base": server.url}], "data": ["Shapes"]}}
    (home / "tasks.json").write_text(json.dumps([{**task, "work_dir": "one"}, {**task, "work_dir": "two"}]))
    done = await eyechart("eval", "tasks.json", "--limit", 2)
    assert done.code == 0
    assert done.out.count("protocol eyechart") == 2
    assert only_run(home, "one")
    assert only_run(home, "two")


async def test_failed_samples_end_with_code_two_and_the_command_that_asks_again(eyechart, mock_server, home):
    server = await mock_server(fail_always={"Shapes 3": "bad_request"})
    done = await eyechart("eval", "--model", "m", "--api-base", server.url, "--data", "Shapes")
    assert done.code == 2
    assert "1 failed with BadRequest, the first being sample 3:" in done.out
    assert (
        f"eyechart: without an answer: 1 of the samples. To go on: eyechart resume outputs/{only_run(home).name}\n"
        in (done.err)
    )


async def test_quiet_shows_nothing_but_the_report(eyechart, mock_server):
    server = await mock_server()
    done = await eyechart("eval", "-q", "--model", "m", "--api-base", server.url, "--data", "Shapes")
    assert done.code == 0
    assert done.err == ""
    assert "12/12" in done.out


async def test_plain_lines_where_standard_error_is_no_terminal(eyechart, mock_server):
    server = await mock_server()
    done = await eyechart("eval", "--model", "m", "--api-base", server.url, "--data", "Shapes", "Colours")
    assert "m Shapes: done, 12/12 done, 0 failed" in done.err
    assert "m Colours: done, 12/12 done, 0 failed" in done.err


async def test_verbose_writes_the_log(eyechart, mock_server, home):
    server = await mock_server()
    line = ("eval", "-v", "--model", "m", "--api-base", server.url, "--data", "Shapes", "--use-cache", "run")
    assert (await eyechart(*line)).code == 0
    done = await eyechart(*line)
    assert "WARNING continuing run (finished)" in done.err


async def test_markup_and_escapes_from_outside_are_shown_not_obeyed(eyechart, mock_server, home):
    server = await mock_server(fail_always={"What": "bad_request"})
    table = (home / "data" / "Shapes.tsv").read_text()
    (home / "data" / "[red]Odd.tsv").write_text(table.replace("\n3\t", "\n\x1b[31m[bold]3\x1b]0;title\x07\t"))
    # Only that one row is asked: the fixture looks for escapes in all that is printed.
    done = await eyechart("eval", "--model", "[i]m", "--api-base", server.url, "--data", "[red]Odd", "--limit", 4)
    assert done.code == 2
    assert "[i]m" in done.out
    assert "[red]Odd: 4 failed with BadRequest" in done.out


async def test_the_key_comes_from_the_environment_and_is_written_nowhere(eyechart, mock_server, home, monkeypatch):
    server = await mock_server(api_key="sk-private-1234")
    monkeypatch.setenv("EYECHART_API_KEY", "sk-private-1234")
    done = await eyechart("eval", "--model", "m", "--api-base", server.url, "--data", "Shapes")
    assert done.code == 0
    texts = [path.read_text() for path in (home / "outputs").rglob("*") if path.is_file()]
    assert not any("sk-private-1234" in text for text in (*texts, done.out, done.err))


@pytest.mark.parametrize(
    ("judge", "words", "kept"),
    [
        ("{model: a, api_base: URL}", "--judge-nproc 9", {"judge": {"model": "a", "api_base": "URL", "nproc": 9}}),
        ("{model: a, api_base: URL}", "--judge exact_matching", {"judge": "exact_matching"}),
        ("a, judge_base_url: URL", "--judge b", {"judge": "b", "judge_base_url": "URL"}),
        ("a, judge_base_url: x", "--judge-api-base URL", {"judge": "a", "judge_args": {"api_base": "URL"}}),
        ("null", "--set eval_config.judge={model: a, api_base: URL}", {"judge": {"model": "a", "api_base": "URL"}}),
        ("{model: a, api_base: URL}", "--set eval_config.judge.model=b", {"judge": {"model": "b", "api_base": "URL"}}),
    ],
)
async def test_options_of_the_judge_win_over_the_file(eyechart, mock_server, home, *, judge, words, kept):
    server = await mock_server()
    task = f"{{work_dir: out, eval_config: {{model: [{{type: m, api_base: URL}}], data: [Shapes], judge: {judge}}}}}"
    (home / "task.yaml").write_text(task.replace("URL", server.url))
    done = await eyechart("eval", "task.yaml", *words.replace("URL", server.url).split(" ", 1))
    assert done.code == 0, done.err
    config = json.loads((only_run(home, "out") / "run.json").read_text())["config"]["eval_config"]
    told = {name: value for name, value in config.items() if name.startswith("judge")}
    assert told == json.loads(json.dumps(kept).replace("URL", server.url))

"""The verbs that look before a run: what they print, and their exit codes."""

from __future__ import annotations

import json
import re

import pytest
import typer

from eyechart.cli import app

pytestmark = pytest.mark.anyio

SECRET = "sk-very-secret-0123456789"  # noqa: S105
NOWHERE = ("--model", "m", "--api-base", "http://127.0.0.1:9/v1")
TASK = """
work_dir: outputs
eval_config:
  model:
    - {name: CustomAPIModel, type: mock, api_base: "%s", price: {prompt_per_million: 1.5, completion_per_million: 6}}
  data: [Shapes, Colours]
  nproc: 8
"""


async def test_all_is_well(eyechart, mock_server, home):
    server = await mock_server()
    (home / "eval.yaml").write_text(TASK % server.base_url)
    done = await eyechart("doctor", "eval.yaml")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert all(line.startswith("ok ") for line in lines[:-2])
    assert re.fullmatch(r"\d+ checks: \d+ ok", lines[-1])
    assert not (home / "outputs").exists()


async def test_the_same_options_as_eval(eyechart, mock_server):
    server = await mock_server(model="known")
    done = await eyechart("doctor", "--model", "m", "--api-base", server.url, "--data", "Shapes", "--set", "nproc=3")
    assert done.code == 1
    assert "nproc" in done.out
    done = await eyechart("doctor", "--model", "m", "--api-base", server.url, "--data", "Shapes", "Colours")
    assert done.code == 3
    assert "failure  endpoint       m: the server knows no model 'm': HTTP 404" in done.out
    assert "→ set type (--model) to one of: 'known'" in done.out
    assert done.out.splitlines()[-1].endswith(" ok")


async def test_each_problem_of_the_configuration_has_a_line(eyechart, home):
    (home / "eval.yaml").write_text(
        "eval_config: {model: [{type: m, api_base: 'http://h', tempreature: 1}], data: [Shapes], nprok: 3}"
    )
    done = await eyechart("doctor", "eval.yaml")
    assert done.code == 1
    assert done.out.count("failure  configuration") == 2
    assert "did you mean temperature?" in done.out
    assert "did you mean nproc?" in done.out


async def test_a_judge_without_an_address_is_refused_in_plain_words(eyechart):
    done = await eyechart("doctor", *NOWHERE, "--data", "Shapes", "--judge", "gpt-4o")
    assert done.code == 1
    assert "failure  configuration  --judge: gpt-4o has no address; set judge_base_url" in done.out


async def test_a_judge_is_examined(eyechart, mock_server, monkeypatch):
    server = await mock_server(model="mock")
    judging = await mock_server(api_key=SECRET, model="j")
    line = ("--model", "mock", "--api-base", server.base_url, "--data", "Shapes", "--judge", "j")
    line += ("--judge-api-base", judging.base_url)
    done = await eyechart("doctor", *line)
    assert done.code == 3
    assert "failure  judge          j: the key is refused: HTTP 401" in done.out
    assert "EYECHART_JUDGE_KEY" in done.out
    monkeypatch.setenv("EYECHART_JUDGE_KEY", SECRET)
    done = await eyechart("doctor", *line)
    assert (done.code, done.err) == (0, "")
    assert "ok       judge          j: answers: said" in done.out
    assert SECRET[:8] not in done.out


async def test_an_estimate_says_that_judges_are_not_counted(eyechart, mock_server):
    server = await mock_server()
    line = ("--model", "mock", "--api-base", server.base_url, "--data", "Shapes", "--judge", "gpt-4o")
    done = await eyechart("estimate", *line, "--judge-api-base", server.base_url)
    assert done.code == 0
    assert "Not counted: what is asked of gpt-4o; only answers show which of them need a judge." in done.out


async def test_a_missing_file_of_ones_own(eyechart):
    done = await eyechart("doctor", *NOWHERE, "--data", "absent.tsv")
    assert done.code == 1
    assert "failure  configuration  --data: there is no file 'absent.tsv'" in done.out


async def test_a_server_that_is_down_as_json(eyechart):
    done = await eyechart("doctor", *NOWHERE, "--data", "Shapes", "--json")
    found = json.loads(done.out)
    assert done.code == found["exit_code"] == 3
    (failure,) = [check for check in found["checks"] if check["status"] == "failure"]
    assert set(failure) == {"area", "subject", "status", "found", "remedy"}
    assert failure["found"].startswith("connection refused at 127.0.0.1 port 9")


async def test_no_verb_shows_the_key(eyechart, mock_server, monkeypatch):
    monkeypatch.setenv("EYECHART_API_KEY", SECRET)
    server = await mock_server(api_key="right", dialect="swift")
    line = ("--model", "mock", "--api-base", server.url, "--data", "Shapes")
    for verb in ("doctor", "estimate"):
        for extra in ((), ("--json",)):
            done = await eyechart(verb, *line, *extra)
            assert done.code == 3
            assert SECRET[:8] not in done.out + done.err


async def test_a_step_waits_no_longer_than_it_is_told(eyechart, mock_server):
    server = await mock_server(faults={"hang": 1.0})
    done = await eyechart(
        "doctor", "--model", "mock", "--api-base", server.url, "--data", "Shapes", "--check-timeout", "0.2"
    )
    assert done.code == 3
    assert "no answer in time" in done.out


async def test_an_estimate(eyechart, mock_server, home):
    server = await mock_server(mode="fixed", text="A", answer_tokens=3)
    (home / "eval.yaml").write_text(TASK % server.base_url)
    done = await eyechart("estimate", "eval.yaml")
    assert (done.code, done.err) == (0, "")
    assert server.stats.requests == 8
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line}
    assert rows["Shapes"][1:3] == rows["Colours"][1:3] == ["12", "12"]
    assert rows["all"][1] == "24"
    assert rows["all"][6] == "72", "3 tokens for each of 24 answers"
    assert re.search(
        r"Cost: 0\.0\d+ USD \(1\.5 and 6 USD a million tokens of prompts and answers\); 0\.3\d+ if", done.out
    )
    assert done.out.count("Prompt ") == 3
    assert "What is in Colours 0?" in done.out
    assert re.search(r"<0\.png: image/png, 100 x 90 pixels, \d+ B as sent>", done.out)


async def test_an_estimate_that_sends_nothing(eyechart, mock_server, home):
    server = await mock_server()
    (home / "eval.yaml").write_text(TASK % server.base_url)
    done = await eyechart("estimate", "eval.yaml", "--no-probe", "--json", "--limit", "5")
    assert (done.code, server.stats.requests) == (0, 0)
    (model,) = json.loads(done.out)["models"]
    assert [entry["requests"] for entry in model["benchmarks"]] == [5, 5]
    assert (model["currency"], model["cost"], model["at_once"]) == ("USD", None, 8)


async def test_an_estimate_of_a_server_that_is_down(eyechart):
    done = await eyechart("estimate", *NOWHERE, "--data", "Shapes")
    assert done.code == 3
    assert done.err.startswith("eyechart: m: no probe was answered: row 0: Transport: connection refused")
    assert "eyechart doctor" in done.err
    assert "Shapes" in done.out, "what can be counted is counted"


async def test_an_estimate_without_its_data(eyechart):
    done = await eyechart("estimate", *NOWHERE, "--data", "MMStar")
    assert done.code == 1
    assert "eyechart data pull MMStar" in done.err
    assert done.out == ""


@pytest.mark.parametrize("verb", ["doctor", "estimate"])
def test_every_option_of_eval_but_those_for_watching(verb):
    commands = typer.main.get_command(app).commands
    of_eval, here = ({param.name for param in commands[name].params} for name in ("eval", verb))
    assert of_eval - here == {"quiet", "verbose", "json_progress"}

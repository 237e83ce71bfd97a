"""Estimates: what is counted, asked, multiplied and shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_benchmarks import write_tiny

from eyechart.benchmarks.load import load_benchmark
from eyechart.engine.config import load_tasks, read_environment, resolve
from eyechart.engine.estimate import Range, estimate
from eyechart.engine.rendered import PictureShown
from eyechart.engine.survey import spread, survey
from eyechart.errors import ConfigError, DataError

pytestmark = pytest.mark.anyio

PRICE = {"prompt_per_million": 2.0, "completion_per_million": 10.0, "currency": "EUR"}


def picture(n: int, size: tuple[int, int] = (40, 30)) -> str:
    buffer = BytesIO()
    Image.new("RGB", size, (n % 256, 80, 160)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def write(path: Path, rows: int, *, images: dict[int, str] | None = None, size: tuple[int, int] = (40, 30)) -> Path:
    lines = ["index\tquestion\tA\tB\tanswer\timage"]
    for n in range(rows):
        image = (images or {}).get(n) or picture(n, size)
        lines.append(f"{n}\tWhat is in {n}?\tcat\tdog\tA\t{image}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Any]:
    """Resolves a task over a file of 20 rows; keywords are fields of eval_config, `model` those of the model."""

    def build(address: str, *, model: dict[str, Any] | None = None, **fields: Any) -> Any:
        fields.setdefault("data", [str(write(tmp_path / "Shapes.tsv", 20))])
        entry = {"type": "m", "name": "CustomAPIModel", "api_base": address, **(model or {})}
        config = {"model": [entry], "data_root": str(tmp_path), **fields}
        (task,) = load_tasks({"work_dir": str(tmp_path / "outputs"), "eval_config": config})
        return resolve(task, read_environment({}))

    return build


async def test_counts_tokens_time_and_cost_come_from_the_probes(mock_server, plan, tmp_path) -> None:
    server = await mock_server(mode="fixed", text="A", answer_tokens=5, record=True)
    found = await estimate(plan(server.base_url, nproc=10, model={"price": PRICE}))
    (model,) = found.models
    (job,) = model.jobs
    assert (job.requests, job.pictures) == (20, 20)
    assert job.picture_bytes == sum(len(picture(n)) for n in range(20))
    assert server.stats.requests == 4
    assert [body["max_tokens"] for body in server.stats.recorded] == [2048] * 4
    asked = {
        part["text"] for body in server.stats.recorded for part in body["messages"][0]["content"] if "text" in part
    }
    assert {text.splitlines()[0] for text in asked} == {f"Question: What is in {n}?" for n in (0, 5, 10, 15)}
    assert job.probes.completion_tokens == (5, 5, 5, 5)
    assert model.completion_tokens == 100
    assert model.prompt_tokens == round(20 * sum(job.probes.prompt_tokens) / 4)
    assert model.cost == pytest.approx((model.prompt_tokens * 2 + 100 * 10) / 1e6)
    assert not (tmp_path / "outputs").exists()
    latency = job.probes.latency_s
    assert job.seconds == Range(pytest.approx(2 * latency), pytest.approx(5 * latency))


async def test_no_probe_sends_nothing(mock_server, plan) -> None:
    server = await mock_server()
    found = await estimate(plan(server.base_url), probes=0)
    (model,) = found.models
    assert server.stats.requests == 0
    assert (model.jobs[0].requests, model.prompt_tokens, model.seconds, model.cost) == (20, None, None, None)
    assert len(found.prompts) == 3
    assert found.unanswered == ()


async def test_the_limit_counts(mock_server, plan) -> None:
    server = await mock_server()
    found = await estimate(plan(server.base_url, limit=3), probes=8)
    assert found.models[0].jobs[0].requests == 3
    assert server.stats.requests == 3


async def test_every_model_and_benchmark(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    data = [str(write(tmp_path / f"{name}.tsv", rows)) for name, rows in (("One", 5), ("Two", 7))]
    made = plan(server.base_url, data=data)
    made = replace(made, models=(*made.models, replace(made.models[0], name="n", model="n")))
    found = await estimate(made, probes=2)
    assert [(m.spec.name, j.benchmark, j.requests) for m in found.models for j in m.jobs] == [
        ("m", "One", 5),
        ("m", "Two", 7),
        ("n", "One", 5),
        ("n", "Two", 7),
    ]
    assert server.stats.requests == 8
    assert [prompt.benchmark for prompt in found.prompts] == ["One", "Two", "One"]
    first = found.models[0]
    assert first.seconds.low == pytest.approx(sum(job.seconds.low for job in first.jobs))


@pytest.mark.parametrize(("limits", "least"), [({"rpm": 60}, 20.0), ({"tpm": 600}, 20 * 268 / 10)])
async def test_rate_limits_lengthen_the_time(mock_server, plan, limits, least) -> None:
    server = await mock_server(mode="fixed", answer_tokens=0)
    found = await estimate(plan(server.base_url, **limits))
    seconds = found.models[0].seconds
    assert seconds.low == seconds.high == pytest.approx(least, rel=0.1)


async def test_more_addresses_answer_more_at_a_time(mock_server, plan) -> None:
    server = await mock_server()
    made = plan(server.base_url, nproc=2)
    spec = replace(made.models[0], urls=(server.url, server.url))
    found = await estimate(replace(made, models=(spec,)))
    assert found.models[0].at_once == 4
    assert found.models[0].seconds.low == pytest.approx(5 * found.models[0].jobs[0].probes.latency_s)


async def test_a_server_that_counts_no_tokens(plan, serve_replies) -> None:
    url = await serve_replies(200, {"choices": [{"message": {"content": "A"}}]})
    (model,) = (await estimate(plan(url, model={"price": PRICE}))).models
    assert (model.prompt_tokens, model.completion_tokens, model.cost) == (None, None, None)
    assert model.seconds is not None


async def test_probes_that_fail_are_told_and_the_others_count(mock_server, plan) -> None:
    server = await mock_server(fail_always={"What is in 5?": "bad_request"}, mode="fixed", answer_tokens=2)
    found = await estimate(plan(server.base_url))
    probes = found.models[0].jobs[0].probes
    assert len(probes.failures) == 1
    assert probes.failures[0].startswith("row 5: BadRequest: HTTP 400")
    assert found.models[0].completion_tokens == 40
    assert found.unanswered == ()


async def test_no_answer_at_all(mock_server, plan) -> None:
    server = await mock_server(api_key="right")
    found = await estimate(plan(server.base_url, model={"key": "sk-wrong-secret"}))
    assert found.unanswered[0].startswith("m: no probe was answered: row ")
    assert found.models[0].jobs[0].requests == 20
    assert "sk-wrong" not in json.dumps(found.as_dict())


async def test_a_picture_that_cannot_be_read_is_named(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    path = write(tmp_path / "Broken.tsv", 8, images={0: picture(0)[:80]})
    found = await estimate(plan(server.base_url, data=[str(path)]))
    assert found.problems[0].startswith("Broken, row 0: picture 0.png: ")
    assert found.models[0].jobs[0].requests == 8


async def test_pictures_that_are_shrunk_count_as_they_are_sent(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    data = [str(write(tmp_path / "Large.tsv", 4, size=(800, 600)))]
    whole = (await estimate(plan(server.base_url, data=data), probes=0)).models[0].jobs[0]
    found = await estimate(plan(server.base_url, data=data, model={"img_size": 100}), probes=0)
    assert found.models[0].jobs[0].picture_bytes < whole.picture_bytes
    shown = found.prompts[0].pictures[0]
    assert (shown.width, shown.height, shown.format) == (100, 75, "image/jpeg")


async def test_a_document_counts_as_the_pages_that_are_shown(mock_server, plan, tmp_path) -> None:
    write_tiny("DUDE", tmp_path)  # documents of 1, 2 and 3 pages, twice
    server = await mock_server()
    job = (await estimate(plan(server.base_url, data=["DUDE"]), probes=6)).models[0].jobs[0]
    assert (job.requests, job.pictures) == (6, 12)
    assert job.prompt_tokens == pytest.approx(12 * 256, rel=0.1)
    sheets = await estimate(plan(server.base_url, data=["DUDE"], concat_num=1, column_num=2), probes=0)
    assert sheets.models[0].jobs[0].pictures == 6
    assert [picture.name for picture in sheets.prompts[0].pictures] == ["doc1_concat1_0.jpg"]


async def test_prompts_are_shown_as_they_are_sent(mock_server, plan) -> None:
    server = await mock_server()
    found = await estimate(plan(server.base_url, model={"system_prompt": "Be brief."}), probes=0)
    system, user = found.prompts[0].turns
    assert (system.role, system.parts) == ("system", ("Be brief.",))
    shown, text = user.parts
    assert shown == PictureShown("0.png", "image/png", 40, 30, len(picture(0)))
    assert text.startswith("Question: What is in 0?\nOptions:\nA. cat\nB. dog\n")
    record = found.as_dict()["prompts"][0]
    assert [message["role"] for message in record["messages"]] == ["system", "user"]
    assert record["request_bytes"] == found.prompts[0].request.size


async def test_nothing_is_asked_when_only_scores_are_wanted(plan) -> None:
    with pytest.raises(ConfigError, match="asks nothing"):
        await estimate(plan("http://h", mode="eval"))


async def test_a_missing_file(plan) -> None:
    with pytest.raises(DataError, match="eyechart data pull MMStar"):
        await estimate(plan("http://h", data=["MMStar"]))


@pytest.mark.parametrize(
    ("rows", "count", "expected"),
    [(0, 4, []), (1, 4, [0]), (4, 4, [0, 1, 2, 3]), (100, 4, [0, 25, 50, 75]), (9, 1, [0])],
)
def test_spread(rows, count, expected) -> None:
    assert spread(rows, count) == expected


def test_a_survey_hands_back_the_chosen_samples_and_the_last(tmp_path) -> None:
    path = write(tmp_path / "Mine.tsv", 9, images={4: "3"})
    found = survey(load_benchmark(str(path)), None, lambda rows: [0, rows // 2])
    assert (found.rows, found.pictures, found.unreadable) == (9, 9, 0)
    assert [sample.index for sample in found.samples] == ["0", "4", "8"]
    assert found.picture_bytes == sum(len(picture(3 if n == 4 else n)) for n in range(9)), "4 shows the picture of 3"


def test_a_survey_goes_no_further_than_the_limit(tmp_path) -> None:
    path = write(tmp_path / "Mine.tsv", 9)
    with path.open("a") as file:
        file.write("0\tAgain?\tcat\tdog\tA\t" + picture(0) + "\n")
    benchmark = load_benchmark(str(path))
    assert survey(benchmark, 4, lambda rows: []).rows == 4
    with pytest.raises(DataError, match="index '0'"):
        survey(benchmark, None, lambda rows: [])


def test_pictures_that_are_files_count_as_they_will_be_sent(tmp_path) -> None:
    (tmp_path / "a.png").write_bytes(base64.b64decode(picture(1)))
    path = tmp_path / "Mine.tsv"
    path.write_text("index\tquestion\tanswer\timage_path\n0\tWhat?\tx\ta.png\n1\tWhat?\tx\tabsent.png\n")
    found = survey(load_benchmark(str(path)), None, lambda rows: [])
    assert (found.rows, found.pictures, found.unreadable) == (2, 1, 1)
    assert found.picture_bytes == len(picture(1))


async def test_judges_are_named_as_not_counted(mock_server, plan) -> None:
    server = await mock_server()
    judge = [{"model": "a", "api_base": "http://127.0.0.1:9"}, {"model": "org/b", "api_base": "http://127.0.0.1:9"}]
    found = await estimate(plan(server.base_url, judge=judge))
    assert found.judges == ("a", "b")
    assert found.as_dict()["judges_not_counted"] == ["a", "b"]
    assert (await estimate(plan(server.base_url))).judges == ()

"""One judge in virtual time: its limits, its tries, its refusals, its death."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from fakes import JudgeRig, ScriptedModel, model_spec, parameters

from eyechart.adapters.base import Request
from eyechart.engine.config_plan import JudgeSpec, ModelSpec
from eyechart.engine.judge_desk import JudgeDesk
from eyechart.engine.judge_writer import JudgeWriter
from eyechart.engine.limits import Gate, Limits
from eyechart.engine.replicas import Fleet, Replica
from eyechart.errors import (
    AuthError,
    BadRequest,
    ContextOverflow,
    EmptyAnswer,
    JudgeError,
    NotFound,
    Overloaded,
    RateLimited,
    ServerFault,
    Timeout,
    Transport,
)
from eyechart.records import Reply, Usage
from eyechart.scoring.judge import JudgeRequest

pytestmark = pytest.mark.virtual_time


def request(text: str, **about: Any) -> JudgeRequest:
    return JudgeRequest("Memory", text, 0, "r@1", text, **about)


def says(text: str = "yes", **about: Any) -> ScriptedModel:
    return ScriptedModel(answer=lambda _: text, **about)


async def ask_all(desk: JudgeDesk, texts: list[str]) -> dict[str, str]:
    """Asks for one verdict on each text at the same time; an error stands for the verdict that it kept away."""
    found: dict[str, str] = {}

    async def ask(text: str) -> None:
        try:
            found[text] = await desk.ask(desk.voices[0], request(text))
        except JudgeError as error:
            found[text] = f"JudgeError: {error}"

    async with anyio.create_task_group() as tasks:
        for text in texts:
            tasks.start_soon(ask, text)
    return found


async def asked(rig: JudgeRig, *texts: str) -> tuple[dict[str, str], float]:
    """Returns the verdicts, and the seconds that they took."""
    started = anyio.current_time()
    async with rig.open() as desk:
        found = await ask_all(desk, list(texts))
    return found, anyio.current_time() - started


QUESTIONS = [f"t{n}" for n in range(12)]


@pytest.mark.anyio
async def test_no_more_than_nproc_are_in_flight_and_first_come_is_first_served(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, says())
    found, seconds = await asked(rig, *QUESTIONS)
    assert found == dict.fromkeys(QUESTIONS, "yes")
    assert (rig.models[0].peak, rig.models[0].asked) == (4, QUESTIONS)
    assert seconds == pytest.approx(3, abs=0.2)
    assert rig.progress.judge_in_flight == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("limits", "least_s"),
    [(Limits(8, rpm=30), 22), (Limits(1, tpm=600), 11)],
)
async def test_limits_a_minute_are_kept(tmp_path: Path, limits: Limits, least_s: float) -> None:
    # At 600 tokens a minute an answer of 10 tokens is due every second.
    reply = Reply("yes", usage=Usage(8, 2))
    model = ScriptedModel(latency_s=0.1, script={text: [reply] for text in QUESTIONS})
    _, seconds = await asked(JudgeRig(tmp_path, model, limits=limits), *QUESTIONS)
    assert least_s - 1.5 <= seconds <= least_s + 1.5


@pytest.mark.anyio
async def test_retry_after_silences_the_judge_for_all(tmp_path: Path) -> None:
    model = says(script={"t0": [RateLimited("slow down", retry_after=1800.0)]})
    found, seconds = await asked(JudgeRig(tmp_path, model, limits=Limits(2)), *QUESTIONS)
    assert set(found.values()) == {"yes"}
    assert 1800 < seconds < 1820


@pytest.mark.anyio
async def test_waiting_for_another_try_holds_no_slot(tmp_path: Path) -> None:
    model = says(script={"t0": [ServerFault("boom"), Timeout("late")]})
    rig = JudgeRig(tmp_path, model, limits=Limits(1), policy={"wait_s": 2.0})
    found, seconds = await asked(rig, *QUESTIONS)
    assert set(found.values()) == {"yes"}
    assert model.asked[:4] == ["t0", "t1", "t2", "t3"]
    assert seconds < 17, "fourteen requests, one at a time, a second each"
    assert {line.index: line.attempts for line in rig.lines()}["t0"] == 3


@pytest.mark.anyio
async def test_another_address_takes_over_at_once(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, says())
    down = says(script={text: [Transport("refused")] * 99 for text in QUESTIONS})
    rig.judges[0].fleet = rig.judges[0]._tries.fleet = Fleet(
        [Replica(down, Gate(Limits(4)), "down"), Replica(rig.models[0], Gate(Limits(4)), "up")]
    )
    found, seconds = await asked(rig, *QUESTIONS)
    assert set(found.values()) == {"yes"}
    assert seconds < 10


@pytest.mark.anyio
async def test_a_request_of_its_own_that_always_fails_is_no_verdict_and_kills_nobody(tmp_path: Path) -> None:
    model = says(script={"t0": [ServerFault("boom", status=500)] * 99})
    rig = JudgeRig(tmp_path, model)
    found, _ = await asked(rig, *QUESTIONS)
    assert "judge0 gave no verdict on sample t0: ServerFault: boom" in found.pop("t0")
    assert set(found.values()) == {"yes"}
    assert (len(rig.lines()), rig.told) == (11, [])


@pytest.mark.anyio
async def test_a_reply_without_text_is_a_reply_after_its_tries(tmp_path: Path) -> None:
    model = says(script={"t0": [EmptyAnswer("nothing")] * 99})
    rig = JudgeRig(tmp_path, model)
    found, _ = await asked(rig, "t0", "t1")
    assert found == {"t0": "", "t1": "yes"}
    assert {line.index: (line.reply, line.failure) for line in rig.lines()} == {"t0": ("", None), "t1": ("yes", None)}


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_refused_request_is_written_down_and_cannot_be_read(tmp_path: Path) -> None:
    model = says(script={"t0": [ContextOverflow("too long", status=400)]})
    rig = JudgeRig(tmp_path, model)
    found, _ = await asked(rig, "t0", "t1")
    assert found == {"t0": "", "t1": "yes"}
    line = next(line for line in rig.lines() if line.index == "t0")
    assert (line.reply, line.failure.kind, line.failure.stage, line.failure.status) == (
        None, "ContextOverflow", "judge", 400,
    )  # fmt: skip


@pytest.mark.anyio
async def test_a_refusal_is_believed_only_of_a_judge_that_answers_others(tmp_path: Path) -> None:
    model = says(script={"t0": [BadRequest("no")]})
    rig = JudgeRig(tmp_path, model, limits=Limits(1))
    found, _ = await asked(rig, "t0")
    assert found == {"t0": ""}
    assert [text[:14] for text in model.asked] == ["t0", "This is a test"]


@pytest.mark.anyio
async def test_a_judge_that_refuses_everything_is_given_up_and_nothing_is_held_against_the_answers(tmp_path) -> None:
    model = says()

    async def ask(request: Request) -> Reply:
        model.asked.append("")
        raise BadRequest("unknown field: temperature", status=400)

    model.ask = ask
    rig = JudgeRig(tmp_path, model)
    found, _ = await asked(rig, *QUESTIONS)
    assert all("unknown field: temperature" in text for text in found.values())
    assert rig.lines() == []
    assert len(model.asked) <= len(QUESTIONS) + 1
    assert "`eyechart score` asks for the verdicts that are missing" in rig.told[0]
    assert len(rig.told) == 1


# -- death ------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("error", [AuthError("bad key", status=401), NotFound("no such model", status=404)])
async def test_a_refused_key_or_name_ends_the_judge_after_a_few_requests(tmp_path: Path, error: Exception) -> None:
    model = says(script={text: [error] for text in QUESTIONS})
    rig = JudgeRig(tmp_path, model, limits=Limits(1))
    found, _ = await asked(rig, *QUESTIONS)
    assert all(text.startswith("JudgeError") for text in found.values())
    assert (len(model.asked), len(rig.told)) == (3, 1)


@pytest.mark.anyio
async def test_a_judge_that_is_gone_is_given_up_after_its_patience_and_wakes_all_who_wait(tmp_path: Path) -> None:
    model = says(latency_s=0.1, script={text: [Transport("refused")] * 9999 for text in QUESTIONS[1:]})
    rig = JudgeRig(tmp_path, model, health={"patience_s": 100.0})
    async with rig.open() as desk:
        assert await ask_all(desk, ["t0"]) == {"t0": "yes"}
        started = anyio.current_time()
        found = await ask_all(desk, QUESTIONS[1:])
        assert 100 <= anyio.current_time() - started < 180
        assert all("judge0 cannot be used any more" in text for text in found.values())
        sent = len(model.asked)
        assert "cannot be used any more" in (await ask_all(desk, ["t99"]))["t99"]
        assert (len(model.asked), await ask_all(desk, ["t0"])) == (sent, {"t0": "yes"})


@pytest.mark.anyio
async def test_a_judge_that_restarts_costs_nothing_but_time(tmp_path: Path) -> None:
    model = says(latency_s=0.1)
    plain_ask, up_at = model.ask, anyio.current_time() + 120

    async def ask(request: Request) -> Reply:
        if anyio.current_time() < up_at:
            raise Overloaded("loading", status=503)
        return await plain_ask(request)

    model.ask = ask
    found, seconds = await asked(JudgeRig(tmp_path, model), *QUESTIONS)
    assert set(found.values()) == {"yes"}
    assert 120 < seconds < 250


@pytest.mark.anyio
async def test_closing_lets_what_is_on_the_wire_finish_and_sends_no_more(tmp_path: Path) -> None:
    model = says(latency_s=10.0)
    rig = JudgeRig(tmp_path, model)
    found: dict[str, str] = {}
    async with rig.open() as desk:

        async def work() -> None:
            found.update(await ask_all(desk, QUESTIONS))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            await anyio.sleep(5)
            rig.judges[0].close()
    assert sorted(text for text, verdict in found.items() if verdict == "yes") == QUESTIONS[:4]
    assert (len(model.asked), len(rig.lines())) == (4, 4)
    assert "the run was stopped" in found["t11"]


@pytest.mark.anyio
async def test_cutting_ends_what_is_on_the_wire(tmp_path: Path) -> None:
    model = says(latency_s=1000.0)
    rig = JudgeRig(tmp_path, model)
    async with rig.open() as desk, anyio.create_task_group() as tasks:
        tasks.start_soon(ask_all, desk, QUESTIONS)
        started = anyio.current_time()
        await anyio.sleep(5)
        rig.judges[0].close()
        await anyio.sleep(7)
        rig.judges[0].cut()
    assert anyio.current_time() - started == pytest.approx(12)
    assert (rig.lines(), model.in_flight, rig.judges[0].fleet.in_flight) == ([], 0, 0)


# -- greeting ---------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_greeting_is_one_request_and_no_verdict(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, says())
    async with rig.open():
        await rig.judges[0].greet()
    assert (len(rig.models[0].asked), rig.lines()) == (1, [])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("step", "told", "seconds"),
    [
        (AuthError("the key is refused", status=401), "AuthError: the key is refused", 2),
        (NotFound("no model 'j'", status=404), "NotFound: no model 'j'", 2),
        (BadRequest("temperature is not supported", status=400), "BadRequest: temperature", 2),
        (Transport("connection refused"), "connection refused", 40),
        (Timeout("no answer"), "Timeout: no answer", 10),
        (ServerFault("out of memory", status=500), "ServerFault: out of memory", 10),
        (Reply(""), "its reply is empty; max_tokens", 2),
    ],
)
async def test_an_unusable_judge_is_told_with_the_reason_and_what_to_do(tmp_path, step, told, seconds) -> None:
    model = says()

    async def ask(request: Request) -> Reply:
        await anyio.sleep(0.5)
        if isinstance(step, Reply):
            return step
        raise step

    model.ask = ask
    rig = JudgeRig(tmp_path, model)
    started = anyio.current_time()
    with pytest.raises(JudgeError, match="judge judge0 cannot be used") as raised:
        await rig.judges[0].greet()
    assert told in str(raised.value)
    assert "judge: exact_matching" in str(raised.value)
    assert anyio.current_time() - started < seconds


@pytest.mark.anyio
async def test_a_judge_that_is_busy_or_loading_is_waited_for(tmp_path: Path) -> None:
    rig = JudgeRig(tmp_path, says())
    greeting = "This is a test of the connection. Reply with the single word: ready"
    rig.models[0].script = {greeting: [Overloaded("loading the model", retry_after=100.0), RateLimited("busy")]}
    started = anyio.current_time()
    await rig.judges[0].greet()
    assert anyio.current_time() - started > 100


# -- writing ----------------------------------------------------------------------------------------------------------


def sent(spec: ModelSpec) -> ScriptedModel:
    """Encodes a request as what can differ from request to request."""
    model = parameters(spec)
    about = {name: value for name, value in model.identity.items() if name != "model"}
    model.encode = lambda messages: Request((json.dumps(about).encode(),), 9)
    return model


def asked_with(own: ModelSpec, **about: Any) -> dict[str, Any]:
    """The parameters that a request is sent with."""
    (chunk,) = JudgeWriter(JudgeSpec(own), sent).write(request("t", **about)).request.chunks
    found: dict[str, Any] = json.loads(chunk)
    return found


STRICT = {"temperature": 1.5, "max_tokens": 3, "system": "Be strict."}


def test_a_request_is_sent_as_rubric_and_judge_together_ask() -> None:
    assert asked_with(model_spec()) == {"temperature": 0.0, "max_tokens": None, "system_prompt": None}
    assert asked_with(model_spec(), **STRICT) == {"temperature": 1.5, "max_tokens": 3, "system_prompt": "Be strict."}
    particular = model_spec(temperature=None, max_tokens=900, system_prompt="Think.")
    assert asked_with(particular, **STRICT) == {
        "temperature": None, "max_tokens": 3, "system_prompt": "Think.\nBe strict.",
    }  # fmt: skip
    assert asked_with(particular, max_tokens=1000)["max_tokens"] == 900
    warm = model_spec(temperature=0.7)
    assert (asked_with(warm)["temperature"], asked_with(warm, temperature=0.5)["temperature"]) == (0.7, 0.5)


def test_every_part_of_a_request_is_in_its_fingerprint_and_nothing_else_is() -> None:
    writer = JudgeWriter(JudgeSpec(model_spec()), parameters)
    base = writer.fingerprint(request("t"), 0)
    changed = [
        writer.fingerprint(request("u"), 0),
        writer.fingerprint(request("t"), 1),
        writer.fingerprint(request("t", temperature=0.5), 0),
        writer.fingerprint(request("t", system="x"), 0),
        writer.fingerprint(JudgeRequest("Memory", "t", 1, "r@1", "t"), 0),
        writer.fingerprint(JudgeRequest("Memory", "t", 0, "r@2", "t"), 0),
        JudgeWriter(JudgeSpec(model_spec(model="other")), parameters).fingerprint(request("t"), 0),
        JudgeWriter(JudgeSpec(model_spec(max_tokens=9)), parameters).fingerprint(request("t"), 0),
    ]
    assert len({base, *changed}) == 1 + len(changed)
    assert writer.fingerprint(request("t", max_tokens=3), 0) == base, "a rubric's bound is a part of the rubric"
    elsewhere = JudgeSpec(model_spec(url="http://elsewhere/v1/chat/completions", nproc=9, retry=1, timeout_s=1.0))
    assert JudgeWriter(elsewhere, parameters).fingerprint(JudgeRequest("Other", "9", 0, "r@1", "t"), 0) == base


def test_a_rubric_of_ones_own_takes_the_place_of_the_benchmarks() -> None:
    writer = JudgeWriter(JudgeSpec(model_spec(), rubric="Q: {question} A: {answer}"), parameters)
    plain = JudgeWriter(JudgeSpec(model_spec()), parameters)
    asked = request("t", fields={"question": "why?", "answer": "because"})
    assert writer.write(asked).request.chunks == (b"Q: why? A: because",)
    assert writer.rubric(asked) == writer.own_rubric.name
    assert writer.fingerprint(asked, 0) != plain.fingerprint(asked, 0)
    told = r"shows \{question\}, which Memory does not tell its judge; it tells \{answer\}"
    with pytest.raises(JudgeError, match=told):
        writer.write(request("t", fields={"answer": "x"}))
    with pytest.raises(JudgeError, match=told):
        writer.fingerprint(request("t", fields={"answer": "x"}), 0)

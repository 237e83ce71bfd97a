"""Where answers come from."""

from __future__ import annotations

import hashlib

import orjson
import pytest

from eyechart.errors import ConfigError
from eyechart.mockserver import MockServer, MockSettings

pytestmark = pytest.mark.anyio
MCQ = "What is shown?\nA. a dog\nB. a cat\nC. a cow\nPlease answer with the letter."


async def test_a_fixed_answer_is_always_the_same(mock_server, ask):
    server = await mock_server(mode="fixed", text=" Yes.")
    assert {(await ask(server, text)).text for text in ("a", "b")} == {" Yes."}


async def test_computed_answers_depend_on_the_question_alone(mock_server, ask, pixel):
    first, second = await mock_server(), await mock_server(seed=9, latency=0.01)
    for number in range(12):
        question = f"{number}. {MCQ}"
        one = await ask(first, question, pixel)
        two = await ask(second, question, pixel, temperature=0.7, model="other")
        assert one.text == two.text
        assert one.text in {"A", "B", "C"}


async def test_computed_answers_differ_between_questions_and_pictures(mock_server, ask, pixel):
    server = await mock_server()
    assert len({(await ask(server, f"{number} {MCQ}")).text for number in range(30)}) == 3
    assert len({(await ask(server, MCQ, pixel + bytes([number]))).text for number in range(30)}) == 3
    assert len({(await ask(server, f"Read line {number}.")).text for number in range(40)}) > 5
    assert {(await ask(server, f"Is it {number}? Answer yes or no.")).text for number in range(20)} == {"Yes", "No"}


async def test_echo_repeats_the_last_message(mock_server, ask):
    server = await mock_server(mode="echo")
    messages = [{"role": "system", "content": "no"}, {"role": "user", "content": "naïve “text”\n"}]
    assert (await ask(server, body=orjson.dumps({"messages": messages}))).text == "naïve “text”\n"


async def test_a_script_answers_by_substring_and_regular_expression(mock_server, ask):
    server = await mock_server(mode="scripted", text="?", script={"dog": "A", r"re:^How many \w+\?$": "3"})
    assert (await ask(server, "Is it a dog?")).text == "A"
    assert (await ask(server, "How many cats?")).text == "3"
    assert (await ask(server, "Tell: How many cats?")).text == "?"


async def test_a_list_holds_successive_answers_to_the_same_request(mock_server, ask):
    server = await mock_server(mode="scripted", script={"judge": ["huh", "A"]})
    assert [(await ask(server, "judge 1")).text for _ in range(3)] == ["huh", "A", "A"]
    assert (await ask(server, "judge 2")).text == "huh"


async def test_a_fault_uses_up_no_successive_answer(mock_server, ask):
    settings = {"faults": {"server_error": 1.0}, "max_faults_per_request": 2}
    server = await mock_server(mode="scripted", script={"judge": ["huh", "A"]}, **settings)
    answers = [await ask(server, "judge") for _ in range(4)]
    assert [answer.status for answer in answers] == [500, 500, 200, 200]
    assert [answer.text for answer in answers[2:]] == ["huh", "A"]


async def test_a_script_file_prefers_the_whole_question(mock_server, ask, tmp_path):
    path = tmp_path / "script.json"
    path.write_text('{"What": "part", "What is it?": "whole"}')
    server = await mock_server(mode="scripted", script_file=path)
    assert (await ask(server, "What is it?")).text == "whole"
    assert (await ask(server, "What was it?")).text == "part"


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": []}', None])
def test_a_wrong_script_file_is_named(tmp_path, text):
    path = tmp_path / "script.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"script\.json"):
        MockServer(MockSettings(mode="scripted", script_file=path))


async def test_the_reply_has_the_form_of_a_completion(mock_server, ask, pixel):
    server = await mock_server(mode="fixed", text="one two three", model="m")
    reply = (await ask(server, "x" * 40, pixel)).json
    assert reply["object"] == "chat.completion"
    assert reply["model"] == "m"
    assert reply["choices"][0]["message"] == {"role": "assistant", "content": "one two three"}
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"] == {"prompt_tokens": 267, "completion_tokens": 3, "total_tokens": 270}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_the_requests_bound_cuts_the_answer(mock_server, ask, name):
    server = await mock_server(mode="fixed", text="one two three")
    reply = (await ask(server, **{name: 2})).json
    assert reply["choices"][0]["message"]["content"] == "one two"
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 2
    assert (await ask(server, **{name: 3})).json["choices"][0]["finish_reason"] == "stop"


async def test_reasoning_finish_reason_and_token_count_can_be_set(mock_server, ask):
    server = await mock_server(reasoning="Hm.", reasoning_key="reasoning", finish_reason="length", answer_tokens=321)
    reply = (await ask(server)).json
    assert reply["choices"][0]["message"]["reasoning"] == "Hm."
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 321


JUDGED = "Example\nA. parrot\nB. kitten\nAnswer: a kitten\nYour output: B\n\nNow: what is it?\n{options}Answer: {answer}\nYour output: "
OPTIONS = "A. a dog\nB. a Cat\n(C) a cow\n"


async def test_a_judge_replies_the_option_that_the_answer_names(mock_server, ask):
    server = await mock_server(mode="judge", text="ready")
    verdicts = {
        "surely A CAT, what else": "B",
        "(a cow)": "C",
        "a dog or a cat": "Z",
        "an elephant": "Z",
        "a kitten": "Z",
    }
    asked = {answer: (await ask(server, JUDGED.format(options=OPTIONS, answer=answer))).text for answer in verdicts}
    assert asked == verdicts
    assert (await ask(server, "Are you there?")).text == "ready"


async def test_the_script_of_a_judge_goes_before_its_rule(mock_server, ask):
    whole = JUDGED.format(options=OPTIONS, answer="a cow")
    digest = "sha256:" + hashlib.sha256(whole.encode()).hexdigest()
    server = await mock_server(mode="judge", script={digest: ["no idea", "A"], "a dog, I": "D"}, faults={"empty": 0.0})
    assert [(await ask(server, whole)).text for _ in range(2)] == ["no idea", "A"]
    assert (await ask(server, JUDGED.format(options=OPTIONS, answer="a dog, I think"))).text == "D"
    assert (await ask(server, JUDGED.format(options=OPTIONS, answer="a cat"))).text == "B"


async def test_a_script_may_name_a_text_by_its_digest(mock_server, ask):
    digest = "sha256:" + hashlib.sha256("naïve".encode()).hexdigest()
    server = await mock_server(mode="scripted", script={digest: "yes"}, text="no")
    assert [(await ask(server, text)).text for text in ("naïve", "naive", digest)] == ["yes", "no", "yes"]

from __future__ import annotations

import re
from types import ModuleType

import pytest
from fake_judges import JudgeInTurn, judge_out_of_reach
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import JudgeError
from eyechart.scoring.letters import read_letter
from eyechart.scoring.math_equality import plain_number
from eyechart.scoring.rubrics import final_answer_mathvision, final_answer_mathvista
from eyechart.scoring.rubrics.final_answer import FinalAnswer, ask_final_answer

FAILED = "Failed to obtain answer via API. "
RUBRICS = [final_answer_mathvision, final_answer_mathvista]
asynchronous = pytest.mark.anyio


async def asked(judge: JudgeInTurn, rubric: ModuleType = final_answer_mathvision, **options: int) -> FinalAnswer:
    return await ask_final_answer(
        judge, rubric, benchmark="B", index="7", question="How many?", reply="So 5.", **options
    )


@asynchronous
async def test_any_reply_is_taken_as_it_is():
    for reply in ("5", "", " no idea\n", "Z"):
        judge = JudgeInTurn(reply, "6")
        assert await asked(judge) == FinalAnswer(reply, "Succeed")
        assert len(judge.requests) == 1


@asynchronous
async def test_the_failure_text_is_no_reply_and_every_try_is_warmer():
    judge = JudgeInTurn(FAILED, f"{FAILED}5", "5")
    found = await asked(judge)
    assert found.text == "5"
    assert found.log == ("Try 0: output is So 5., failed to parse.\nTry 1: output is So 5., failed to parse.\nSucceed")
    assert [r.temperature for r in judge.requests] == [0.0, 0.5, 1.0]
    assert [r.attempt for r in judge.requests] == [0, 1, 2]
    assert len({r.prompt for r in judge.requests}) == 1


@asynchronous
async def test_after_five_tries_there_is_none():
    judge = JudgeInTurn(*[FAILED] * 5, "5")
    found = await asked(judge)
    assert found.text is None
    assert found.log.endswith("Try 4: output is So 5., failed to parse.\nAll 5 retries failed.\n")
    assert [r.temperature for r in judge.requests] == [0.0, 0.5, 1.0, 1.5, 2.0]


@asynchronous
async def test_what_a_request_says_of_itself():
    judge = JudgeInTurn("5", "5")
    await asked(judge)
    await asked(judge, final_answer_mathvista, max_tokens=128)
    assert [(r.benchmark, r.index, r.max_tokens) for r in judge.requests] == [("B", "7", None), ("B", "7", 128)]
    assert [r.rubric for r in judge.requests] == ["final_answer_mathvision@1", "final_answer_mathvista@1"]


@asynchronous
async def test_a_judge_out_of_reach_is_an_error():
    with pytest.raises(JudgeError):
        await ask_final_answer(
            judge_out_of_reach, final_answer_mathvista, benchmark="B", index="7", question="", reply="x"
        )


@given(st.text(), st.text())
def test_the_prompt_shows_question_and_reply_in_this_order(question: str, reply: str):
    for rubric in RUBRICS:
        prompt = rubric.prompt(question, reply)
        assert prompt.endswith(f"\nQuestion: {question}\nReply: {reply}\nFinal answer:")


def test_the_worked_examples_can_be_read():
    # A reply like those of the examples names a letter, a number or a list, or none of them by Z.
    options = dict(zip("ABCDE", "ABCDE", strict=True))
    for rubric in RUBRICS:
        examples = re.findall(r"^Final answer: (.+)$", rubric.prompt("", ""), re.MULTILINE)
        assert len(examples) == 5
        for example in examples:
            letter = read_letter(example, options).letter
            assert letter is not None or plain_number(example) is not None or example == "[1931, 1944, 1945]"

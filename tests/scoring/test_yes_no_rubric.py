from __future__ import annotations

import pytest
from fake_judges import JudgeInTurn, judge_out_of_reach
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import JudgeError
from eyechart.scoring.rubrics.yes_no import ask_yes_no, prompt
from eyechart.scoring.yes_no import read_yn, read_yn_anywhere

pytestmark = pytest.mark.anyio


async def asked(judge: JudgeInTurn, *, as_reference: bool = True) -> str | None:
    return await ask_yes_no(
        judge,
        benchmark="B",
        index="7",
        question="Is it red?",
        answer="like a tomato",
        read=read_yn if as_reference else read_yn_anywhere,
        unknown_decides=not as_reference,
    )


async def test_the_first_readable_reply_decides():
    judge = JudgeInTurn("**Yes**", "", "yes or no", "Your output: No", "Yes")
    assert await asked(judge) == "No"
    assert [(r.attempt, r.temperature) for r in judge.requests] == [(0, 0.0), (1, 0.5), (2, 1.0), (3, 1.5)]
    assert {r.prompt for r in judge.requests} == {prompt("Is it red?", "like a tomato")}
    assert {(r.benchmark, r.index, r.rubric) for r in judge.requests} == {("B", "7", "yes_no@1")}


async def test_a_judge_who_cannot_tell_is_asked_five_times_in_the_reference():
    judge = JudgeInTurn(*["Unknown"] * 5, "Yes")
    assert await asked(judge) is None
    assert [r.temperature for r in judge.requests] == [0.0, 0.5, 1.0, 1.5, 2.0]


async def test_or_once():
    judge = JudgeInTurn("maybe", "Unknown, as there is no clear answer", "Yes")
    assert await asked(judge, as_reference=False) == "Unknown"
    assert len(judge.requests) == 2


async def test_replies_are_read_like_answers():
    assert await asked(JudgeInTurn("**Yes**"), as_reference=False) == "Yes"
    assert await asked(JudgeInTurn(*["hm"] * 5), as_reference=False) is None


async def test_a_judge_out_of_reach_is_an_error():
    with pytest.raises(JudgeError):
        await asked(judge_out_of_reach)  # type: ignore[arg-type]


@given(st.text(), st.text())
def test_the_prompt_ends_with_question_and_answer(question: str, answer: str):
    text = prompt(question, answer)
    assert text.endswith(f"Question: {question}?\nAnswer: {answer}\nYour output: ")
    head = prompt("", "").removesuffix("Question: ?\nAnswer: \nYour output: ")
    assert head.count("Your output: ") == 2
    assert all(word in head for word in ("Yes", "No", "Unknown"))

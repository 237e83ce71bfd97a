from __future__ import annotations

import pytest
from fake_judges import JudgeInTurn, judge_out_of_reach
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import JudgeError
from eyechart.records import Cell
from eyechart.scoring.llavabench import read_pair
from eyechart.scoring.rubrics import llavabench, mmvet, option_letter_cn, option_letter_en
from eyechart.scoring.rubrics.option_letter import JudgedLetter, ask_letter, option_lines

OPTIONS: dict[str, Cell] = {"A": "cat", "C": 12.0}
pytestmark = pytest.mark.anyio


async def asked(judge: JudgeInTurn, question: str = "What?") -> JudgedLetter:
    return await ask_letter(judge, benchmark="B", index="7", question=question, options=OPTIONS, answer="a feline")


async def test_the_first_readable_reply_decides():
    judge = JudgeInTurn("no idea at all, sorry about that", "Failed to obtain answer via API. A", "Your output: C", "A")
    assert await asked(judge) == JudgedLetter("C", "Your output: C")
    assert [r.attempt for r in judge.requests] == [0, 1, 2]
    assert len({r.prompt for r in judge.requests}) == 1
    assert judge.requests[0].rubric == "option_letter_en@1"


async def test_the_failure_text_names_no_option():
    judge = JudgeInTurn("Failed to obtain answer via API.", "dog")
    options: dict[str, Cell] = {"A": "api", "B": "dog and more words so that the text rule would read the failure"}
    found = await ask_letter(judge, benchmark="B", index="7", question="", options=options | {"C": "dog"}, answer="x")
    assert found == JudgedLetter("C", "dog")


async def test_z_is_a_verdict():
    assert await asked(JudgeInTurn("Z")) == JudgedLetter("Z", "Z")


async def test_after_three_unreadable_replies_the_letter_is_z_without_a_reply():
    judge = JudgeInTurn("what?", "what?", "what?", "A")
    assert await asked(judge) == JudgedLetter("Z", None)
    assert len(judge.requests) == 3


async def test_a_chinese_question_has_the_chinese_rubric():
    judge = JudgeInTurn("A")
    await asked(judge, "图中是什么?")
    assert judge.requests[0].rubric == "option_letter_cn@1"


async def test_a_judge_out_of_reach_is_an_error():
    with pytest.raises(JudgeError):
        await ask_letter(judge_out_of_reach, benchmark="B", index="7", question="", options=OPTIONS, answer="x")


@given(st.text(), st.text())
def test_the_prompt_shows_question_options_and_answer(question: str, answer: str):
    for rubric in (option_letter_en, option_letter_cn):
        prompt = rubric.prompt(question, option_lines(OPTIONS), answer)
        assert question in prompt
        assert answer in prompt
        assert "A. cat\nC. 12.0\n" in prompt


def test_the_last_line_of_the_capability_rubric_waits_for_a_grade():
    *_, line = mmvet.prompt("Which?", "red<AND> blue<OR>teal", "red").split("\n")
    assert line == "Which? | red <AND>  blue <OR> teal | red | "


def test_the_examples_of_the_capability_rubric_are_grades_of_its_scale():
    head, table = mmvet.prompt("", "", "").split("Question | Ground truth | Prediction | Correctness\n")
    assert "0.0" in head
    assert "1.0" in head
    examples = [line.split(" | ") for line in table.split("\n")[1:-1]]
    assert {len(example) for example in examples} == {4}
    assert {float(grade) for *_, grade in examples} <= {tenth / 10 for tenth in range(11)}
    assert any("<AND>" in truth for _, truth, _, _ in examples)
    assert any("<OR>" in truth for _, truth, _, _ in examples)


def test_the_comparing_rubric_shows_the_reference_answer_first():
    prompt = llavabench.prompt("a {plate}", "What?", "an apple", "a pear")
    assert prompt.startswith(
        "[Context]\na {plate}\n\n[Question]\nWhat?\n\n[Assistant 1]\nan apple\n\n[End of Assistant 1]\n\n"
        "[Assistant 2]\na pear\n\n[End of Assistant 2]\n\n[System]\n"
    )


def test_the_comparing_rubric_shows_replies_that_can_be_read():
    lines = llavabench.prompt("", "", "", "").split("\n")
    pairs = [read_pair(line, literal=True) for line in lines]
    assert [pair for pair in pairs if pair] == [(6, 9), (9, 6)]


async def test_a_request_carries_what_its_prompt_is_made_of():
    judge = JudgeInTurn("A")
    await asked(judge)
    assert judge.requests[0].fields == {"question": "What?", "options": "A. cat\nC. 12.0\n", "answer": "a feline"}
    judge = JudgeInTurn("A")
    await ask_letter(judge, benchmark="B", index="7", question="", options=OPTIONS, answer="x", reference="C")
    assert judge.requests[0].fields["reference"] == "C"
    without = JudgeInTurn("A")
    await ask_letter(without, benchmark="B", index="7", question="", options=OPTIONS, answer="x")
    assert judge.requests[0].prompt == without.requests[0].prompt, "the benchmark's own rubric never shows it"

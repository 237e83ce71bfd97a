from __future__ import annotations

from typing import Any

import pytest
from fake_judges import JudgeInTurn, judge_out_of_reach
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import JudgeError
from eyechart.scoring.extraction import TRIES, Extraction, ask_extraction, extracted
from eyechart.scoring.rubrics import extracted_answer

FAILED = "Failed to obtain answer via API. "
NONE = "I cannot follow this format."


async def asked(judge: Any, *, first_reply: bool, max_tokens: int | None = None) -> Extraction:
    return await ask_extraction(
        judge,
        benchmark="B",
        index="7",
        question="Q?",
        prediction="so it is 4",
        first_reply=first_reply,
        max_tokens=max_tokens,
    )


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Extracted answer: 42\nAnswer format: Integer", "42"),
        ("Extracted answer: 42", "42"),
        ("Sure.\nExtracted answer:  a b \n\nAnswer format: String\nExtracted answer: later", "a b"),
        ("Extracted answer: one Extracted answer: two", "one"),
        ("Extracted answer: ['a',\n 'b']\nAnswer format: List", "['a',\n 'b']"),
        ("```\nExtracted answer: x\nAnswer format: String\n```", "x"),
        ("Extracted answer:", ""),
        ("Extracted answer:Answer format: None", ""),
        ("Answer format: String\nExtracted answer: too late", None),
        ("extracted answer: 42", None),
        ("", None),
    ],
)
def test_the_answer_stands_between_the_two_marks(reply: str, answer: str | None):
    assert extracted(reply) == answer


@given(st.text(), st.text())
def test_any_reply_can_be_read(before: str, after: str):
    assert extracted(f"{before}Extracted answer:{after}") is not None or "Answer format:" in before
    extracted(before)


@pytest.mark.anyio
@pytest.mark.parametrize("first_reply", [True, False])
async def test_the_text_of_a_failed_request_is_asked_again_and_warmer(first_reply: bool):
    judge = JudgeInTurn(FAILED, f"Extracted answer: {FAILED}", "Extracted answer: 4", "Extracted answer: 5")
    log = "Try 0: output is so it is 4, failed to parse.\nTry 1: output is so it is 4, failed to parse.\nSucceed"
    assert await asked(judge, first_reply=first_reply) == Extraction("4", "Extracted answer: 4", log)
    assert [(r.attempt, r.temperature) for r in judge.requests] == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert {(r.benchmark, r.index, r.rubric, r.max_tokens) for r in judge.requests} == {
        ("B", "7", "extracted_answer@1", None)
    }


@pytest.mark.anyio
async def test_the_reference_takes_a_first_reply_without_an_answer():
    judge = JudgeInTurn(NONE, "Extracted answer: 4")
    assert await asked(judge, first_reply=True) == Extraction(None, NONE, "Succeed")


@pytest.mark.anyio
async def test_else_the_judge_is_asked_until_a_reply_has_an_answer():
    judge = JudgeInTurn(NONE, "Extracted answer: 4", "Extracted answer: 5")
    found = await asked(judge, first_reply=False, max_tokens=128)
    assert (found.answer, found.reply) == ("4", "Extracted answer: 4")
    assert [r.max_tokens for r in judge.requests] == [128, 128]


@pytest.mark.anyio
@pytest.mark.parametrize("first_reply", [True, False])
async def test_five_failures_leave_no_answer_and_no_reply(first_reply: bool):
    judge = JudgeInTurn(*[FAILED] * TRIES)
    found = await asked(judge, first_reply=first_reply)
    assert (found.answer, found.reply) == (None, "")
    assert found.log.endswith("Try 4: output is so it is 4, failed to parse.\nAll 5 retries failed.\n")


@pytest.mark.anyio
async def test_five_replies_without_an_answer_leave_the_last_of_them():
    judge = JudgeInTurn(*(f"{NONE}{k}" for k in range(TRIES)))
    found = await asked(judge, first_reply=False)
    assert (found.answer, found.reply, judge.replies) == (None, f"{NONE}4", [])


@pytest.mark.anyio
async def test_a_judge_out_of_reach_is_an_error():
    with pytest.raises(JudgeError):
        await asked(judge_out_of_reach, first_reply=False)


def test_the_rubric_has_four_examples_that_can_be_read():
    text = extracted_answer.prompt("Who {asks}?", "I {do}.")
    instructions, *examples, last = text.split("---\n")
    assert last == "Question:Who {asks}?\nAnalysis: I {do}."
    assert [extracted(example) for example in examples] == [
        "['Rostock', 'Gedser']", "325", "Not answerable", "Fail to answer",
    ]  # fmt: skip
    formats = [example.partition("Answer format: ")[2].strip() for example in examples]
    assert set(formats) <= {"Integer", "Float", "String", "List"}
    assert all(mark in instructions for mark in ("Extracted answer:", "Answer format:", *set(formats)))

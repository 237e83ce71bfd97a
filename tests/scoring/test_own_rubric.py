from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import ConfigError
from eyechart.scoring.own_rubric import PLACEHOLDERS, OwnRubric

FIELDS = {"question": "What?", "options": "A. cat\n", "answer": "a {feline} {}", "reference": "A"}


def test_places_are_filled_once_and_what_fills_them_is_taken_as_it_is():
    rubric = OwnRubric("{question} {{x}}\n{options}{answer}: {answer}")
    assert rubric.placeholders == {"question", "options", "answer"}
    assert rubric.render(FIELDS) == "What? {x}\nA. cat\na {feline} {}: a {feline} {}"


def test_a_missing_field_is_named():
    with pytest.raises(KeyError, match="reference"):
        OwnRubric("{answer} {reference}").render({"answer": "x"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{answr}", r"unknown placeholder \{answr\}, expected \{question\}, \{options\}, \{answer\}, \{reference\}"),
        ("{answer} {}", r"unknown placeholder \{\}"),
        ("{answer.__class__}", "unknown placeholder"),
        ("{answer[0]}", "unknown placeholder"),
        ("{answer!r}", r"unknown placeholder \{answer!r\}"),
        ("{answer:>99999999}", "unknown placeholder"),
        ("{answer} {", "a brace that stands for itself is written twice"),
        ('{answer}: {"grade": 1}', "a brace that stands for itself is written twice"),
        ("Which letter? {options}", r"needs the placeholder \{answer\}"),
    ],
)
def test_what_cannot_be_a_rubric(text: str, told: str):
    with pytest.raises(ConfigError, match=told):
        OwnRubric(text)


def test_the_name_follows_the_text():
    assert OwnRubric("{answer}").name == OwnRubric("{answer}").name
    assert OwnRubric("{answer}").name != OwnRubric("{answer} ").name
    assert OwnRubric("{answer}").name.startswith("own@")


@given(st.text())
def test_any_text_is_a_rubric_or_a_clear_error(text: str):
    try:
        rubric = OwnRubric(text)
    except ConfigError:
        return
    assert rubric.placeholders <= PLACEHOLDERS.keys()
    rubric.render(FIELDS)

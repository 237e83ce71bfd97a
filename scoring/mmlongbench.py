"""MMLongBench-Doc: comparing a short answer with the right one by the format of the right one.

Ma et al. 2024, in the form of ms-vlmeval 0.0.20.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from ..errors import DataError
from ..records import Cell
from .document_answers import anls
from .literals import parse_literal

__all__ = ["answer_score", "cleaned", "must_be_equal"]

_TOLERANCE: Final = 0.01
_PLACES: Final = 3
_FEWEST_PLACES: Final = 2
_PERCENT: Final = 100
_QUOTES: Final = ("'", '"')
_NUMBERED: Final = re.compile(r"\d+(-\d+|\s\d+)?|\d{4}[-\s]\d{2}([-\s]\d{2})?")
_MAIL: Final = re.compile(r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}")
_GROUPED: Final = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")


def answer_score(answer: Cell, prediction: Cell, answer_format: Cell, *, bare_numbers: bool) -> float:
    """Returns what a prediction is worth, 0 to 1.

    - ``Int``: the whole part of the prediction equals the right number.
    - ``Float``: both are within 1 % of each other, or equal after rounding; also if one of them is in percent.
    - ``Str``: equal where the right answer is a page, date, address or the like (`must_be_equal`), else ANLS.
    - ``List``, and without a format: lists of one length; their items, sorted, are compared like texts, and the worst
      pair counts.

    What cannot be compared is worth 0.

    Args:
        answer: the right answer.
        prediction: the answer that was given.
        answer_format: ``Int``, ``Float``, ``Str``, ``List``, or anything else for none.
        bare_numbers: as the reference, which reads no number with commas between its digits, and none of format
            ``Int`` with ``$`` before or ``%`` behind it. Else these do not matter.
    """
    if not bare_numbers and answer_format in ("Int", "Float"):
        answer, prediction = _bare(answer), _bare(prediction)
    try:
        if answer_format == "Int":
            return float(_whole(answer) == _whole(float(math.nan if prediction is None else prediction)))
        if answer_format == "Float":
            return float(_close(float(cleaned(answer)), float(cleaned(prediction))))
    except (ValueError, OverflowError):
        return 0.0
    if answer_format == "Str":
        return _text_score([cleaned(answer)], [cleaned(prediction)], numbers=False)
    try:
        wanted, given = _items(answer), _items(prediction)
    except (ValueError, DataError):
        return 0.0
    return _text_score(wanted, given, numbers=True) if len(wanted) == len(given) else 0.0


def cleaned(value: object) -> str:
    """Returns a value as a text in lower case without parentheses, outer quotes, ``$`` before and ``%`` behind it.

    Units stay: the reference looks for miles and millions and then removes nothing, as the benchmark's authors do.
    """
    text = _without_parentheses(_text(value).lower().strip()).strip()
    if text.startswith(_QUOTES):
        text = text[1:]
    if text.endswith(_QUOTES):
        text = text[:-1]
    return text.strip().lstrip("$").strip().rstrip("%").strip()


def must_be_equal(text: str) -> bool:
    """Whether a cleaned right answer allows no approximation: an address, file, page, date, time or plain number."""
    return (
        "https://" in text
        or text.endswith((".py", "ipynb"))
        or text.startswith("page")
        or "a.m." in text
        or "p.m." in text
        or _NUMBERED.fullmatch(text) is not None
        or _MAIL.fullmatch(text) is not None
    )


def _text(value: object) -> str:
    return "nan" if value is None else str(value)


def _without_parentheses(text: str) -> str:
    """Drops every parenthesis with the spaces before it; in one pass, whatever the text is."""
    kept: list[str] = []
    position = 0
    while (opening := text.find("(", position)) >= 0 and (closing := text.find(")", opening)) >= 0:
        kept.append(text[position:opening].rstrip())
        position = closing + 1
    return "".join([*kept, text[position:]])


def _bare(value: Cell) -> str:
    text = _text(value).strip().lstrip("$").rstrip("%").strip()
    return _GROUPED.sub(lambda found: found[0].replace(",", ""), text)


def _whole(value: Cell) -> int:
    return int(math.nan if value is None else value)


def _close(answer: float, prediction: float) -> bool:
    for wanted in (answer / _PERCENT, answer, answer * _PERCENT):
        if math.isclose(wanted, prediction, rel_tol=_TOLERANCE):
            return True
        places = max(min(_places(prediction), _places(wanted)), _FEWEST_PLACES)
        if round(prediction, places) == round(wanted, places):
            return True
    return False


def _places(number: float) -> int:
    _, point, digits = str(number).partition(".")
    return len(digits) if point else _PLACES


def _items(value: Cell) -> list[str]:
    """Returns the items of a list literal, cleaned and sorted; any other value is its only item.

    Raises:
        ValueError: the text begins like a list and is no literal.
        DataError: it is too long to be read.
    """
    read = parse_literal(value) if isinstance(value, str) and value.startswith("[") else value
    return sorted(cleaned(item) for item in (read if isinstance(read, list) else [read]))


def _text_score(answers: Sequence[str], predictions: Sequence[str], *, numbers: bool) -> float:
    """Compares texts in pairs; equally many of both."""
    if not answers:
        return 0.0
    if must_be_equal(answers[0]) or (numbers and _is_float(answers[0])):
        return float("-".join(answers) == "-".join(predictions))
    return min(map(anls, answers, predictions))


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

"""A rubric of the user's own: a text with places for what a judge is shown, in place of a benchmark's rubric.

The reply is read as the replies to the benchmark's own rubric are, so the text has to ask for the same form: a letter
of an option, a number, and so on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from string import Formatter
from types import MappingProxyType
from typing import Final

from ..errors import ConfigError

__all__ = ["PLACEHOLDERS", "OwnRubric"]

PLACEHOLDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "question": "the question",
        "options": "the options, one a line",
        "answer": "the answer that is judged",
        "reference": "the right answer, or the one to compare with",
        "context": "words that stand for the picture, where a benchmark has them",
    }
)
"""What can stand in braces, and what is put in its place."""
_BRACES: Final = "a brace that stands for itself is written twice: {{ or }}"


class OwnRubric:
    """A text with `PLACEHOLDERS` in braces, such as ``Which option does "{answer}" mean? {options}``.

    Attributes:
        name: how records and reports call it: ``own@`` and a digest of the text.
        placeholders: those that occur in it.

    Raises:
        ConfigError: an unknown placeholder, a single brace, or no ``{answer}``.
    """

    def __init__(self, text: str) -> None:
        self.name = f"own@{hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}"
        try:
            parts = list(Formatter().parse(text))
        except ValueError as error:
            raise ConfigError(f"the judge's rubric cannot be read: {error}; {_BRACES}") from None
        self._pieces: list[tuple[str, str | None]] = []
        for literal, name, spec, conversion in parts:
            if name is not None and (name not in PLACEHOLDERS or spec or conversion):
                shown = "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
                known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                raise ConfigError(f"the judge's rubric: unknown placeholder {shown}, expected {known}; {_BRACES}")
            self._pieces.append((literal, name))
        self.placeholders = frozenset(name for _, name in self._pieces if name is not None)
        if "answer" not in self.placeholders:
            raise ConfigError("the judge's rubric shows no answer: it needs the placeholder {answer}")

    def render(self, fields: Mapping[str, str]) -> str:
        """Returns the text with `fields` in its places; what stands in them is taken as it is.

        Raises:
            KeyError: a place has no field.
        """
        return "".join(literal + ("" if name is None else fields[name]) for literal, name in self._pieces)

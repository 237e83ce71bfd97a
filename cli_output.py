"""Where verbs of modules of their own say what they have to say; cli.py alone prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Output"]


@dataclass(frozen=True, slots=True)
class Output:
    """The ways out of a command line.

    Attributes:
        show: prints tables and texts.
        say: prints a line as it is.
        complain: prints a line on standard error.
    """

    show: Callable[[Iterable[RenderableType]], None]
    say: Callable[[str], None]
    complain: Callable[[str], None]

    def say_json(self, record: Any) -> None:
        """Prints a record for programs to read; should a terminal show it, there is nothing in it to obey."""
        import orjson  # noqa: PLC0415  (slow to import)

        text = orjson.dumps(record, option=orjson.OPT_INDENT_2).decode()
        self.say("".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text))


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))

"""Writes the reference part of docs/cli.md from the command line itself.

Run ``python docs/generate_cli.py`` after a verb or an option was changed.
"""  # noqa: INP001

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from eyechart.cli import app

PAGE: Final = Path(__file__).with_name("cli.md")
PATTERN: Final = re.compile(r"(<!-- commands -->\n).*?(\n<!-- end -->)", re.DOTALL)
EVERYWHERE: Final = ("--help",)


def _verbs(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yields every command that does something, by its full name."""
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child_name, child in children.items():
        yield from _verbs(child, f"{name} {child_name}")


def _takes(param: Any) -> str:
    if getattr(param, "is_flag", False):
        return ""
    return str(param.metavar).replace("|", "\\|")


def _arguments(command: Any) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "argument"]


def _options(command: Any) -> list[Any]:
    return [
        param
        for param in command.params
        if param.param_type_name == "option" and not set(param.opts) & set(EVERYWHERE) and not param.hidden
    ]


def _section(name: str, command: Any) -> str:
    arguments = _arguments(command)
    shown = [param.metavar or param.name.upper() for param in arguments]
    usage = " ".join(word if param.required else f"[{word}]" for word, param in zip(shown, arguments, strict=True))
    options = _options(command)
    line = " ".join(part for part in (name, usage, "[OPTIONS]" if options else "") if part)
    text = [f"### {name}", "", f"    {line}", "", " ".join(str(command.help).split()), ""]
    if arguments or options:
        text += ["| | takes | meaning |", "|---|---|---|"]
    for word, param in zip(shown, arguments, strict=True):
        text.append(f"| `{word}` | | {param.help} |")
    for param in options:
        names = ", ".join(f"`{opt}`" for opt in param.opts)
        text.append(f"| {names} | {_takes(param)} | {_with_default(param)} |")
    return "\n".join(text).rstrip()


def _with_default(param: Any) -> str:
    told = str(param.help).replace("|", "\\|")
    if param.default is None or getattr(param, "is_flag", False) or "Default:" in told:
        return told
    return f"{told} Default: {param.default}."


def page(text: str) -> str:
    """Returns the page with its reference written anew.

    Raises:
        ValueError: the page has no place for it.
    """
    sections = [_section(name, command) for name, command in _verbs(typer.main.get_command(app), "eyechart")]
    reference = "\n\n".join(sections)
    changed, count = PATTERN.subn(lambda match: f"{match[1]}\n{reference}\n{match[2]}", text)
    if count != 1:
        raise ValueError(f"{PAGE.name} has {count} places for the reference, expected one")
    return changed


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

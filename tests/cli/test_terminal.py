"""Texts from outside are shown, never obeyed: not by a terminal, not by rich, not by a reader of Markdown."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from anyio import to_thread

pytestmark = pytest.mark.anyio

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b31m\u202e"
MARKUP = "[bold red]loud[/] [link=http://evil.example]here[/link] :smile: [@click=x]y[/]"
MARKDOWN = "![p](http://evil.example/p.png) <script>alert(1)</script> | `x` [l](javascript:1) # h"
EVIL = f"{ESCAPES}{MARKUP} {MARKDOWN}"
NAME = "evil\x9b31m\u202e[red]<b>x"
# What rich itself writes to a terminal: colours, cursor movements, hiding the cursor; no titles, links or erasing of all.
OWN_SEQUENCES = re.compile(r"\x1b\[(?:[0-9;]*m|[0-9]*[ABCDGK]|2K|\?25[lh])")


@pytest.fixture
def evil(home):
    """A benchmark whose name, columns, questions, options and categories hold all of it; answers are read by a judge."""
    data = home / "data" / f"{NAME}.tsv"
    line = f"{{n}}\tWhat {EVIL}?\tcat {EVIL}\tdog\tA\t{EVIL}\t{EVIL}{{n}}\n"
    data.write_text(
        "index\tquestion\tA\tB\tanswer\tcategory\tl2-category\n" + "".join(line.format(n=n) for n in range(4))
    )
    return data


def words(data, server, *more):
    judge = ["--judge", "j", "--judge-api-base", server.url, "--nproc", 2]
    return ["--model", "m", "--api-base", server.url, "--data", data, *judge, *more]


def is_shown(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


def runs() -> list[Path]:
    return sorted(Path("outputs").iterdir())


def written(*patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in Path("outputs").rglob(pattern)]


async def everything(eyechart, data, server):
    """Output of every command that shows something of a run."""
    done = [await eyechart("eval", *words(data, server), "--verbose"), await eyechart("eval", *words(data, server))]
    run, *_ = runs()
    done += [await eyechart(verb, run) for verb in ("report", "score", "resume", "judge-audit")]
    done += [await eyechart("doctor", *words(data, server)), await eyechart("estimate", *words(data, server))]
    done.append(await eyechart("report", *runs()))
    done += [await eyechart("data", verb, NAME) for verb in ("verify", "pull")]
    return done


@pytest.mark.parametrize("fields", [{"mode": "fixed", "text": EVIL}, {"mode": "fixed", "text": "A"}])
async def test_plain_output_and_files_hold_printable_text_alone(fields, eyechart, mock_server, evil):
    server = await mock_server(**fields)
    for done in await everything(eyechart, evil, server):
        assert is_shown(done.out + done.err), ascii(done.out + done.err)
    files = written("*.md", "*.log")
    assert files
    for path in files:
        assert is_shown(path.read_text()), path


async def test_json_is_printable_and_means_the_same(eyechart, mock_server, evil):
    server = await mock_server(mode="fixed", text=EVIL)
    for verb in ("doctor", "estimate"):
        done = await eyechart(verb, *words(evil, server, "--json"))
        assert is_shown(done.out), ascii(done.out)
        assert NAME in json.dumps(json.loads(done.out), ensure_ascii=False)


async def test_a_report_shows_markdown_as_it_stands(eyechart, mock_server, evil):
    server = await mock_server(mode="fixed", text="A")
    await eyechart("eval", *words(evil, server))
    (path,) = written("report.md")
    report = path.read_text()
    plain = re.sub(r"\\[\\`*\[\]<>|]", "", report)  # without the marks that a backslash makes plain
    for obeyed in ("<script", "<b>", "](http://evil", "](javascript", "`x`"):
        assert obeyed not in plain
    assert "evil.example" in report


async def test_errors_of_servers_are_shown(eyechart, mock_server, home):
    server = await mock_server(fail_always={"Shapes": "bad_request"}, faults={})
    done = await eyechart("eval", "--model", "m", "--api-base", server.url, "--data", "Shapes", "--verbose")
    assert is_shown(done.out + done.err)


async def test_a_terminal_gets_no_sequence_but_the_displays_own(mock_server, evil):
    server = await mock_server(mode="fixed", text=EVIL, latency=0.05)
    for verb, more in (("eval", ["--retry", 1]), ("estimate", []), ("doctor", [])):
        shown = await to_thread.run_sync(on_a_terminal, [verb, *map(str, words(evil, server, *more))])
        rest = OWN_SEQUENCES.sub("", shown)
        assert "evil" in rest
        assert is_shown(rest.replace("\r", "")), ascii(rest)
        assert "[red]" in rest


def on_a_terminal(words: list[str]) -> str:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen(
        [sys.executable, "-m", "eyechart", *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ):
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how Linux tells that nobody holds the other end any more
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    return shown.decode()

"""Every example of the documentation is carried out, with stand-ins for servers, files and runs."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
from local_models import NEEDED, write_beside
from PIL import Image
from tiny_benchmarks import write_tiny

import eyechart.cli_serve
from eyechart import run_task
from eyechart.cli import app, main
from eyechart.engine.config import load_tasks, read_environment, resolve

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

ANY_ADDRESS = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d+")
ANY_MODEL = re.compile(r"--model-path (models/[\w.-]+)")
ANY_RUN = re.compile(r"outputs/\d{8}_\d{6}")
SHOWN_ONLY = {"text": "drawings, listings and output", "json": "what a file or reply looks like"}
EXIT_CODES = {"data verify": 1}
"""Other codes than 0: the stand-ins are not the files that the catalogue knows."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.name}:{self.line}"


def _blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    start: int | None = None
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("```"):
            continue
        if start is None:
            start = number
            continue
        text = textwrap.dedent("\n".join(lines[start + 1 : number]))
        yield Block(page, start + 1, lines[start].strip().removeprefix("```"), text)
        start = None
    assert start is None, f"{page.name}:{(start or 0) + 1} is never closed"


BLOCKS = [block for page in PAGES for block in _blocks(page)]


def _of(*languages: str) -> Any:
    chosen = [block for block in BLOCKS if block.language in languages]
    return pytest.mark.parametrize("block", chosen, ids=[block.name for block in chosen])


def _picture(seed: int) -> str:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (seed * 40 % 256, 90, 120)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _write_table(path: Path, *, options: bool, extra: dict[str, str] | None = None) -> None:
    rows = []
    for k in range(6):
        row = {"index": str(k), "image": _picture(k), "question": f"What is in picture {k}?"}
        row |= {"A": "a cat", "B": "a dog", "C": "a cow", "D": "a hen", "answer": "B"} if options else {"answer": "42"}
        rows.append(row | (extra or {}))
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for every benchmark that pages name, and for the questions that they say are the reader's own."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("SEEDBench_IMG", "MMStar", "RealWorldQA", "AI2D_TEST", "MyQuestions", "receipts"):
        _write_table(folder / f"{name}.tsv", options=True)
    for name in ("ChartQA_TEST", "TextVQA_VAL", "DocVQA_VAL"):
        _write_table(folder / f"{name}.tsv", options=False)
    for name in ("Video-MME", "MVBench_MP4"):
        (folder / name).mkdir()
        write_tiny(name, folder / name)
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a mock server, without a path."""
    command = [sys.executable, "-m", "eyechart.mockserver", "--stop-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"].removesuffix("/v1/chat/completions")
        process.stdin.close()
        process.wait(20)


@pytest.fixture(scope="module")
def finished_run(server: str, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that pages call by a date."""
    folder = tmp_path_factory.mktemp("run") / "20260131_120000"
    evaluation = {
        "model": [{"name": "CustomAPIModel", "type": "qwen-vl-chat", "api_base": server}],
        "data": ["SEEDBench_IMG", "ChartQA_TEST"],
        "data_root": str(data_root),
        "quiet": True,
    }
    run_task({"work_dir": str(folder), "no_timestamp": True, "eval_config": evaluation}, environ={})
    return folder


@pytest.fixture
def stand_in(
    server: str, data_root: Path, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Block, str], str]:
    """Makes the surroundings of an example and returns its text with the places that it names replaced."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_API_BASE",
        "LOCAL_LLM",
        "LMDEPLOY_API_KEY",
        "EYECHART_API_KEY",
        "EYECHART_JUDGE_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LMUData", str(data_root))

    def adapt(text: str) -> str:
        for model in ANY_MODEL.findall(text):
            if any(find_spec(name) is None for name in NEEDED):
                pytest.skip("needs pip install 'eyechart[local]'")
            write_beside(Path(model))
        for run in ANY_RUN.findall(text):
            if not Path(run).exists():
                shutil.copytree(finished_run, run)
        return ANY_ADDRESS.sub(server, text).replace("/data/receipts.tsv", str(data_root / "receipts.tsv"))

    def start(block: Block, text: str) -> str:
        # A page's first configuration is the file that its commands name.
        configuration = next((b.text for b in BLOCKS if b.page == block.page and b.language == "yaml"), None)
        if configuration is not None:
            Path("eval.yaml").write_text(adapt(configuration))
        Path("answers.json").write_text('{"picture": "B"}')
        Path("rubric.txt").write_text("Which option does the answer mean?")
        return adapt(text)

    return start


def _commands(text: str) -> Iterator[str]:
    """Yields the commands of a console session; what follows a command is its output."""
    joined = re.sub(r"\\\n\s*(?:> )?", " ", text)
    for line in joined.splitlines():
        if line.startswith("$ "):
            yield line[2:]


def _run_eyechart(words: list[str]) -> None:
    verb = " ".join(word for word in words[:2] if not word.startswith("-"))
    expected = next((code for begin, code in EXIT_CODES.items() if verb.startswith(begin)), 0)
    assert main(words) == expected


def _run_make(words: list[str]) -> None:
    done = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _check_extras(words: list[str]) -> None:
    """Nothing is installed: that what is asked for exists must do."""
    assert words[:2] == ["pip", "install"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in words[2:]:
        name, _, wanted = word.partition("[")
        assert name in ("eyechart", "."), f"{word!r} is not ours"
        assert set(wanted.rstrip("]").split(",")) - {""} <= set(extras)


def _run_help(words: list[str]) -> None:
    """Measurements take minutes: that the program is there and takes these options must do."""
    done = subprocess.run(
        [sys.executable, words[0], "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    options = {word.partition("=")[0] for word in words[1:] if word.startswith("-")}
    assert options <= set(re.findall(r"--[\w-]+", done.stdout))


def _run_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"\w+=.*", words[0]):
        name, _, value = words.pop(0).partition("=")
        monkeypatch.setenv(name, value)
    assert words, f"{command!r} runs nothing"
    match words[0]:
        case "eyechart":
            _run_eyechart(words[1:])
        case "make":
            # Not carried out: `make test` would run these tests in a new environment; test_examples.py does what
            # `make try` does.
            _run_make(words[1:])
        case "pip":
            _check_extras(words)
        case "python":
            _run_help(words[1:])
        case _:
            pytest.fail(f"no stand-in carries out {command!r}")


def _run_program(program: str, name: str) -> object:
    """Returns the exit status."""
    try:
        exec(compile(program, name, "exec"), {"__name__": "__main__"})  # noqa: S102  (our own documentation)
    except SystemExit as end:
        return end.code or 0
    return 0


def _documented_output(program: str) -> list[str]:
    """What a program says that it prints: comments beside a ``print`` or in the line below it."""
    return re.findall(r"^ *print\(.*\)(?:  |\n *)# (.+)$", program, flags=re.MULTILINE)


def _like(text: str) -> str:
    """A pattern for output of this form: other figures, either kind of quotes, and anything, or nothing, for ``…``."""
    pattern = re.sub(r"\d+\\.\d+", r"\\d+\\.\\d+", re.escape(text).replace("'", '"'))
    return re.sub(r"(?:,?\\ )?…", ".*", pattern).replace('"', "['\"]")


def test_every_block_has_a_language_that_is_carried_out_or_shown() -> None:
    assert BLOCKS
    known = {"console", "python", "yaml", *SHOWN_ONLY}
    assert [f"{block.name} {block.language!r}" for block in BLOCKS if block.language not in known] == []


def test_console_blocks_hold_commands() -> None:
    assert [block.name for block in BLOCKS if block.language == "console" and not list(_commands(block.text))] == []


@_of("console")
def test_commands_work(
    block: Block, stand_in: Callable[[Block, str], str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    served: list[Any] = []
    monkeypatch.setattr(eyechart.cli_serve, "serve_until_signal", lambda *given: served.append(given))
    for command in _commands(stand_in(block, block.text)):
        _run_command(command, monkeypatch)
    assert len(served) == block.text.count("$ eyechart mock-server")
    capsys.readouterr()


@_of("yaml")
def test_configurations_are_accepted(block: Block, stand_in: Callable[[Block, str], str]) -> None:
    text = stand_in(block, block.text)
    Path("task.yaml").write_text(text)
    for task in load_tasks("task.yaml"):
        assert resolve(task, read_environment(os.environ)).models


@_of("python")
def test_programs_run(block: Block, stand_in: Callable[[Block, str], str], capsys: Any) -> None:
    program = stand_in(block, block.text)
    assert _run_program(program, block.name) == 0
    printed = capsys.readouterr().out
    assert bool(printed) == ("print(" in program)
    for text in _documented_output(block.text):
        assert re.search(_like(text), printed), f"{text!r} is not in {printed!r}"


def test_output_that_pages_tell_is_found() -> None:
    told = [text for block in BLOCKS if block.language == "python" for text in _documented_output(block.text)]
    assert len(told) >= 2


def _mentions(page: Path) -> Iterator[str]:
    """Yields commands inside sentences, and those in indented blocks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    yield from (" ".join(found.split()) for found in re.findall(r"`(eyechart [^`]+)`", text))
    yield from re.findall(r"^    (eyechart .+)$", text, flags=re.MULTILINE)


def _verb_and_options(words: list[str]) -> tuple[Any, set[str]]:
    """Follows the verbs of a command; returns the last one and the options that were given."""
    command: Any = typer.main.get_command(app)
    options = {word.partition("=")[0] for word in words if re.match(r"-[-a-z]", word)}
    for word in words:
        if not hasattr(command, "commands") or not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        assert word in command.commands, f"there is no verb {word!r}"
        command = command.commands[word]
    return command, options


MENTIONS = [(page.name, mention) for page in PAGES for mention in dict.fromkeys(_mentions(page))]


@pytest.mark.parametrize(("page", "mention"), MENTIONS, ids=[f"{page}: {text}"[:60] for page, text in MENTIONS])
def test_commands_inside_sentences_exist(page: str, mention: str) -> None:
    for alternative in _alternatives(mention):
        command, given = _verb_and_options(alternative.split()[1:])
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert given - known - {"--help", "-h", "--install-completion", "--show-completion"} == set(), page


def _alternatives(mention: str) -> list[str]:
    """`eyechart list benchmarks|models` stands for two commands."""
    found = re.search(r"([a-z-]+(?:\|[a-z-]+)+)", mention)
    if found is None:
        return [mention]
    return [mention.replace(found[1], choice) for choice in found[1].split("|")]


def test_links_lead_somewhere() -> None:
    targets = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    ]
    assert targets
    broken = [
        f"{p.name}: {target}" for p, target in targets if "://" not in target and not (p.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize(
    "wrong",
    [
        "eyechart evil",
        "eyechart eval --modle m",
        "make tea",
        "rm -r /",
        "pip install torch",
        "python perf/nothing.py",
        "python perf/local.py --sice large",
    ],
)
def test_a_wrong_command_is_noticed(wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        _run_command(wrong, monkeypatch)
    capsys.readouterr()

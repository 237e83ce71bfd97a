"""The command line: parses, calls, prints.

Exit codes: 0 everything answered and scored; 1 wrong usage, configuration or data; 2 finished with failed samples;
3 a model cannot be used; 130 interrupted, resumable.
"""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from . import cli_options as o
from .cli_demo import add_demo, model_table
from .cli_doctor import Verbs
from .cli_judge import JudgeAudit
from .cli_output import Output
from .cli_run_options import Given, with_run_options
from .errors import EyechartError
from .version import VERSION

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .engine.config import RunPlan
    from .engine.report import Report

__all__ = ["app", "main"]

_INTERRUPTED: Final = 130
_WEIGHT: Final = (_INTERRUPTED, 3, 1, 2, 0)

app = typer.Typer(
    name="eyechart",
    help="An eye test for vision-language models: asks a served model a benchmark, loses nothing, scores it exactly.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Benchmark files: fetch them, check them, find them.", no_args_is_help=True)
list_app = typer.Typer(help="What eyechart knows by name.", no_args_is_help=True)
app.add_typer(list_app, name="list")
app.add_typer(data_app, name="data")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: words after ``eyechart``; those of the process by default.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = typer.main.get_command(app).main(args=given, prog_name="eyechart", standalone_mode=False)
    except EyechartError as error:
        _complain(str(error))
        return error.exit_code
    except typer.TyperException as error:
        if message := error.format_message():
            end = "" if message.endswith((".", "?", "!")) else "."
            _complain(f"{message}{end} For help: eyechart {_verb(given)}--help")
        return 1
    except typer.Abort:
        return _INTERRUPTED
    return result if isinstance(result, int) else 0


def _verb(given: Sequence[str]) -> str:
    names = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    names |= {group.name for group in app.registered_groups if group.name}
    return f"{given[0]} " if given and given[0] in names else ""


def _complain(text: str) -> None:
    from .engine.plain_text import clean  # noqa: PLC0415  (only an error needs it)

    print("eyechart:", "\n".join(clean(line, 2000) for line in text.splitlines()), file=sys.stderr)


def _say(text: str) -> None:
    from .engine.plain_text import visible  # noqa: PLC0415

    print(visible(text), flush=True)


def _note(text: str) -> None:
    from .engine.plain_text import clean  # noqa: PLC0415

    print("note:", clean(text, 2000), file=sys.stderr)


def _show(parts: Iterable[RenderableType]) -> None:
    """Prints tables and lines: in colour and as wide as the terminal, or plain and as wide as they are."""
    from rich.console import Console  # noqa: PLC0415  (slow to import)

    if sys.stdout is None:  # closed by whoever started the command
        return
    if sys.stdout.isatty():
        console = Console(markup=False, highlight=False, emoji=False)
        for part in parts:
            console.print(part)
        return
    plain = Console(width=5000, markup=False, highlight=False, emoji=False, force_terminal=False, color_system=None)
    for part in parts:
        with plain.capture() as captured:
            plain.print(part)
        print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"eyechart {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


add_demo(app, lambda plans, **shown: _run(plans, **shown))  # noqa: PLW0108  (it stands below)


@app.command("eval", cls=o.SeveralValues)
@with_run_options
def evaluate(
    *, given: Given, quiet: o.Quiet = False, json_progress: o.JsonProgress = None, verbose: o.Verbose = False
) -> int:
    """Ask models benchmarks, score the answers, print the report.

    Give a configuration file, or at least --model, --api-base and --data. The same command again continues a run.
    """
    return _run(given.plans(), quiet=quiet, verbose=verbose, json_to=json_progress)


@app.command(cls=o.SeveralValues)
def resume(
    run_dir: o.RunDir,
    *,
    key: o.Key = None,
    judge: o.JudgeName = None,
    judge_api_base: o.JudgeApiBase = None,
    judge_nproc: o.JudgeNproc = None,
    assignments: o.Assignments = None,
    quiet: o.Quiet = False,
    json_progress: o.JsonProgress = None,
    verbose: o.Verbose = False,
) -> int:
    """Continue a run from its folder: asks what has no answer yet, scores, prints the report.

    Keys are never stored with a run: those that it needs come from EYECHART_API_KEY or --key, and those of judges from
    EYECHART_JUDGE_KEY.
    """
    options = {"judge": judge, "judge_api_base": judge_api_base, "judge_nproc": judge_nproc}
    plan = _plan_of_run(run_dir, key=key, judge=options, assignments=assignments or [])
    return _run([plan], quiet=quiet, verbose=verbose, json_to=json_progress)


@app.command(cls=o.SeveralValues)
def score(
    run_dir: o.RunDir,
    *,
    judge: o.JudgeName = None,
    judge_api_base: o.JudgeApiBase = None,
    judge_nproc: o.JudgeNproc = None,
    assignments: o.Assignments = None,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Score the stored answers of a run again; asks no model anything.

    With the judge that the run was begun with, or with another one for this time: the run stays what it is.
    """
    options = {"judge": judge, "judge_api_base": judge_api_base, "judge_nproc": judge_nproc}
    plan = _plan_of_run(run_dir, mode="eval", judge=options, assignments=assignments or [])
    return _run([plan], quiet=quiet, verbose=verbose)


def _plan_of_run(run_dir: Path, **given: Any) -> RunPlan:
    """Makes the plan that takes up a run again; says which secrets it lacks."""
    from .engine.config import read_environment  # noqa: PLC0415  (slow to import)
    from .engine.resume import plan_of_run  # noqa: PLC0415

    plan, missing = plan_of_run(run_dir, read_environment(), **given)
    for sentence in missing:
        _note(sentence)
    return plan


@app.command()
def report(
    run_dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Run folders.")],
) -> int:
    """Print the report of a run again; several runs are shown side by side."""
    from .cli_report import comparison, read_report, report_parts  # noqa: PLC0415  (slow to import)

    reports = [read_report(run_dir) for run_dir in run_dirs]
    _show(report_parts(reports[0]) if len(reports) == 1 else comparison(reports))
    return 0


_output = Output(_show, lambda text: print(text, flush=True), _complain)
Verbs(_output).add_to(app)
JudgeAudit(_output).add_to(app)


@list_app.command("benchmarks")
def list_benchmarks(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those of the catalogue that arrive with a later version.")
    ] = False,
    data_root: o.Root = None,
) -> int:
    """Benchmarks by name, what they ask, and whether their file is here."""
    from .benchmarks.digest import where  # noqa: PLC0415  (slow to import)
    from .benchmarks.families import FAMILIES  # noqa: PLC0415
    from .cli_data import benchmark_table, data_folder  # noqa: PLC0415

    root = data_folder(data_root)
    _show([benchmark_table(lambda name: where(name, root) is not None, FAMILIES, everything=everything)])
    return 0


@list_app.command("models")
def list_models() -> int:
    """What can stand as `name` in the configuration of a model, and what it needs."""
    from .engine.summarizer import list_supported_models  # noqa: PLC0415  (slow to import)

    _show([model_table(list_supported_models())])
    return 0


@data_app.command("pull")
def data_pull(names: o.Names, data_root: o.Root = None, mirror: o.MirrorUrl = None) -> int:
    """Download the files of benchmarks, unless they are there; a broken download goes on where it stopped."""
    from .cli_data import pull_files  # noqa: PLC0415  (slow to import)

    for line in pull_files(names, data_root, mirror):
        _say(line)
    return 0


@data_app.command("verify")
def data_verify(names: o.Names, data_root: o.Root = None) -> int:
    """Compare files with the digests of the catalogue; exit code 1 if one is missing or another one."""
    from .cli_data import verify_files  # noqa: PLC0415  (slow to import)

    good = True
    for line, fine in verify_files(names, data_root):
        _say(line)
        good = good and fine
    return 0 if good else 1


@data_app.command("where")
def data_where(names: o.Names, data_root: o.Root = None) -> int:
    """Print the paths of benchmark files; exit code 1 if one is missing."""
    from .cli_data import find_files  # noqa: PLC0415  (slow to import)

    missing = []
    for name, path in find_files(names, data_root):
        if path is None:
            missing.append(name)
        else:
            # A program gets the path as it is; a terminal is not to obey it.
            _say(str(path)) if sys.stdout and sys.stdout.isatty() else print(path)
    if missing:
        _complain(f"no file of {', '.join(missing)}; to download: eyechart data pull {' '.join(missing)}")
    return 1 if missing else 0


@app.command("mock-server", cls=o.SeveralValues)
def mock_server(
    *,
    host: o.Host = "127.0.0.1",
    port: o.Port = 8000,
    mode: o.AnswerMode = None,
    text: o.Text = None,
    script_file: o.ScriptFile = None,
    latency: o.Latency = None,
    jitter: o.Jitter = None,
    slots: o.Slots = None,
    max_in_flight: o.MaxInFlight = None,
    rpm: o.MockRpm = None,
    fault_rate: o.FaultRate = None,
    faults: o.Faults = None,
    fail_always: o.FailAlways = None,
    seed: o.Seed = None,
    api_key: o.MockKey = None,
    model: o.MockModel = None,
    dialect: o.Dialect = None,
    assignments: o.MockSet = None,
) -> int:
    """Serve an OpenAI-style endpoint that behaves as well or as badly as it is told to; Ctrl-C ends it.

    Prints its address once it listens: a line of JSON where standard output is no terminal.
    """
    options = dict(locals())
    from .cli_serve import serve_until_signal, settings_from_options  # noqa: PLC0415  (slow to import)

    for name in ("host", "port", "assignments"):
        del options[name]
    settings = settings_from_options(options, assignments or [])
    serve_until_signal(settings, host, port, lambda line: print(line, flush=True))
    return 0


def _run(plans: Sequence[RunPlan], *, quiet: bool, verbose: bool, json_to: str | None = None) -> int:
    """Runs plans one after the other; prints each report as it is finished."""
    codes = [0]
    for position, plan in enumerate(plans):
        silent = quiet or plan.quiet
        if not silent and json_to != "-":
            for note in plan.notes:
                _note(note)
        with _log_on_stderr(wanted=verbose):
            code = _run_one(replace(plan, quiet=False), silent=silent or verbose, json_to=json_to)
        codes.append(code)
        rest = len(plans) - position - 1
        if code == _INTERRUPTED and rest:
            _complain(f"{rest} further {'task was' if rest == 1 else 'tasks were'} not begun")
            break
    return min(codes, key=_WEIGHT.index)


def _run_one(plan: RunPlan, *, silent: bool, json_to: str | None) -> int:
    import anyio  # noqa: PLC0415  (slow to import)

    from .cli_progress import shown  # noqa: PLC0415
    from .engine.run import run_plans  # noqa: PLC0415

    with shown(plan, silent=silent, json_to=json_to) as show:
        try:
            (finished,) = anyio.run(run_plans, [plan], show.display)
        except KeyboardInterrupt:
            folder = show.progress.run_dir if show.progress else None
            _complain("stopped at once" + (f"; what was answered is safe. {_again(folder)}" if folder else ""))
            return _INTERRUPTED
        show.finished(finished)
    _print_report(finished)
    return finished.exit_code


def _print_report(finished: Report) -> None:
    from .cli_report import report_parts  # noqa: PLC0415  (slow to import)

    if sys.stdout is not None and sys.stdout.isatty():
        print()
    _show(report_parts(finished.as_dict()))
    print(f"\nReport: {finished.run_dir / 'report.md'}", flush=True)
    warnings = [f"WARNING: {warning}" for warning in finished.warnings]
    for sentence in (*warnings, *finished.problems, *_errors(finished)):
        _complain(sentence)
    if finished.state == "interrupted":
        _complain(f"interrupted. {_again(finished.run_dir)}")
    elif unanswered := sum(entry.missing + entry.tally.failed for entry in finished.entries):
        _complain(f"without an answer: {unanswered} of the samples. {_again(finished.run_dir)}")


def _errors(finished: Report) -> Iterator[str]:
    return (f"{entry.model} on {entry.benchmark}: {entry.error}" for entry in finished.entries if entry.error)


def _again(run_dir: Path) -> str:
    return f"To go on: eyechart resume {shlex.quote(str(run_dir))}"


@contextmanager
def _log_on_stderr(*, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    from .engine.plain_text import LogLines  # noqa: PLC0415  (slow to import)

    handler = logging.StreamHandler()
    handler.setFormatter(LogLines())
    log = logging.getLogger("eyechart")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)

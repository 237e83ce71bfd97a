"""Options of the command line that several verbs or many fields share, each with its help text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import typer
from typer.core import TyperCommand

__all__ = ["SeveralValues", "spread"]

_SEVERAL: Final = frozenset({"--data", "--model", "--api-base", "--set", "--fault", "--fail-always"})
_FILES: Final = (".yaml", ".yml", ".json")


def spread(arguments: Sequence[str]) -> list[str]:
    """Lets one option take several values: ``--data A B`` becomes ``--data A --data B``.

    A value ends where the next option begins; a configuration file is never taken for a value of ``--data``.
    """
    result: list[str] = []
    option: str | None = None
    fresh = False
    for position, argument in enumerate(arguments):
        if argument == "--":
            return [*result, *arguments[position:]]
        name, sign, _ = argument.partition("=")
        if argument.startswith("-") and len(argument) > 1:
            option = name if name in _SEVERAL else None
            fresh = not sign
            result.append(argument)
        elif option is not None and not fresh and not (argument.lower().endswith(_FILES) and "=" not in argument):
            result += [option, argument]
        else:
            result.append(argument)
            fresh = False
    return result


class SeveralValues(TyperCommand):
    """A command whose repeatable options take several values after one mention."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Spreads values before they are parsed."""
        return super().parse_args(ctx, spread(args))


def _benchmarks(incomplete: str) -> list[str]:
    from .benchmarks.families import FAMILIES  # noqa: PLC0415  (only a shell that completes a name needs it)

    return sorted(name for name in FAMILIES if name.lower().startswith(incomplete.lower()))


def _count_or_auto(value: str | None) -> Any:
    """A whole number where it is one; what else is right or wrong the configuration says."""
    return int(value) if value is not None and value.isdecimal() else value


def _numbers_or_auto(value: str | None) -> Any:
    """Numbers between commas where it is that; what else is right or wrong the configuration says."""
    parts = value.split(",") if value is not None else []
    return [int(part) for part in parts] if parts and all(part.strip().isdecimal() for part in parts) else value


_SPEED = "Speed and patience"
_MODEL = "The model"
_JUDGE = "The judge"
_RUN = "The run"

Config: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG", help="YAML or JSON file with a task or a list of tasks. Options given beside it win over it."
    ),
]
Assignments: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set any field, e.g. eval_config.model[0].top_p=0.9. Repeatable."),
]
RunDir: TypeAlias = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run: the one that holds run.json.")]
Model: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="The model's name at the server. Several may follow.", rich_help_panel=_MODEL),
]
ApiBase: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="The server's address, e.g. http://localhost:8000/v1; several where several servers share the work. "
        "Default: the environment's OPENAI_API_BASE.",
        rich_help_panel=_MODEL,
    ),
]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        help="API key. Others on this machine can see it in the list of processes: better put it into the "
        "environment variable EYECHART_API_KEY. Default: EMPTY. Never stored.",
        rich_help_panel=_MODEL,
    ),
]
ModelPath: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="A model on this machine: its folder, or its name on the hub. --model says how it is loaded: "
        "transformers, qwen_chat, or one of eyechart list models.",
        rich_help_panel=_MODEL,
    ),
]
BatchSize: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Most questions that a model on this machine answers together. Default: 8.",
        rich_help_panel=_MODEL,
    ),
]
Devices: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="auto|0,1",
        help="Devices of this machine that get a copy of the model each. Default: auto, all of them.",
        callback=_numbers_or_auto,
        rich_help_panel=_MODEL,
    ),
]
TrustRemoteCode: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run program code that comes in the model's folder, as qwen_chat needs it.",
        rich_help_panel=_MODEL,
    ),
]
Temperature: TypeAlias = Annotated[
    float | None, typer.Option(metavar="NUMBER", help="Sampling temperature. Default: 0.", rich_help_panel=_MODEL)
]
MaxTokens: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Longest answer in tokens. Default: 2048.", rich_help_panel=_MODEL)
]
ImgSize: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="PIXELS",
        help="Longest edge in pixels that pictures are shrunk to; -1, the default, sends them as they are.",
        rich_help_panel=_MODEL,
    ),
]
SystemPrompt: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Sent as a system message before every question.", rich_help_panel=_MODEL),
]
JudgeName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="NAME",
        help="The model that reads what exact rules cannot read; exact_matching for none. Its key comes from the "
        "environment variable EYECHART_JUDGE_KEY.",
        rich_help_panel=_JUDGE,
    ),
]
JudgeApiBase: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The judge's address, e.g. http://localhost:8001/v1. Default: the environment's OPENAI_API_BASE.",
        rich_help_panel=_JUDGE,
    ),
]
JudgeNproc: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto",
        help="Most requests in flight to the judge. Default: that of the models.",
        callback=_count_or_auto,
        rich_help_panel=_JUDGE,
    ),
]
Data: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Benchmarks, by name or as the path of your own TSV. Several may follow.",
        autocompletion=_benchmarks,
        rich_help_panel=_RUN,
    ),
]
Limit: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="First rows of every benchmark to take. Default: all.", rich_help_panel=_RUN),
]
WorkDir: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Folder that run folders are made in. Default: outputs.", rich_help_panel=_RUN),
]
ProtocolName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="eyechart, the default, or vlmeval for the reference's numbers bit for bit.",
        rich_help_panel=_RUN,
    ),
]
Mode: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="all|infer|eval",
        help="all asks and scores, infer only asks, eval only scores stored answers. Default: all.",
        rich_help_panel=_RUN,
    ),
]
Reuse: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--reuse",
        help="Continue the newest run of the same configuration even when it was finished. An unfinished one is "
        "continued anyway.",
        rich_help_panel=_RUN,
    ),
]
UseCache: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DIR", help="Run folder to continue.", rich_help_panel=_RUN)
]
DataRoot: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Folder of benchmark files. Default: the environment's LMUData, else ~/LMUData.",
        rich_help_panel=_RUN,
    ),
]
Mirror: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Download benchmark files from here in place of their own addresses.", rich_help_panel=_RUN
    ),
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress; the report is printed all the same.")
]
Verbose: TypeAlias = Annotated[
    bool, typer.Option("--verbose", "-v", help="Write the run's log to standard error as well; shows no live table.")
]
Nproc: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto",
        help="Most requests in flight to each model, and to each of its servers; auto finds the best number while the "
        "run goes on. Default: 4.",
        callback=_count_or_auto,
        rich_help_panel=_SPEED,
    ),
]
NprocMax: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Highest number that --nproc auto may come to. Default: 512.", rich_help_panel=_SPEED
    ),
]
JsonProgress: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Append progress to a file as JSON, an object a line; - writes to standard error in place of the display. "
        "Also with --quiet.",
    ),
]
Rpm: TypeAlias = Annotated[
    float | None, typer.Option(metavar="NUMBER", help="Most requests a minute to each model.", rich_help_panel=_SPEED)
]
Tpm: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="NUMBER", help="Most tokens a minute to and from each model.", rich_help_panel=_SPEED),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Seconds for one complete answer. Default: 330.", rich_help_panel=_SPEED),
]
Retry: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Most tries per question. Default: 6.", rich_help_panel=_SPEED)
]
Patience: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Seconds without any answer after which a model counts as unusable and the run stops, resumable. "
        "Default: 600, or twice the timeout.",
        rich_help_panel=_SPEED,
    ),
]
Grace: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Seconds that requests in flight are given to finish after Ctrl-C. Default: 30.",
        rich_help_panel=_SPEED,
    ),
]
Names: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Benchmarks by name.", autocompletion=_benchmarks)
]
Root: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="DIR",
        help="Folder of benchmark files. Default: the environment's LMUData, else ~/LMUData.",
    ),
]
MirrorUrl: TypeAlias = Annotated[
    str | None, typer.Option("--mirror", metavar="URL", help="Download from here in place of the files' own addresses.")
]

CheckTimeout: TypeAlias = Annotated[
    float,
    typer.Option(min=0.001, metavar="SECONDS", help="Longest wait for each step that asks a server."),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of text.")]
Probes: TypeAlias = Annotated[
    int, typer.Option(min=1, metavar="N", help="Questions of each benchmark that each model is asked.")
]
NoProbe: TypeAlias = Annotated[
    bool, typer.Option("--no-probe", help="Send nothing: counts and prompts only, without tokens, time and cost.")
]

Host: TypeAlias = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")]
Port: TypeAlias = Annotated[
    int, typer.Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0 takes a free one.")
]
AnswerMode: TypeAlias = Annotated[
    Literal["computed", "fixed", "scripted", "echo", "judge"] | None,
    typer.Option(
        "--mode",
        metavar="computed|fixed|scripted|echo|judge",
        help="Where answers come from: an option letter or a word computed from the question (the default), always "
        "--text, a script file, the question itself, or a judge's rule: which option does the answer name?",
    ),
]
Text: TypeAlias = Annotated[str | None, typer.Option(metavar="TEXT", help="The fixed answer; sets --mode fixed.")]
ScriptFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON file of patterns and answers; sets --mode scripted."),
]
Latency: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Seconds from a request to its answer.")
]
Jitter: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="The latency varies by up to so many seconds.")
]
Slots: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Requests served at a time; others wait their turn.")
]
MaxInFlight: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Requests in flight beyond this are answered 429.")
]
MockRpm: TypeAlias = Annotated[
    int | None, typer.Option("--rpm", metavar="N", help="Requests let through in any minute; others are answered 429.")
]
FaultRate: TypeAlias = Annotated[
    float | None, typer.Option(metavar="CHANCE", help="Chance of a request to meet a fault, spread over all kinds.")
]
Faults: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--fault", metavar="KIND=CHANCE", help="Chance of one kind of fault, e.g. server_error=0.1. Repeatable."
    ),
]
FailAlways: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN=KIND", help="Questions that hold the pattern always fail in this way. Repeatable."),
]
Seed: TypeAlias = Annotated[int | None, typer.Option(metavar="N", help="Seed of faults and jitter.")]
MockKey: TypeAlias = Annotated[
    str | None, typer.Option("--api-key", metavar="KEY", help="Key that requests must carry.")
]
MockModel: TypeAlias = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Name of the served model; any other one is refused.")
]
Dialect: TypeAlias = Annotated[
    Literal["vllm", "llamacpp", "transformers", "swift"] | None,
    typer.Option(
        metavar="vllm|llamacpp|transformers|swift", help="Whose error bodies and quirks to copy. Default: vllm."
    ),
]
MockSet: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any further setting by its name. Repeatable."),
]

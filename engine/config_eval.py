"""The mapping ``eval_config``: what is evaluated, and how."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias, TypedDict

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from ..adapters.local.names import LOCAL
from ..scoring.protocol import EYECHART, PROTOCOLS
from .config_judge import JudgeArgs, JudgeFields, JudgeOrJudges
from .config_local import LocalEntry, is_local
from .config_model import ModelEntry
from .config_problems import closest, refuse, shown
from .config_types import (
    Amount,
    Base,
    Count,
    FrameCount,
    FrameRate,
    JsonObject,
    Nproc,
    PathText,
    Rate,
    Seconds,
    Secret,
    Url,
    Word,
    later,
)

__all__ = ["ASKS_NOTHING", "JUDGE_TIMEOUT", "ONLY_BEHIND_BASE_URL", "RETRY", "EvalConfig", "InFlight", "in_flight"]

RETRY: Final = 6
"""Most tries where no field says otherwise."""
JUDGE_TIMEOUT: Final = 600
"""The reference's default of `judge_timeout` in seconds, which may be spelled out without a judge."""
_REPEATS: Final = "several answers per question are not supported yet; give each run a work_dir of its own"
_VERIFIER: Final = "verifiers are not supported; name a model by judge"
_VLLM: Final = "serve the model with vLLM and give its address by api_base"

_MOST_COLUMNS: Final = 100

ONLY_BEHIND_BASE_URL: Final = (
    "key", "max_tokens", "temperature", "top_k", "top_p", "repetition_penalty", "extra_body", "thinker", "video_llm"
)  # fmt: skip
ASKS_NOTHING: Final = {"key": "sk-admin", "max_tokens": 32768, "thinker": False, "video_llm": False}
"""The reference's defaults of these fields, which a configuration may spell out without meaning anything by it."""


def _reuse_aux(value: object) -> object:
    allowed = ("all", "infer", "none", "1", "0", "true", "false", "yes", "no")
    if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
        return value
    if isinstance(value, str) and value.lower() in allowed:
        return value
    raise refuse(f"given {shown(value)}, expected all, infer, none, true or false")


def _columns(value: object) -> object:
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(number, int) and not isinstance(number, bool) and (number == -1 or 1 <= number <= _MOST_COLUMNS):
        return number
    raise refuse(f"given {shown(value)}, expected 1 to {_MOST_COLUMNS} columns, or -1 for long strips")


def _bundle(value: object) -> object:
    if value is not None:
        raise refuse("give models and benchmarks by model and data, not by a file of their own")
    return value


def _where(entry: object) -> str:
    return _HERE if is_local(entry) else _SERVED


_SERVED: Final = ":served"
_HERE: Final = ":local"
_Entry: TypeAlias = Annotated[
    Annotated[ModelEntry, Tag(_SERVED)] | Annotated[LocalEntry, Tag(_HERE)], Discriminator(_where)
]


class EvalConfig(Base):
    """What is evaluated, and how."""

    model: list[_Entry] = Field(
        min_length=1,
        description="Models, each a mapping (below): served ones, or models on this machine, which may be named alone; "
        "behind `base_url` plain names.",
    )
    data: list[Word] = Field(
        min_length=1,
        description="Benchmarks: names (`eyechart list benchmarks`), or your own TSV: its path, or its name without "
        "`.tsv` when it lies in the data root.",
    )
    mode: Literal["all", "infer", "eval"] = Field(
        "all", description="`all` asks and scores, `infer` only asks, `eval` only scores stored answers."
    )
    limit: Count | None = Field(None, description="First rows of every benchmark to take. Default: all of them.")
    repeats: Annotated[int, later(1, _REPEATS)] = Field(1, description="Answers per question; only 1 so far.")
    protocol: str = Field(
        EYECHART.name,
        description="`eyechart`, or `vlmeval` for the reference's numbers bit for bit; see protocol.md.",
    )
    nproc: Nproc | None = Field(
        None,
        description="Most requests in flight to each model, where a model has several addresses to each of these. "
        "`auto` finds the number that serves best while the run goes on, up to `nproc_max`. Wins over `api_nproc`.",
    )
    nproc_max: Count = Field(512, description="Highest number that `nproc: auto` may come to.")
    api_nproc: Count = Field(4, description="The same as `nproc`, under the reference's other name.")
    rpm: Rate | None = Field(None, description="Most requests a minute to each model and address. Default: no bound.")
    tpm: Rate | None = Field(
        None, description="Most tokens a minute to and from each model and address. Default: no bound."
    )
    timeout: Seconds | None = Field(
        None,
        description="Seconds for one complete answer. Default: 330, behind `base_url` 1980 (the reference's 300 and "
        "1800 with its margin of a tenth).",
    )
    connect_timeout: Seconds = Field(10.0, description="Seconds to connect.")
    retry: Count | None = Field(None, description="Most tries per question. Default: 6.")
    patience: Seconds | None = Field(
        None,
        description="Seconds without any answer from a model after which it counts as unusable and the run stops, "
        "resumable. Default: 600, or twice the timeout where that is more.",
    )
    grace: Amount = Field(
        30.0, le=86_400, description="Seconds that requests in flight are given to finish after Ctrl-C or SIGTERM."
    )
    reuse: bool = Field(
        False,
        description="Continue the newest run of the same configuration in `work_dir` even when it was finished. An "
        "unfinished one is continued anyway.",
    )
    reuse_aux: Annotated[Any, BeforeValidator(_reuse_aux)] = Field(
        "all", description="Accepted without effect: scores are computed anew from the answers, which takes seconds."
    )
    data_root: PathText | None = Field(
        None, description="Folder of benchmark files. Default: the environment's `LMUData`, else `~/LMUData`."
    )
    mirror: Url | None = Field(None, description="Address to download benchmark files from in place of their own.")
    quiet: bool = Field(False, description="Show no progress.")
    judge: JudgeOrJudges = Field(
        None,
        description="Who reads the answers that exact rules cannot read: the name of a model, a mapping (below), or a "
        "list of these, of which the first decides and the others are compared with it. `exact_matching`, or nothing: "
        "exact rules alone. See judge.md.",
    )
    judge_args: JudgeArgs = Field(
        None,
        description="Fields of a judge given by name, as JSON text or as a mapping (below). The fields that follow win "
        "over it.",
    )
    judge_base_url: Url | None = Field(
        None, description="Address of a judge given by name, without `/chat/completions`."
    )
    judge_key: Secret | None = Field(
        None, description="API key of a judge given by name. Default: as `key` in a judge's mapping."
    )
    judge_api_nproc: Nproc | None = Field(
        None, description="Most requests in flight to a judge given by name. Default: `nproc`."
    )
    judge_retry: Count | None = Field(
        None, description="Most tries per request to a judge given by name. Default: `retry`."
    )
    judge_timeout: Seconds | None = Field(
        None,
        description="Seconds for one complete reply of a judge given by name. Default: 660 (the reference's 600 with "
        "its margin of a tenth).",
    )
    OPENAI_API_KEY: Secret | None = Field(None, description="Key of judges at `OPENAI_API_BASE`.")
    OPENAI_API_BASE: Url | None = Field(
        None, description="Address of judges that name none; `api_base` of models says which forms it may have."
    )
    LOCAL_LLM: Word | None = Field(
        None,
        description="The model to ask in place of a judge given by name, whose name stays. Without `judge` it is the "
        "judge, where `OPENAI_API_BASE` (or `judge_base_url`) is set too.",
    )
    base_url: Url | None = Field(
        None,
        description="Address of an LMDeploy-style server without `/chat/completions`; `model` is then a list of plain "
        "names, and the fields down to `thinker` apply to all of them.",
    )
    key: Secret | None = Field(
        None, description="Behind `base_url`: API key. Default: the environment's `LMDEPLOY_API_KEY`, else `sk-admin`."
    )
    max_tokens: Count | None = Field(None, description="Behind `base_url`: longest answer in tokens. Default: 32768.")
    temperature: Amount | None = Field(None, description="Behind `base_url`: sampling temperature. Default: 0.")
    top_k: int | None = Field(None, ge=-1, le=2_000_000_000, description="Behind `base_url`: sent when given.")
    top_p: Amount | None = Field(None, le=1, description="Behind `base_url`: sent when given.")
    repetition_penalty: Amount | None = Field(None, description="Behind `base_url`: sent when given.")
    extra_body: JsonObject | None = Field(
        None, description="Behind `base_url`: further request fields, a mapping or JSON text."
    )
    thinker: bool = Field(False, description="Behind `base_url`: doubles `timeout` and `max_tokens`.")
    custom_prompt: Annotated[
        Any, later(None, "prompts of single model families are not supported; every model gets the benchmark's own")
    ] = Field(None, description="Only `null`.")
    local_media: Annotated[
        bool, later(False, "pictures travel inside the request; the server need not see your files")
    ] = Field(False, description="Only `false`.")
    video_llm: bool = Field(
        False, description="Behind `base_url`: show whole videos as `video_url` instead of frames; see videos.md."
    )
    nframe: FrameCount = Field(8, description="Frames of each video. Default: 8, and nothing where `fps` is positive.")
    fps: FrameRate = Field(
        -1, description="Frames a second, in place of `nframe`; -1 or 0 for `nframe`. Not for MVBench."
    )
    max_frames: Count | None = Field(
        None, description="With `fps`, most frames of a video, evenly thinned. Default: no bound."
    )
    total_pixels: Count | None = Field(
        None,
        description="Pixels that all frames of one question share; larger frames are scaled down. Default: no bound.",
    )
    pack: bool = Field(False, description="MMBench-Video: ask all questions on a video in one request.")
    use_subtitle: bool = Field(False, description="Video-MME: show the subtitles that stand at the frames.")
    video_transport: Literal["data", "file", "path", "http"] = Field(
        "data",
        description="How a whole video reaches the server: inside the request (`data`), by its address on a disk that "
        "both see (`file`: `file://…`, `path`: the bare path), or under `video_base_url` (`http`).",
    )
    video_base_url: Url | None = Field(
        None,
        description="With `video_transport: http`, the address under which the server finds what is in `data_root`.",
    )
    video_timeout: Seconds = Field(
        120.0, description="Seconds without a further frame after which a decoder counts as hung; that sample fails."
    )
    frame_cache: bool = Field(
        False, description="Keep decoded frames in `data_root/.eyechart/frames` for further runs."
    )
    max_pages: Count = Field(120, description="Documents: pages that are shown at most, the first ones.")
    concat_num: Count | None = Field(
        None,
        description="Documents: puts the pages together on so many sheets at most; see documents.md. Default: every "
        "page is a picture of its own.",
    )
    column_num: Annotated[int, BeforeValidator(_columns)] = Field(
        1, description="Documents: columns of each sheet of `concat_num`; -1 for long strips with numbered pages."
    )
    use_vllm: Annotated[bool, later(False, _VLLM)] = Field(False, description="Only `false`.")
    use_verifier: Annotated[bool, later(False, _VERIFIER)] = Field(False, description="Only `false`.")
    keep_failed: bool = Field(
        False,
        description="Take failures that are recorded already as final. Default: they are asked again when the run is "
        "continued.",
    )
    config: Annotated[Any, BeforeValidator(_bundle)] = Field(None, description="Only `null`.")
    work_dir: PathText | None = Field(None, description="Used when the task itself names no `work_dir`.")
    verbose: bool = Field(False, description="Accepted without effect: every answer is in predictions.jsonl.")
    debug: bool = Field(False, description="Accepted without effect.")
    ignore: bool = Field(False, description="Accepted without effect, as in the reference.")
    monitor_interval: Amount = Field(30, description="Accepted without effect: progress is shown as it happens.")
    api_mode: bool = Field(
        False, description="Accepted without effect: asking and scoring always overlap, which is what it stands for."
    )

    @model_validator(mode="before")
    @classmethod
    def _named_alone(cls, value: Any) -> Any:
        """A name alone stands for a model on this machine, as in the reference, but not behind a `base_url`."""
        if not isinstance(value, dict) or value.get("base_url") or not isinstance(models := value.get("model"), list):
            return value
        entries = [{"name": entry} if isinstance(entry, str) and entry in LOCAL else entry for entry in models]
        return {**value, "model": entries}

    @field_validator("protocol")
    @classmethod
    def _known_protocol(cls, value: str) -> str:
        if value not in PROTOCOLS:
            near = closest(value, PROTOCOLS)
            hint = f"; did you mean {near}?" if near else ""
            raise refuse(f"given {shown(value)}, expected one of {', '.join(PROTOCOLS)}{hint}")
        return value


class InFlight(TypedDict):
    """How many requests may be in flight, by the names of `ModelSpec`."""

    nproc: int
    nproc_auto: bool


def in_flight(
    entry: ModelEntry | LocalEntry | JudgeFields | None, config: EvalConfig, default: int | None = None
) -> InFlight:
    """Says how many requests may be in flight to a model or a judge: its own number, else that of ``eval_config``.

    Args:
        entry: the model or judge; None where it has no fields of its own.
        config: where else to look.
        default: taken where neither names an `nproc`, in place of `api_nproc`.
    """
    nproc = (entry.nproc if entry else None) or config.nproc or default or config.api_nproc
    if nproc != "auto":
        return {"nproc": nproc, "nproc_auto": False}
    return {"nproc": (entry.nproc_max if entry else None) or config.nproc_max, "nproc_auto": True}

"""The options of a run, once, for every verb that takes them: eval, doctor, estimate."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from . import cli_options as o

if TYPE_CHECKING:
    from .engine.config import RunPlan

__all__ = ["Given", "with_run_options"]


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed of the options of a run.

    Attributes:
        config: configuration file, None when the options stand for one.
        assignments: values of ``--set``.
        options: the other options by name; None where one was left out.
    """

    config: Path | None
    assignments: Sequence[str]
    options: dict[str, Any]

    def plans(self) -> list[RunPlan]:
        """Returns what they ask for.

        Raises:
            ConfigError: they cannot be used.
        """
        from .engine.config import read_environment  # noqa: PLC0415  (slow to import)
        from .engine.config_command import plans_from_command  # noqa: PLC0415

        return plans_from_command(self.config, self.assignments, self.options, read_environment())


def _run_options(
    config: o.Config = None,
    *,
    assignments: o.Assignments = None,
    model: o.Model = None,
    api_base: o.ApiBase = None,
    model_path: o.ModelPath = None,
    batch_size: o.BatchSize = None,
    devices: o.Devices = None,
    trust_remote_code: o.TrustRemoteCode = False,
    key: o.Key = None,
    temperature: o.Temperature = None,
    max_tokens: o.MaxTokens = None,
    img_size: o.ImgSize = None,
    system_prompt: o.SystemPrompt = None,
    judge: o.JudgeName = None,
    judge_api_base: o.JudgeApiBase = None,
    judge_nproc: o.JudgeNproc = None,
    data: o.Data = None,
    limit: o.Limit = None,
    work_dir: o.WorkDir = None,
    protocol: o.ProtocolName = None,
    mode: o.Mode = None,
    reuse: o.Reuse = False,
    use_cache: o.UseCache = None,
    data_root: o.DataRoot = None,
    mirror: o.Mirror = None,
    nproc: o.Nproc = None,
    nproc_max: o.NprocMax = None,
    rpm: o.Rpm = None,
    tpm: o.Tpm = None,
    timeout: o.Timeout = None,
    retry: o.Retry = None,
    patience: o.Patience = None,
    grace: o.Grace = None,
) -> Given:
    options = {**locals(), "reuse": reuse or None, "trust_remote_code": trust_remote_code or None}
    del options["config"], options["assignments"]
    return Given(config, assignments or (), options)


def with_run_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb the options of a run, before its own.

    Args:
        verb: takes a `Given` under the name ``given``, and options of its own by keyword.

    Returns:
        The verb as the command line calls it: with every option by its name.
    """
    shared = inspect.signature(_run_options).parameters
    own = inspect.signature(verb).parameters

    @functools.wraps(verb)
    def called(*args: Any, **typed: Any) -> int:
        given = _run_options(**{name: typed.pop(name) for name in shared})
        return verb(*args, given=given, **typed)

    hints = get_type_hints(_run_options, include_extras=True) | get_type_hints(verb, include_extras=True)
    parameters = [
        *(p for p in own.values() if p.name == "self"),
        *shared.values(),
        *(p for p in own.values() if p.name not in ("self", "given")),
    ]
    known = [p.replace(annotation=hints.get(p.name, p.annotation)) for p in parameters]
    called.__annotations__ = {p.name: p.annotation for p in known} | {"return": int}
    vars(called)["__signature__"] = inspect.Signature(known, return_annotation=int)
    return called

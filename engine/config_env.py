"""The only place that reads environment variables: which ones count, and what they say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from ..adapters.secrets import names_secret
from ..benchmarks.data_root import default_data_root
from ..errors import ConfigError

__all__ = ["Environment", "child_environment", "read_environment", "worker_environment"]

_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"", "0", "false", "no", "off"})
_WITHOUT_EFFECT: Final = {
    "MMEVAL_ROOT": "set work_dir instead",
    "PRED_FORMAT": "answers are kept in predictions.jsonl",
    "EVAL_FORMAT": "tables are written as csv",
    "VLMEVAL_LOCAL_MEDIA": "pictures travel inside the request",
    "LMDEPLOY_API_BASE": "set base_url instead",
    "BOYUE": "set api_base instead",
}
_OF_THE_HUB: Final = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODELSCOPE_API_TOKEN"})
_OF_CHILDREN: Final = (
    "DYLD_",
    "HOME",
    "LANG",
    "LC_",
    "LD_",
    "MALLOC_",
    "OMP_",
    "PATH",
    "PYTHON",
    "SYSTEMROOT",
    "TMPDIR",
    "TZ",
)
"""How the names begin of variables that a process needs to start and to find its libraries."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says.

    Attributes:
        data_root: folder of benchmark files: ``LMUData``, else ``~/LMUData``.
        api_key: ``EYECHART_API_KEY``: key for models that name none.
        judge_key: ``EYECHART_JUDGE_KEY``: key for judges that name none.
        openai_key: ``OPENAI_API_KEY``, sent to OpenAI and to `openai_base` only.
        openai_base: ``OPENAI_API_BASE``: address of models and judges that name none.
        local_llm: ``LOCAL_LLM``: the model to ask as judge.
        lmdeploy_key: ``LMDEPLOY_API_KEY``: key of models behind ``base_url`` when the configuration has none.
        min_image_edge: ``VLMEVAL_MIN_IMAGE_EDGE`` in pixels (protocol vlmeval).
        max_image_size: ``VLMEVAL_MAX_IMAGE_SIZE`` in base64 characters (protocol vlmeval).
        split_think: ``SPLIT_THINK``: score only what follows the last ``</think>``.
        notes: variables of the reference that are set and have no effect here, with what to do instead.
    """

    data_root: Path
    api_key: SecretStr | None = None
    judge_key: SecretStr | None = None
    openai_key: SecretStr | None = None
    openai_base: str | None = None
    local_llm: str | None = None
    lmdeploy_key: SecretStr | None = None
    min_image_edge: int | None = None
    max_image_size: int | None = None
    split_think: bool = False
    notes: tuple[str, ...] = ()


def read_environment(environ: Mapping[str, str] | None = None) -> Environment:
    """Reads the variables that count.

    Args:
        environ: variables to read; the process's own by default.

    Raises:
        ConfigError: a variable has a value that it cannot have.
    """
    values = os.environ if environ is None else environ
    return Environment(
        data_root=default_data_root(values),
        api_key=_secret(values, "EYECHART_API_KEY"),
        judge_key=_secret(values, "EYECHART_JUDGE_KEY"),
        openai_key=_secret(values, "OPENAI_API_KEY"),
        openai_base=values.get("OPENAI_API_BASE") or None,
        local_llm=values.get("LOCAL_LLM") or None,
        lmdeploy_key=_secret(values, "LMDEPLOY_API_KEY"),
        min_image_edge=_whole(values, "VLMEVAL_MIN_IMAGE_EDGE"),
        max_image_size=_whole(values, "VLMEVAL_MAX_IMAGE_SIZE"),
        split_think=_switch(values, "SPLIT_THINK"),
        notes=tuple(
            f"the environment variable {name} has no effect: {instead}"
            for name, instead in _WITHOUT_EFFECT.items()
            if values.get(name)
        ),
    )


def child_environment() -> dict[str, str]:
    """Returns the environment of processes that read files from outside: without keys, and whatever else is there."""
    return {name: text for name, text in os.environ.items() if name.startswith(_OF_CHILDREN)}


def worker_environment() -> dict[str, str]:
    """Returns the environment of processes that hold models: as it is but for keys, which are none of their business.

    The hub's own token stays: it is theirs to fetch models with.
    """
    return {name: text for name, text in os.environ.items() if name in _OF_THE_HUB or not names_secret(name)}


def _secret(values: Mapping[str, str], name: str) -> SecretStr | None:
    text = values.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ConfigError(
            f"environment variable {name}: holds a space, a line break or a character that no HTTP header can carry "
            "(what was given is not shown)"
        )
    return SecretStr(text)


def _whole(values: Mapping[str, str], name: str) -> int | None:
    text = values.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len("2000000000")):
        raise ConfigError(f"environment variable {name}: given {text[:40]!r}, expected a whole number")
    return int(text)


def _switch(values: Mapping[str, str], name: str) -> bool:
    text = values.get(name, "").strip().lower()
    if text not in _YES | _NO:
        raise ConfigError(f"environment variable {name}: given {text[:40]!r}, expected 1 or 0")
    return text in _YES

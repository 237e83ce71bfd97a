"""What is common to all models that transformers loads: where from, where to, and what is said when it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
import transformers
from safetensors import SafetensorError

from .answerer import MODEL_FAULTS, Answerer, Fatal, Model
from .checkpoint import is_folder
from .devices import is_out_of_memory, place_of, torch_dtype
from .settings import LocalSettings
from .torchvision_operators import import_torchvision

__all__ = ["Load", "Origin", "load_model", "short"]

_FAULTS: Final = (*MODEL_FAULTS, ImportError, SafetensorError)


@dataclass(frozen=True, slots=True)
class Origin:
    """What ``from_pretrained`` is told.

    Attributes:
        path: folder, or name on the hub.
        options: for each part of a model.
        weights: for the weights besides: numbers, devices, kind of attention.
    """

    path: str
    options: Mapping[str, Any]
    weights: Mapping[str, Any]


Load: TypeAlias = Callable[[Origin], tuple[Any, Any]]
"""Loads what makes inputs of questions (a processor, a tokenizer), and the model."""


def load_model(
    settings: LocalSettings,
    device: str | None,
    load: Load,
    answerer: Callable[[LocalSettings, Any, Any, str], Answerer],
) -> Model:
    """Loads a model from its folder or the hub.

    Args:
        settings: which model.
        device: where to, None for the first worker, which finds out what there is.
        load: loads its parts.
        answerer: made of the settings, what `load` returned, and the device that inputs go to.

    Raises:
        Fatal: it cannot be loaded; the text says what to do.
    """
    place = place_of(settings, device)
    operators = import_torchvision()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        asking, model = load(_origin(settings, place.device))
    except _FAULTS as error:
        raise Fatal(_said(settings.model_path, place.device, error)) from None
    about = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "architecture": type(model).__name__,
        "dtype": str(model.dtype).removeprefix("torch."),
        "attention": getattr(model.config, "_attn_implementation", None),
        "torchvision_operators": "stand-ins" if operators is not None else "compiled",
    }
    inputs_to = str(model.device) if settings.device_map else place.device
    made = answerer(settings, asking, model.eval(), inputs_to)
    return Model(made, place.device, place.more, about, place.notes)


def short(error: BaseException) -> str:
    """Returns the start of what an error says, in one line."""
    return " ".join(str(error).split())[:300]


def _origin(settings: LocalSettings, device: str) -> Origin:
    path = settings.model_path
    options: dict[str, Any] = {"trust_remote_code": settings.trust_remote_code}
    if is_folder(path):
        path = str(Path(path).expanduser())
        options["local_files_only"] = True
    weights = {"dtype": torch_dtype(settings, device), "device_map": settings.device_map or device}
    if settings.attn_implementation is not None:
        weights["attn_implementation"] = settings.attn_implementation
    return Origin(path, options, weights)


def _said(path: str, device: str, error: BaseException) -> str:
    """Says in plain words why a model cannot be loaded."""
    if is_out_of_memory(error):
        return (
            f"{path} does not fit into the memory of {device}: {short(error)}. Use dtype: bfloat16, a smaller model, "
            "or device_map: auto to spread it over several devices"
        )
    if isinstance(error, SafetensorError):
        return f"{path}: its weights are damaged ({short(error)}); copy the model again"
    if "trust_remote_code" in str(error):
        return f"{path}: it needs program code from its folder; say trust_remote_code: true if you trust it"
    if isinstance(error, ImportError):
        return f"{path}: it needs a package that is not installed: {short(error)}"
    if not is_folder(path) and isinstance(error, OSError):
        return f"{path}: there is no such folder, and it could not be had from the hub: {short(error)}"
    return f"{path}: it cannot be loaded: {type(error).__name__}: {short(error)}"

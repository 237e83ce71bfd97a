"""Where a worker computes: on the device that it is told, or on the first that there is, else on the processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .answerer import Fatal, OutOfMemory
from .settings import LocalSettings

__all__ = ["Place", "is_out_of_memory", "out_of_memory", "place_of", "torch_dtype"]

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker computes.

    Attributes:
        device: as torch calls it: ``cuda:0``, ``cpu``.
        more: further devices for workers of their own.
        notes: sentences for the user.
    """

    device: str
    more: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def place_of(settings: LocalSettings, device: str | None) -> Place:
    """Says where a worker computes.

    Args:
        settings: which devices are asked for.
        device: what the worker was told; None for the first worker, which finds out what there is.

    Raises:
        Fatal: a device is asked for that is not there.
    """
    import torch  # noqa: PLC0415

    if device is not None:
        return Place(device)
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    count = torch.accelerator.device_count() if accelerator is not None else 0
    if settings.devices == "auto":
        if accelerator is None:
            note = "no accelerator found: the model runs on the processor"
            return Place("cpu", ("cpu",) * (settings.workers - 1), (note,))
        wanted = tuple(range(count))
    else:
        wanted = settings.devices
        beyond = [number for number in wanted if number >= count]
        if beyond:
            what = f"there are {count} ({accelerator})" if accelerator is not None else "torch finds none here"
            built = bool(torch.version.cuda or torch.version.hip)
            hint = "" if built else f"; torch {torch.__version__} is built without CUDA"
            raise Fatal(
                f"devices: {beyond[0]} is asked for, but {what}{hint}. Leave devices out to run on what there is, or "
                "install a build of torch for your accelerator"
            )
    if settings.device_map is not None:
        return Place(settings.device_map)
    kind = accelerator.type if accelerator is not None else "cpu"
    first, *others = [f"{kind}:{number}" for number in wanted]
    return Place(first, tuple(others))


def torch_dtype(settings: LocalSettings, device: str) -> Any:
    """Returns the numbers to compute with, as ``from_pretrained`` takes them."""
    import torch  # noqa: PLC0415

    if settings.dtype == "auto":
        return torch.float32 if device == "cpu" else "auto"
    return getattr(torch, settings.dtype)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of whatever device."""
    import torch  # noqa: PLC0415

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _OUT_OF_MEMORY)


def out_of_memory(error: BaseException, device: str) -> OutOfMemory:
    """Gives back what memory can be given back, and says what a user can do."""
    import torch  # noqa: PLC0415

    if device != "cpu":
        torch.accelerator.empty_cache()
    said = " ".join(str(error).split())[:120]
    return OutOfMemory(
        f"it needs more memory than {device} has ({said}); lower img_size, the number of frames, or max_tokens"
    )

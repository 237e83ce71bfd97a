"""Whether a model on this machine can run: packages, files, devices. It is not loaded: that may take minutes."""

from __future__ import annotations

from anyio import to_thread

from ..adapters.local.checkpoint import check_local
from ..adapters.local.look import look
from ..adapters.local.settings import LocalSettings
from ..errors import ConfigError
from .check import Check, failure, ok, warning
from .config_env import worker_environment

__all__ = ["check_local_model"]

_GIGABYTE = 1e9


async def check_local_model(subject: str, settings: LocalSettings) -> tuple[Check, ...]:
    """Looks at what a model needs, and at the devices that its workers would have.

    Args:
        subject: what findings are about.
        settings: the model.
    """
    try:
        found = await to_thread.run_sync(check_local, settings)
    except ConfigError as error:
        return (failure("endpoint", subject, str(error), "or serve the model and give its address by api_base"),)
    checks = []
    if found is None:
        remedy = "fetch it beforehand where this machine has no network, and give its folder as model_path"
        checks.append(warning("endpoint", subject, f"lies on a hub: {settings.model_path}", remedy))
    else:
        what = found.architecture or found.model_type or "a model of unknown architecture"
        size = f"{found.weight_bytes / _GIGABYTE:.1f} GB of weights"
        checks.append(ok("endpoint", subject, f"{what}, {size}, its files are whole"))
    try:
        seen = await look(settings, environment=worker_environment())
    except ConfigError as error:
        return (*checks, failure("endpoint", subject, str(error), "see docs/local-models.md"))
    where = ", ".join(seen.devices)
    text = f"would run on {where} (torch {seen.torch})"
    if seen.devices[0].startswith("cpu"):
        remedy = "expect it to be slow; install a build of torch for your accelerator if there is one"
        return (*checks, warning("endpoint", subject, text, remedy))
    return (*checks, ok("endpoint", subject, text))

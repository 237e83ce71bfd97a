"""The mock server from a command line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
import orjson
from anyio import create_task_group, open_signal_receiver

from .errors import ConfigError
from .mockserver import MockServer, MockSettings, parse_settings, serve

__all__ = ["serve_until_signal", "settings_from_options"]


def settings_from_options(options: Mapping[str, Any], assignments: Sequence[str]) -> MockSettings:
    """Makes settings of options by name and of ``KEY=VALUE`` texts, which win.

    Raises:
        ConfigError: a setting is unknown or out of bounds.
    """
    given = {name: value for name, value in options.items() if value is not None}
    pairs = [f"faults.{fault}" for fault in given.pop("faults", ())]
    always = dict(_split(text) for text in given.pop("fail_always", ()))
    if "mode" not in given and "script_file" in given:
        given["mode"] = "scripted"
    elif "mode" not in given and "text" in given:
        given["mode"] = "fixed"
    simple = [f"{name}={value}" for name, value in given.items() if name != "text"]
    settings = parse_settings([*simple, *pairs, *assignments])
    # These two may hold anything; among KEY=VALUE texts a bracket would be read as JSON and "none" as nothing.
    texts = {"text": given.get("text", settings.text), "fail_always": {**settings.fail_always, **always}}
    return replace(settings, **texts)


def _split(text: str) -> tuple[str, str]:
    pattern, sign, kind = text.rpartition("=")
    if not sign:
        raise ConfigError(f"--fail-always {text!r}: expected PATTERN=KIND, such as 'What is this=server_error'")
    return pattern, kind


def serve_until_signal(settings: MockSettings, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serves until Ctrl-C or SIGTERM.

    Args:
        settings: how the server behaves.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        announce: told once where the server listens.

    Raises:
        ConfigError: the address cannot be listened on, or a script file cannot be read.
    """

    def ready(server: MockServer) -> None:
        if sys.stdout is not None and sys.stdout.isatty():
            announce(f"mock server at {server.url} (Ctrl-C ends it)")
        else:
            announce(orjson.dumps({"url": server.url, "base_url": server.base_url, "pid": os.getpid()}).decode())

    problem = anyio.run(_serve, settings, host, port, ready)
    if problem:
        raise ConfigError(problem)


async def _serve(settings: MockSettings, host: str, port: int, ready: Callable[[MockServer], None]) -> str | None:
    problem: str | None = None
    async with create_task_group() as tasks:

        async def wait_for_signal() -> None:
            with open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    tasks.cancel_scope.cancel()
                    return

        tasks.start_soon(wait_for_signal)
        try:
            await serve(settings, host, port, ready)
        except ConfigError as error:
            problem = str(error)
        except OSError as error:
            problem = f"mock server: cannot listen on {host}:{port}: {error.strerror}"
        tasks.cancel_scope.cancel()
    return problem

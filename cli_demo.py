"""The verb that shows what eyechart does: an embedded model on the benchmark that comes with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import typer

from . import cli_options as o

if TYPE_CHECKING:
    from rich.table import Table

    from .engine.config import RunPlan

__all__ = ["add_demo", "model_table"]

_MODEL: Final = "EyechartReader"
_BENCHMARK: Final = "EyechartMini"
_INTRODUCTION: Final = f"""{_MODEL}, a model inside this process (RapidOCR), reads {_BENCHMARK}:
signs, receipts, charts and codes on eight lines, each harder than the last.

"""
_NEXT: Final = f"""
The same chart for a model of yours:
  eyechart eval --model NAME --api-base http://HOST:PORT/v1 --data {_BENCHMARK}
"""


def add_demo(app: typer.Typer, run: Callable[..., int]) -> None:
    """Makes `demo` a verb of a command line.

    Args:
        app: the command line.
        run: runs plans; takes them with ``quiet`` and ``verbose`` and returns an exit code.
    """

    @app.command()
    def demo(
        work_dir: o.WorkDir = None, limit: o.Limit = None, quiet: o.Quiet = False, verbose: o.Verbose = False
    ) -> int:
        """Try eyechart here and now: an embedded model reads an eye chart of 72 questions, in about a minute.

        No server, no key, no download. The same as eval --model EyechartReader --data EyechartMini; needs the packages
        that `pip install 'eyechart[demo]'` brings.
        """
        plans = demo_plans(work_dir, limit)
        if not quiet and sys.stderr is not None:
            sys.stderr.write(_INTRODUCTION)
        code = run(plans, quiet=quiet, verbose=verbose)
        if code == 0 and not quiet and sys.stderr is not None:
            sys.stderr.write(_NEXT)
        return code


def demo_plans(work_dir: str | None, limit: int | None) -> list[RunPlan]:
    """Makes the plan of the demo.

    Raises:
        ConfigError: an option is wrong.
    """
    from .engine.config import read_environment  # noqa: PLC0415  (slow to import)
    from .engine.config_command import plans_from_command  # noqa: PLC0415

    options = {
        "model": [_MODEL],
        "data": [_BENCHMARK],
        "judge": "exact_matching",  # whatever judge the environment names
        "work_dir": work_dir,
        "limit": limit,
    }
    return plans_from_command(None, [], options, read_environment())


def model_table(names: Sequence[str]) -> Table:
    """Lists names of models with what they are and what they need."""
    from rich.table import Table as RichTable  # noqa: PLC0415  (slow to import)

    from .adapters.embedded import EMBEDDED  # noqa: PLC0415
    from .adapters.local.names import LOCAL, missing_packages  # noqa: PLC0415

    packages = f"pip install 'eyechart[local]' ({'not installed' if missing_packages() else 'installed'})"
    table = RichTable(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for head in ("name", "what it is", "needs"):
        table.add_column(head, no_wrap=head == "name")
    for name in names:
        if (local := LOCAL.get(name)) is not None:
            own = [*([] if local.home else ["model_path"]), *(["trust_remote_code"] if local.own_code else [])]
            table.add_row(name, f"on this machine: {local.about}", ", ".join([*own, packages]))
        elif (embedded := EMBEDDED.get(name)) is not None:
            state = "not installed" if embedded.problem else "installed"
            needs = f"pip install 'eyechart[{embedded.extra}]' ({state})"
            table.add_row(name, f"embedded: {embedded.about}", needs)
        else:
            table.add_row(name, "a model behind an OpenAI-style address", "type, api_base")
    return table

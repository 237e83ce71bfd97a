"""What was measured, in the form that scripts written for the reference read; and what can be asked of whom."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

from ..adapters.embedded import EMBEDDED
from ..adapters.local.names import LOCAL
from ..benchmarks.families import FAMILIES
from ..errors import ConfigError, DataError
from ..records import Cell
from .config import RunPlan, load_tasks, read_environment, resolve
from .config_data import file_name
from .config_model import API_MODEL
from .report import csv_name
from .run_folder import find_run, read_manifest

__all__ = ["Summarizer", "VLMEvalKitBackendManager", "list_supported_datasets", "list_supported_models"]

_NUMBER: Final = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)


def list_supported_datasets() -> list[str]:
    """Returns the names of the benchmarks that can be run, in alphabetical order."""
    return sorted(FAMILIES, key=str.lower)


def list_supported_models() -> list[str]:
    """Returns what can stand as ``name`` in the configuration of a model."""
    return [API_MODEL, *EMBEDDED, *LOCAL]


class VLMEvalKitBackendManager:
    """The two lists under the name by which scripts written for the reference ask for them."""

    @staticmethod
    def list_supported_datasets() -> list[str]:
        """Returns the names of the benchmarks that can be run, in alphabetical order."""
        return list_supported_datasets()

    @staticmethod
    def list_supported_models() -> list[str]:
        """Returns what can stand as ``name`` in the configuration of a model."""
        return list_supported_models()


class Summarizer:
    """Reads the results of runs."""

    @staticmethod
    def get_report_from_cfg(task_cfg: object) -> list[dict[str, dict[str, Cell]]]:
        """Returns the headline of every result table in the newest run of a configuration.

        Args:
            task_cfg: what `run_task` takes: a mapping, a path, a `TaskConfig`, or a list of these.

        Returns:
            For each model and benchmark that has a result: ``{"<model>_<benchmark>_acc": row}``, where ``row`` is the
            first row of its table, by column; numbers are numbers, empty cells None.

        Raises:
            ConfigError: the configuration is wrong, or there is no run of it yet.
            DataError: the run has no result yet, or one that cannot be read.
        """
        environment = read_environment()
        found: list[dict[str, dict[str, Cell]]] = []
        for task in load_tasks(task_cfg):
            found += _headlines(resolve(task, environment))
        return found


def _headlines(plan: RunPlan) -> list[dict[str, dict[str, Cell]]]:
    run_dir = _run_dir(plan)
    headlines = []
    for model in plan.models:
        for benchmark in plan.data:
            name = csv_name(model.name, file_name(benchmark))
            path = run_dir / model.name / name
            if path.is_file():
                headlines.append({name.removesuffix(".csv"): _first_row(path)})
    if not headlines:
        raise DataError(f"the run in {run_dir} has no result yet; to finish it: eyechart resume {run_dir}")
    return headlines


def _run_dir(plan: RunPlan) -> Path:
    fixed = plan.use_cache or (plan.work_dir if plan.no_timestamp else None)
    if fixed is not None:
        if read_manifest(fixed) is None:
            raise ConfigError(f"there is no run in {fixed} yet")
        return fixed
    run_dir = find_run(plan.work_dir, plan.digest, finished_too=True)
    if run_dir is None:
        raise ConfigError(f"there is no run of this configuration in {plan.work_dir} yet; run_task makes one")
    return run_dir


def _first_row(path: Path) -> dict[str, Cell]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file), None)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if row is None:
        raise DataError(f"{path} has no row")
    return {column: _cell(text) for column, text in row.items() if column is not None}


def _cell(text: str | None) -> Cell:
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if re.search(r"[.e]", text, re.IGNORECASE) else int(text)

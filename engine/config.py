"""Configuration in one place: read tasks, look at the environment, make the plan that the engine runs."""

from __future__ import annotations

from .config_cli import apply_overrides, task_from_options
from .config_env import Environment, read_environment
from .config_load import load_tasks
from .config_model import result_name
from .config_plan import ModelSpec, RunPlan, VideoPlan
from .config_resolve import resolve, resolve_all
from .config_task import TaskConfig

__all__ = [
    "Environment",
    "ModelSpec",
    "RunPlan",
    "TaskConfig",
    "VideoPlan",
    "apply_overrides",
    "load_tasks",
    "read_environment",
    "resolve",
    "resolve_all",
    "result_name",
    "task_from_options",
]

"""Fixtures of engine tests."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image
from serving import serving

from eyechart.engine.config import RunPlan, load_tasks, read_environment, resolve_all
from eyechart.engine.config_plan import JudgeSpec
from eyechart.mockserver import MockServer


@pytest.fixture
async def serve_replies(anyio_backend: object) -> AsyncIterator[Callable[..., Any]]:
    """``url = await serve_replies(200, {...})``: a server that says the same to everybody."""
    async with AsyncExitStack() as stack:

        async def start(status: int, body: dict[str, Any]) -> str:
            async def reply(request: web.Request) -> web.Response:
                await request.read()
                return web.json_response(body, status=status)

            return f"{await stack.enter_async_context(serving(reply))}/v1"

        yield start


def write_choices(path: Path, rows: int = 24) -> None:
    lines = ["index\tquestion\tA\tB\tC\tD\tanswer\tcategory\timage\n"]
    for n in range(rows):
        buffer = BytesIO()
        Image.new("RGB", (120, 110), (n, 80, 160)).save(buffer, "PNG")
        image = base64.b64encode(buffer.getvalue()).decode()
        lines.append(f"{n}\tWhat is in {n}?\tcat\tdog\tboat\tlamp\t{'ABCD'[n % 4]}\tc{n % 3}\t{image}\n")
    path.write_text("".join(lines))


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[..., RunPlan]:
    """A plan over a small TSV with one model and one judge; `judge` replaces fields of the judge's model."""
    write_choices(tmp_path / "Choices.tsv")

    def make(model: MockServer, *judges: MockServer, judge: Mapping[str, Any] | None = None, **fields: Any) -> RunPlan:
        task = fields.pop("task", {})
        about = {name: fields.pop(name) for name in ("repeats", "rubric") if name in fields}
        entries = fields.pop("models", [{"type": "m", "name": "CustomAPIModel", "api_base": model.url}])
        evaluation = {"model": entries, "data": ["Choices"], "nproc": 4, "quiet": True, "data_root": str(tmp_path)}
        config = {"work_dir": str(tmp_path / "outputs"), "eval_config": evaluation | fields, **task}
        (plan,) = resolve_all(load_tasks(config), read_environment({}))
        specs = [
            replace(plan.models[0], name=f"judge{n}", model=f"judge{n}", url=server.url, urls=(), **(judge or {}))
            for n, server in enumerate(judges)
        ]
        return replace(plan, judges=tuple(JudgeSpec(spec, **about) for spec in specs))

    return make

"""Several servers of one model: the load is shared, a dead one is set aside and probed, nothing is lost."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from fakes import MemoryBenchmark, Rig, ScriptedModel

from eyechart.engine.limits import Gate, Limits
from eyechart.engine.replicas import Fleet, Replica
from eyechart.engine.run import run_task_async
from eyechart.errors import (
    AuthError,
    EndpointError,
    EndpointUnusable,
    NotFound,
    Overloaded,
    RateLimited,
    ServerFault,
    Timeout,
    Transport,
)
from eyechart.mockserver import MockServer, MockSettings
from eyechart.records import Reply

pytestmark = pytest.mark.virtual_time


class MoodyModel(ScriptedModel):
    """Fails with `mood` as long as it has one."""

    mood: EndpointError | None = None

    async def ask(self, request: Any) -> Reply:
        mood = self.mood
        if mood is None:
            return await super().ask(request)
        self.asked.append(b"".join(request.chunks).decode())
        await anyio.sleep(0.01)
        raise mood


def fleet(*models: ScriptedModel, nproc: int = 4, told: list[str] | None = None) -> Fleet:
    replicas = [Replica(model, Gate(Limits(nproc)), f"host{n}:80") for n, model in enumerate(models)]
    return Fleet(replicas, [].append if told is None else told.append)


def rig(tmp_path: Path, models: Fleet, samples: int, **about: Any) -> Rig:
    return Rig(tmp_path, models.model, MemoryBenchmark(samples), fleet=models, **about)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_equal_replicas_share_evenly_and_work_at_the_same_time(tmp_path: Path) -> None:
    models = [ScriptedModel() for _ in range(3)]
    made = rig(tmp_path, fleet(*models), 120)
    await made.run()
    assert [len(model.asked) for model in models] == [40, 40, 40]
    assert [model.peak for model in models] == [4, 4, 4], "nproc holds for each address"
    assert 10 <= made.seconds < 11


@pytest.mark.anyio
async def test_a_faster_replica_gets_more(tmp_path: Path) -> None:
    slow, fast = ScriptedModel(latency_s=4.0), ScriptedModel(latency_s=1.0)
    await rig(tmp_path, fleet(slow, fast), 100).run()
    assert 70 <= len(fast.asked) <= 90


@pytest.mark.anyio
@pytest.mark.parametrize("mood", [Transport("refused"), Overloaded("busy", status=503), Timeout("too slow")])
async def test_a_dead_replica_costs_no_answer_and_hardly_any_time(tmp_path: Path, mood: EndpointError) -> None:
    dead, alive = MoodyModel(), ScriptedModel()
    dead.mood = mood
    told: list[str] = []
    made = rig(tmp_path, fleet(dead, alive, told=told), 200)
    await made.run()
    assert set(made.answers().values()) == {f"a{n}" for n in range(200)}
    assert made.seconds < 56, "50 s on the one that is left"
    assert len(dead.asked) < 15, "a few, then a probe after 1, 2, 4, 8, … seconds"
    assert told == [f"host0:80 is set aside: {mood}"]


@pytest.mark.anyio
async def test_a_replica_that_returns_is_asked_again(tmp_path: Path) -> None:
    first, second = MoodyModel(), ScriptedModel()
    models = fleet(first, second)
    made = rig(tmp_path, models, 400)

    async def die_and_return() -> None:
        await anyio.sleep(10)
        first.mood = Transport("connection refused")
        await anyio.sleep(10)
        first.mood = None

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(die_and_return)
        await made.run()
    assert len(made.answers()) == 400
    assert len(second.asked) > len(first.asked) > 120
    assert models.replicas[0].set_aside == 1
    assert made.seconds < 62, "400 answers at 8 a second, and ten or so seconds of it at 4"


@pytest.mark.anyio
@pytest.mark.parametrize("mood", [AuthError("the key is refused"), NotFound("there is no model m")])
async def test_a_replica_with_a_wrong_key_is_named_and_the_others_do_its_work(
    tmp_path: Path, mood: EndpointError
) -> None:
    wrong, right = MoodyModel(), ScriptedModel()
    wrong.mood = mood
    told: list[str] = []
    made = rig(tmp_path, fleet(wrong, right, told=told), 60)
    await made.run()
    assert set(made.answers().values()) == {f"a{n}" for n in range(60)}
    assert told == [f"host0:80 is set aside: {mood}"]


@pytest.mark.anyio
async def test_a_replica_that_fails_fast_does_not_swallow_the_questions(tmp_path: Path) -> None:
    """Having the fewest in flight, it would be asked first again and again."""
    broken, well = MoodyModel(), ScriptedModel()
    broken.mood = ServerFault("out of memory", status=500)
    made = rig(tmp_path, fleet(broken, well), 100)
    await made.run()
    assert set(made.answers().values()) == {f"a{n}" for n in range(100)}


@pytest.mark.anyio
async def test_all_dead_is_an_endpoint_of_no_use(tmp_path: Path) -> None:
    models = [MoodyModel(), MoodyModel()]
    for model in models:
        model.mood = Transport("connection refused")
    made = rig(tmp_path, fleet(*models), 20)
    with pytest.raises(BaseExceptionGroup) as caught:
        await made.run()
    assert caught.group_contains(EndpointUnusable, match="connection refused")
    assert 30 <= made.seconds < 100


@pytest.mark.anyio
async def test_all_dead_for_a_while_is_waited_for(tmp_path: Path) -> None:
    models = [MoodyModel(), MoodyModel()]
    made = rig(tmp_path, fleet(*models), 200)

    async def restart() -> None:
        await anyio.sleep(5)
        for model in models:
            model.mood = Transport("connection refused")
        await anyio.sleep(120)
        for model in models:
            model.mood = None

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(restart)
        await made.run()
    assert set(made.answers().values()) == {f"a{n}" for n in range(200)}
    assert made.seconds < 250


@pytest.mark.anyio
async def test_retry_after_of_one_pauses_that_one_only(tmp_path: Path) -> None:
    first, second = ScriptedModel(), ScriptedModel()
    models = fleet(first, second)
    models.replicas[0].gate.refused(anyio.current_time(), anyio.current_time(), 1000.0)
    made = rig(tmp_path, models, 80)
    await made.run()
    assert (len(first.asked), len(second.asked)) == (0, 80)
    assert made.seconds < 21


def test_who_is_asked_next() -> None:
    models = fleet(ScriptedModel(), ScriptedModel(), ScriptedModel())
    first, second, third = models.replicas
    first.gate.leave(0.0)
    third.gate.leave(0.0)
    assert models.pick(0.0) is second, "the fewest in flight"
    assert models.pick(0.0, wanted=third) is third, "a dialogue sticks"
    assert models.pick(0.0, unwanted=second) is not second, "it has just failed there"
    for _ in range(3):
        models.failed(third, Transport("gone"), 1.0, 0.5)
    assert third.is_down
    assert models.pick(1.0, wanted=third) is second
    third.gate.arrive(1.0, 0.0, None)
    assert models.pick(1.5) is second
    assert models.pick(2.5) is third, "the probe is due"
    third.gate.leave(2.5)
    assert models.pick(2.5) is second, "one probe at a time"
    models.failed(third, Transport("gone"), 2.6, 2.5)
    third.gate.arrive(2.6, 0.0, None)
    assert models.pick(4.5) is second
    assert models.pick(4.7) is third, "the pause has doubled"
    models.succeeded(third)
    assert not third.is_down


def test_refusals_for_the_rate_set_nobody_aside() -> None:
    models = fleet(ScriptedModel(), ScriptedModel())
    for n in range(20):
        assert models.failed(models.replicas[0], RateLimited("slower"), float(n), float(n)), "the other one may"
    assert not models.replicas[0].is_down


def test_what_limits_a_fleet() -> None:
    models = fleet(ScriptedModel(), ScriptedModel(), nproc=1)
    assert (models.wait_s(0.0), models.why(0.0)) == (0.0, None)
    for replica in models.replicas:
        replica.gate.leave(0.0)
    assert models.why(0.0) == "nproc"
    assert (models.in_flight, models.reach) == (2, 2)


# -- whole runs against mock servers ----------------------------------------------------------------------------------


def task(tmp_path: Path, addresses: list[str], rows: int, **fields: Any) -> dict[str, Any]:
    data = tmp_path / "Words.tsv"
    lines = [f"{n}\tWord {n}?\tw{n}\t{_PIXEL}\n" for n in range(rows)]
    data.write_text("index\tquestion\tanswer\timage\n" + "".join(lines))
    model = {"name": "CustomAPIModel", "type": "m", "api_base": addresses}
    config = {"model": [model], "data": [str(data)], "nproc": 8, "quiet": True, **fields}
    return {"work_dir": str(tmp_path / "outputs"), "eval_config": config}


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def kill_and_revive(server: MockServer, others: MockServer, *, after: int, down_s: float) -> None:
    while server.stats.answered < after:  # noqa: ASYNC110  (the server counts, it does not call)
        await anyio.sleep(0.01)
    await server.stop()
    await anyio.sleep(down_s)
    assert others.stats.answered > after
    await server.start()


class Runs:
    """One server dies in the middle of a run and comes back."""

    latency = 0.0
    rows = 0
    down_s = 0.0

    @pytest.mark.anyio
    async def test_one_server_dies_and_returns(self, tmp_path: Path) -> None:
        async with AsyncExitStack() as stack:
            servers = [
                await stack.enter_async_context(MockServer(MockSettings(mode="echo", latency=self.latency)))
                for _ in range(3)
            ]
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: kill_and_revive(servers[0], servers[1], after=20, down_s=self.down_s))
                report = await run_task_async(task(tmp_path, [s.base_url for s in servers], self.rows), environ={})
        assert report.state == "finished", report.problems
        (entry,) = report.entries
        assert entry.tally.ok == self.rows
        journal = (report.run_dir / "m" / "Words" / "predictions.jsonl").read_text().splitlines()
        assert set(Counter(json.loads(line)["index"] for line in journal).values()) == {1}
        assert servers[0].stats.answered > 40, "it is asked again after its return"
        shares = [server.stats.answered for server in servers[1:]]
        assert abs(shares[0] - shares[1]) <= 0.1 * sum(shares)
        told = json.loads((report.run_dir / "report.json").read_text())
        replicas = told["asking"]["m"]["replicas"]
        assert [r["address"] for r in replicas] == [f"127.0.0.1:{server.port}" for server in servers]
        assert sum(r["answered"] for r in replicas) == self.rows
        assert replicas[0]["set_aside"] >= 1
        assert any("set aside" in note for note in told["notes"])
        manifest = json.loads((report.run_dir / "run.json").read_text())
        assert manifest["endpoints"]["m"] == [server.url for server in servers]
        assert manifest["config"]["eval_config"]["model"][0]["api_base"] == [server.base_url for server in servers]


class TestInVirtualTime(Runs):
    latency, rows, down_s = 1.0, 900, 8.0


class TestInRealTime(Runs):
    # The run lasts some six seconds, however fast the machine: the dead server is probed after one, and after three.
    latency, rows, down_s = 0.06, 1800, 0.3

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"


@pytest.mark.anyio
async def test_a_wrong_key_at_one_server_is_told_by_its_address(tmp_path: Path) -> None:
    async with (
        MockServer(MockSettings(mode="echo", latency=0.5)) as right,
        MockServer(MockSettings(mode="echo", api_key="other")) as wrong,
    ):
        report = await run_task_async(task(tmp_path, [right.base_url, wrong.base_url], 60), environ={})
    assert (report.state, report.entries[0].tally.ok) == ("finished", 60)
    assert any(f"127.0.0.1:{wrong.port} is set aside" in note for note in report.notes)


@pytest.mark.anyio
async def test_the_same_answers_hold_when_the_addresses_change(tmp_path: Path) -> None:
    async with MockServer(MockSettings(mode="echo")) as one, MockServer(MockSettings(mode="echo")) as other:
        first = await run_task_async(task(tmp_path, [one.base_url], 30), environ={})
        again = await run_task_async(
            task(tmp_path, [one.base_url, other.base_url], 30, reuse=True, nproc="auto"), environ={}
        )
    assert again.run_dir == first.run_dir
    assert one.stats.requests + other.stats.requests == 30

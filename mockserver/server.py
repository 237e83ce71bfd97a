"""The mock server: a chat-completions endpoint whose every behaviour is a setting."""

from __future__ import annotations

import asyncio
import hmac
import math
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Any, Self

import anyio
import orjson
from aiohttp import web

from .answers import Answerer, completion
from .asked import Asked, UnreadableRequest, read_asked
from .dialects import Refusal, model_list, overflow, refusal, unknown_model
from .faults import AT_ONCE, RIGHT_ANSWER, FaultDraw, Reply, json_response, retry_after, send_fault
from .settings import MockSettings, compile_pattern
from .stats import MockStats

__all__ = ["MockServer", "serve"]

_MINUTE = 60.0
_CLEANUP_SECONDS = 0.1


class _Refused(Exception):
    """A request is refused; counted under `cause`."""

    def __init__(self, cause: str, said: Refusal, seconds: float | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.said = said
        self.seconds = seconds


class MockServer:
    """A mock server on the running event loop.

    ``async with MockServer(MockSettings(latency=0.1)) as server:`` serves at `server.url` until the block ends. It may
    be started again: it takes the same port and goes on counting.

    Args:
        settings: how it behaves; replacing the attribute `settings` changes a server that runs.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.

    Raises:
        ConfigError: a script file cannot be read.
    """

    def __init__(self, settings: MockSettings | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._handlers: set[asyncio.Task[Any]] = set()
        self._passed: deque[float] = deque()
        self._serving = 0
        self.stats = MockStats()
        self.settings = settings or MockSettings()

    @property
    def settings(self) -> MockSettings:
        """How the server behaves."""
        return self._settings

    @settings.setter
    def settings(self, settings: MockSettings) -> None:
        self._answerer = Answerer(settings)
        self._draw = FaultDraw(settings)
        self._always = [(compile_pattern(pattern), kind) for pattern, kind in settings.fail_always.items()]
        self._slots: AbstractAsyncContextManager[Any] = (
            nullcontext() if settings.slots is None else asyncio.Semaphore(settings.slots)
        )
        self._settings = settings

    @property
    def base_url(self) -> str:
        """Address of the API, ``http://127.0.0.1:PORT/v1``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/v1"

    @property
    def url(self) -> str:
        """Address of chat completions."""
        return self.base_url + "/chat/completions"

    @property
    def port(self) -> int:
        """The port it listens on, 0 before the first start without a given port."""
        return self._port

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            OSError: the address is taken or not this machine's.
        """
        app = web.Application(client_max_size=self._settings.max_body_bytes)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_get("/stats", self._stats)
        app.router.add_get("/requests", self._requests)
        app.router.add_post("/reset", self._reset)
        app.router.add_route("*", "/{path:.*}", self._nothing)
        # handler_cancellation ends a hanging answer as soon as its client leaves.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_CLEANUP_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, backlog=4096).start()
        except OSError:
            await runner.cleanup()
            raise
        self._port = runner.addresses[0][1]
        self._runner = runner

    async def stop(self) -> None:
        """Stops listening, ends what hangs at once, closes all connections."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        # Shielded: a server whose scope is cancelled would otherwise go on listening.
        with anyio.CancelScope(shield=True):
            for site in list(runner.sites):
                await site.stop()
            handlers = list(self._handlers)
            for task in handlers:
                task.cancel()
            if handlers:
                await asyncio.wait(handlers)
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.stats.enter()
        try:
            return await self._answer(request)
        except asyncio.CancelledError:
            self.stats.left += 1
            raise
        except ConnectionError:  # the client left while its answer was written
            self.stats.left += 1
            return web.Response()  # goes nowhere: there is no connection any more
        finally:
            self.stats.in_flight -= 1
            self._handlers.discard(task)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        arrived = asyncio.get_running_loop().time()
        body = await request.read()
        self.stats.bytes_in += len(body)
        settings = self._settings
        try:
            asked = self._admit(request, body, arrived)
        except _Refused as refused:
            self.stats.refused[refused.cause] += 1
            headers = retry_after(settings, refused.seconds) if refused.said.status == 429 else None  # noqa: PLR2004
            return json_response(refused.said.status, refused.said.body, headers)
        self._serving += 1
        try:
            return await self._serve(request, asked)
        finally:
            self._serving -= 1

    async def _serve(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        nth = self.stats.asked[asked.digest]
        self.stats.asked[asked.digest] = nth + 1
        kind, sway = self._fault(asked, nth)
        text = self._answerer.answer(asked, self.stats.answers[asked.digest])
        said = completion(self._settings, asked, text)
        if kind not in AT_ONCE:
            async with self._slots:
                await self._wait(said["usage"]["completion_tokens"], sway)
        return await self._send(request, asked, said, kind)

    async def _send(
        self, request: web.Request, asked: Asked, said: dict[str, Any], kind: str | None
    ) -> web.StreamResponse:
        def without_text(text: str | None) -> bytes:
            return orjson.dumps(completion(self._settings, asked, text))

        body = orjson.dumps(said)
        if kind is None:
            response: web.StreamResponse = web.Response(body=body, content_type="application/json")
            await response.prepare(request)
            await response.write_eof()
        else:
            self.stats.faults[kind] += 1
            self.stats.faulted[asked.digest] += 1
            response = await send_fault(kind, Reply(request, self._settings, body, without_text))
        if kind is None or kind in RIGHT_ANSWER:
            self.stats.answered += 1
            self.stats.answers[asked.digest] += 1
        return response

    def _admit(self, request: web.Request, body: bytes, arrived: float) -> Asked:
        """Reads a request, or refuses it."""
        settings = self._settings
        dialect = settings.dialect
        self._check_key(request)
        if settings.max_in_flight is not None and self._serving >= settings.max_in_flight:
            raise _Refused("in_flight", refusal(dialect, "busy", "Too many concurrent requests."))
        self._check_rate(arrived)
        try:
            asked = read_asked(body)
        except UnreadableRequest as error:
            raise _Refused("body", refusal(dialect, "body", str(error))) from error
        if settings.record:
            self.stats.recorded.append(asked.body)
        if asked.body.get("stream"):
            raise _Refused("body", refusal(dialect, "body", "stream: this server does not stream"))
        unknown = unknown_model(settings, asked.model)
        if unknown is not None:
            raise _Refused("model", unknown)
        if settings.text_only and asked.media:
            raise _Refused("media", refusal(dialect, "media", "At most 0 image(s) may be provided in one prompt."))
        faults = (medium.fault() for medium in asked.media) if settings.check_images else ()
        for fault in filter(None, faults):
            raise _Refused("media", refusal(dialect, "bad_image", fault))
        # transformers knows no bound: it goes on beyond the context.
        bound = settings.max_context if dialect != "transformers" else None
        if bound is not None and asked.prompt_tokens > bound:
            raise _Refused("context", overflow(dialect, asked.prompt_tokens, bound))
        return asked

    def _check_key(self, request: web.Request) -> None:
        expected = self._settings.api_key
        if expected is None:
            return
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode()):
            raise _Refused("key", refusal(self._settings.dialect, "key", "Not authenticated"))

    def _check_rate(self, now: float) -> None:
        rpm = self._settings.rpm
        if rpm is None:
            return
        passed = self._passed
        while passed and passed[0] <= now - _MINUTE:
            passed.popleft()
        if len(passed) >= rpm:
            said = refusal(self._settings.dialect, "busy", f"Rate limit reached: {rpm} requests per minute.")
            raise _Refused("rpm", said, float(math.ceil(passed[-rpm] + _MINUTE - now)))
        passed.append(now)

    def _fault(self, asked: Asked, nth: int) -> tuple[str | None, float]:
        settings = self._settings
        kind, sway = self._draw.draw(asked.digest, nth)
        if self._always:
            text = asked.text
            for pattern, always in self._always:
                if pattern.matches(text):
                    return always, sway
        bound = settings.max_faults_per_request
        if bound is not None and self.stats.faulted[asked.digest] >= bound:
            kind = None
        return kind, sway

    async def _wait(self, tokens: int, sway: float) -> None:
        settings = self._settings
        seconds = settings.latency + settings.token_seconds * tokens
        load = self._serving
        if settings.knee is not None and load > settings.knee:
            seconds *= (load / settings.knee) ** settings.knee_power
        seconds += settings.jitter * sway
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _models(self, request: web.Request) -> web.Response:
        # ms-swift shows its models without the key.
        if self._settings.dialect != "swift":
            try:
                self._check_key(request)
            except _Refused as refused:
                return json_response(refused.said.status, refused.said.body)
        return json_response(200, model_list(self._settings))

    async def _health(self, request: web.Request) -> web.Response:
        del request
        return json_response(200, {"status": "ok"})

    async def _stats(self, request: web.Request) -> web.Response:
        return json_response(200, self.stats.as_json(questions="questions" in request.query))

    async def _requests(self, request: web.Request) -> web.Response:
        del request
        return json_response(200, self.stats.recorded)

    async def _reset(self, request: web.Request) -> web.Response:
        del request
        self.stats.reset()
        self._passed.clear()
        return json_response(200, self.stats.as_json())

    async def _nothing(self, request: web.Request) -> web.Response:
        del request
        return json_response(404, {"detail": "Not Found"})


async def serve(
    settings: MockSettings,
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[MockServer], None] | None = None,
) -> None:
    """Serves until cancelled.

    Args:
        settings: how the server behaves.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        on_ready: called with the server as soon as it listens; `MockServer.url` is its address.

    Raises:
        ConfigError: a script file cannot be read.
        OSError: the address is taken or not this machine's.
    """
    async with MockServer(settings, host=host, port=port) as server:
        if on_ready is not None:
            on_ready(server)
        await asyncio.Event().wait()

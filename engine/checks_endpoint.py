"""Whether a served model can be used: its list, a tiny request with a drawn picture, and the same without it."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

import PIL.Image
import PIL.ImageDraw

from ..adapters.base import Model
from ..adapters.embedded import EMBEDDED
from ..adapters.openai_chat import Endpoint
from ..adapters.openai_models import ModelList, list_models, models_url
from ..errors import (
    AuthError,
    BadRequest,
    ContextOverflow,
    EmptyAnswer,
    EyechartError,
    MalformedReply,
    NotFound,
    Overloaded,
    RateLimited,
    ServerFault,
    Timeout,
)
from ..messages import Image, Message, Part, Text
from ..records import Reply
from .check import Check, failure, ok, warning
from .checks_connection import connect
from .checks_local import check_local_model
from .checks_machine import Machine, check_clock
from .checks_role import MODEL, Role
from .config_plan import ModelSpec
from .media import MediaSettings, prepare_messages
from .models import build_model
from .plain_text import clean

__all__ = ["check_model"]

_EDGE: Final = 224
_MOST_TOKENS: Final = 64
_FEW_TOKENS: Final = 8
_NAMES_SHOWN: Final = 5
_OK, _REFUSED = 200, (401, 403)
_NO_KEY: Final = ("", "EMPTY")
_MAY_BE_THE_PICTURE: Final = (BadRequest, ServerFault, EmptyAnswer)
"""What a request without the picture may fare better with."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One tiny request: what came of it, and how long it took."""

    seconds: float
    reply: Reply | None = None
    error: EyechartError | None = None


async def check_model(
    spec: ModelSpec, *, timeout_s: float, machine: Machine, shows_pictures: bool = True, role: Role = MODEL
) -> tuple[Check, ...]:
    """Follows the way of a request to one model or judge; sends at most four tiny ones to each of its addresses.

    Args:
        spec: the model.
        timeout_s: seconds for each step.
        machine: whose clock is compared with the server's.
        shows_pictures: whether a benchmark shows pictures, so that a model without eyes is a failure.
        role: what the model is for.
    """
    if spec.style == "embedded":
        problem = EMBEDDED[spec.model].problem
        if problem is None:
            return (ok("endpoint", spec.name, "runs in this process; what it needs is installed"),)
        return (failure("endpoint", spec.name, problem, "install it, or choose another model"),)
    if spec.local is not None:
        return await check_local_model(spec.name, spec.local)
    addresses = spec.urls or (spec.url,)
    replicas = [
        await _check_address(
            replace(spec, url=url, urls=()),
            spec.name if len(addresses) == 1 else f"{spec.name} at {urlsplit(url).netloc}",
            timeout_s=timeout_s,
            machine=machine,
            shows_pictures=shows_pictures,
            role=role,
        )
        for url in addresses
    ]
    if any(_works(checks) for checks in replicas):  # a run sets the others aside
        replicas = [[_lessened(check) for check in checks] for checks in replicas]
    return tuple(check for checks in replicas for check in checks)


def _works(checks: Sequence[Check]) -> bool:
    return all(check.status != "failure" for check in checks)


def _lessened(check: Check) -> Check:
    return replace(check, status="warning") if check.status == "failure" else check


async def _check_address(
    spec: ModelSpec, subject: str, *, timeout_s: float, machine: Machine, shows_pictures: bool, role: Role
) -> list[Check]:
    way = await connect(spec.url, subject, timeout_s=timeout_s, now=machine.now(), verify=spec.verify)
    reached = [replace(check, area=role.area) for check in way.checks]
    if not way.reached:
        return reached
    visit = _Visit(spec, subject, timeout_s, machine, shows_pictures, role, reached)
    await visit.run()
    return visit.checks


@dataclass(slots=True)
class _Visit:
    spec: ModelSpec
    subject: str
    timeout_s: float
    machine: Machine
    shows_pictures: bool
    role: Role
    checks: list[Check]
    listed: ModelList | None = None
    _model: Model = field(init=False)

    def __post_init__(self) -> None:
        spec = self.spec
        most = _MOST_TOKENS if spec.max_tokens is None else min(_MOST_TOKENS, spec.max_tokens)
        short = replace(
            spec,
            max_tokens=most,
            timeout_s=min(spec.timeout_s, self.timeout_s),
            connect_timeout_s=min(spec.connect_timeout_s, self.timeout_s),
        )
        self._model = build_model(short)

    async def run(self) -> None:
        """Asks, and draws the conclusions."""
        try:
            await self._list()
            if self.role.pictures:
                await self._look()
            else:
                await self._talk()
        finally:
            await self._model.aclose()

    async def _look(self) -> None:
        with_picture = await self._ask(picture=True)
        if with_picture.error is not None and not isinstance(with_picture.error, _MAY_BE_THE_PICTURE):
            await self._refused(with_picture.error)
            return
        without = await self._ask(picture=False)
        self._tell_model()
        self._tell_picture(with_picture, without)
        self._tell_usage(with_picture, without)

    async def _talk(self) -> None:
        told = await self._ask(picture=False)
        if told.error is not None:
            await self._refused(told.error)
            return
        self._tell_model()
        self._tell_reply(told)

    # -- requests ----------------------------------------------------------------------------------------------------

    async def _list(self) -> None:
        url = models_url(self.spec.url)
        if url is None:
            return
        try:
            self.listed = await list_models(self._endpoint(), url)
        except EyechartError:
            return  # the request that follows says what is wrong
        host = urlsplit(self.spec.url).hostname or ""
        self.checks.append(check_clock(host, self.listed.date, self.machine.now()))

    def _endpoint(self) -> Endpoint:
        key = self.spec.key.get_secret_value()
        return Endpoint(
            self.spec.url, key=key, timeout=self.timeout_s, connect_timeout=self.timeout_s, verify=self.spec.verify
        )

    async def _ask(self, *, picture: bool) -> _Asked:
        shown: list[Part] = [_drawn()] if picture else []
        messages = prepare_messages([Message("user", (*shown, Text(self.role.question)))], MediaSettings())
        request = self._model.encode(messages)
        started = time.perf_counter()
        try:
            reply = await self._model.ask(request)
        except EyechartError as error:
            return _Asked(time.perf_counter() - started, error=error)
        return _Asked(time.perf_counter() - started, reply=reply)

    # -- conclusions -------------------------------------------------------------------------------------------------

    async def _refused(self, error: EyechartError) -> None:
        """Says what stands in the way of any request."""
        match error:
            case AuthError():
                self._fail(f"the key is refused: {error}", self._key_remedy())
            case NotFound() if self._is_unknown_model(error):
                self._fail(f"the server knows no model {self.spec.model!r}: {error}", self._name_remedy())
            case NotFound():
                path = urlsplit(self.spec.url).path
                self._fail(
                    f"the path {path} is wrong, the server has nothing there: {error}", await self._path_remedy()
                )
            case MalformedReply():
                self._fail(f"what answers is no chat completions endpoint: {error}", await self._path_remedy())
            case RateLimited() | Overloaded():
                text = f"the server is there and takes no request just now: {error}"
                self._warn(text, "try again; if it stays so, lower nproc or set rpm")
            case Timeout():
                self._fail(f"no answer in time: {error}", "is it still loading? --check-timeout 120 waits longer")
            case _:
                self._fail(f"the connection works, a request does not: {error}", "look into the server's log")

    def _tell_model(self) -> None:
        listed, name = self.listed, self.spec.model
        if listed is None or listed.status != _OK or not listed.names:
            told = "" if listed is None or listed.status == _OK else f" (HTTP {listed.status})"
            self._good(f"the server shows no list of models{told}; that is fine")
            return
        if name not in listed.names:
            found = f"the server lists {self._names()}, not {name!r}; what answers may be another model"
            self._warn(found, self._name_remedy())
            return
        self._good(f"the server lists {name!r}")
        context, most = listed.contexts.get(name), self.spec.max_tokens
        if context is not None and most is not None and most >= context:
            found = f"max_tokens {most} leaves no room for a prompt in the model's context of {context} tokens"
            self._fail(found, "lower max_tokens")

    def _tell_picture(self, seen: _Asked, told: _Asked) -> None:
        if seen.reply is not None:
            self._tell_answer(seen, seen.reply, told)
        elif isinstance(seen.error, ContextOverflow):
            self._fail(
                f"not even a picture of {_EDGE} x {_EDGE} pixels fits: {seen.error}", "serve it with a longer context"
            )
        elif isinstance(seen.error, BadRequest | ServerFault) and told.reply is not None:
            found = f"answers text and refuses a picture: {seen.error}. It is a text-only model, or served without eyes"
            remedy = (
                "serve a vision-language model; llama.cpp needs --mmproj, vLLM must allow pictures "
                "(--limit-mm-per-prompt)"
            )
            (self._fail if self.shows_pictures else self._warn)(found, remedy)
        elif isinstance(seen.error, EmptyAnswer):
            self._fail(f"answers without any text: {seen.error}", "try the model by hand; look into the server's log")
        else:
            fields = ", ".join(["temperature", "max_tokens", *self.spec.extra])
            remedy = f"look at the fields that are sent ({fields}) and into the server's log"
            self._fail(f"a tiny request fails, with and without a picture: {seen.error}", remedy)

    def _tell_answer(self, seen: _Asked, reply: Reply, told: _Asked) -> None:
        if not reply.text:
            self._warn_of_thinking()
        else:
            said = clean(reply.text, 40)
            self._good(f"takes pictures: said {said!r} of a red disc, in {seen.seconds:.2f} s")
        if told.reply is None:
            self._warn(f"takes pictures, but a request without one fails: {told.error}")

    def _tell_reply(self, told: _Asked) -> None:
        reply = told.reply
        if reply is None or not reply.text:
            self._warn_of_thinking()
            return
        self._good(f"answers: said {clean(reply.text, 40)!r} to a question, in {told.seconds:.2f} s")
        if self.spec.tpm is not None and reply.usage is None:
            self._warn(
                "replies hold no token counts (usage): tpm cannot be kept", "switch usage on, or set rpm instead"
            )

    def _warn_of_thinking(self) -> None:
        remedy = f"see that max_tokens ({self.spec.max_tokens}) leaves room for thinking and the answer"
        self._warn(f"no answer text within {_MOST_TOKENS} tokens; the model may think first", remedy)

    def _tell_usage(self, seen: _Asked, told: _Asked) -> None:
        if seen.reply is None:
            return
        with_picture = seen.reply.usage.prompt_tokens if seen.reply.usage else None
        without = told.reply.usage.prompt_tokens if told.reply and told.reply.usage else None
        if with_picture is None:
            found = "replies hold no token counts (usage): tpm cannot be kept, and estimate cannot tell tokens or cost"
            self._warn(found, "switch usage on at the server if it can")
        elif without is not None and with_picture - without < _FEW_TOKENS and "red" not in seen.reply.text.lower():
            counts = f"the prompt counts {with_picture} tokens with it and {without} without"
            found = f"the picture seems to be left out: {counts}"
            remedy = "ask the model about a picture by hand; some servers drop pictures without a word"
            self._warn(found, remedy)
        else:
            more = "" if without is None else f", {with_picture - without} of them the picture"
            self._good(f"counts tokens: {with_picture} in this prompt{more}")

    # -- words -------------------------------------------------------------------------------------------------------

    def _good(self, found: str) -> None:
        self.checks.append(ok(self.role.area, self.subject, found))

    def _warn(self, found: str, remedy: str | None = None) -> None:
        self.checks.append(warning(self.role.area, self.subject, found, remedy))

    def _fail(self, found: str, remedy: str) -> None:
        self.checks.append(failure(self.role.area, self.subject, found, remedy))

    def _is_unknown_model(self, error: NotFound) -> bool:
        names = self.listed.names if self.listed else ()
        # A server that says 400 has read the body; one that says 404 may mean the path or the model.
        named = re.search(rf"(?<!\w){re.escape(self.spec.model)}(?!\w)", str(error))
        return error.status == 400 or named is not None or bool(names and self.spec.model not in names)  # noqa: PLR2004

    def _names(self) -> str:
        names: Sequence[str] = self.listed.names if self.listed else ()
        shown = ", ".join(repr(clean(name, 80)) for name in names[:_NAMES_SHOWN])
        return shown + (f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else "")

    def _name_remedy(self) -> str:
        served = self._names()
        field = self.role.name_field
        return f"set {field} to one of: {served}" if served else f"set {field} to a name that it serves"

    def _key_remedy(self) -> str:
        given = self.spec.key.get_secret_value() not in _NO_KEY
        which = "another key is needed" if given else "no key was given"
        return f"{which}: put it into {self.role.key_places}"

    async def _path_remedy(self) -> str:
        """Looks where the API usually is; names the place if something is there."""
        field = self.role.address_field
        parts = urlsplit(self.spec.url)
        base = f"{parts.scheme}://{parts.netloc}"
        usual = f"{base}/v1"
        if not self.spec.url.startswith(f"{usual}/chat"):
            try:
                found = await list_models(self._endpoint(), f"{usual}/models")
            except EyechartError:
                found = None
            if found is not None and found.status in (_OK, *_REFUSED):
                return f"the API is at {usual}: set {field} to it"
        return f"set {field} to the address whose end is /v1, or to the complete one, such as {usual}/chat/completions"


def _drawn() -> Image:
    """A red disc on white, which any model with eyes can name."""
    picture = PIL.Image.new("RGB", (_EDGE, _EDGE), "white")
    PIL.ImageDraw.Draw(picture).ellipse((40, 40, _EDGE - 40, _EDGE - 40), fill=(220, 20, 30))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return Image("disc.png", base64=base64.b64encode(buffer.getvalue()))

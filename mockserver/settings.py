"""What a mock server is told to be: answers, speed, limits, refusals and faults."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson
from pydantic import TypeAdapter, ValidationError

from ..errors import ConfigError

__all__ = ["FAULTS", "REFUSALS", "Dialect", "MockSettings", "Pattern", "compile_pattern", "parse_settings"]

Dialect: TypeAlias = Literal["vllm", "llamacpp", "transformers", "swift"]
"""Whose error bodies and quirks the server copies."""

FAULTS: Mapping[str, str] = {
    "rate_limit": "429 with Retry-After in seconds",
    "rate_limit_date": "429 with Retry-After as an HTTP date",
    "server_error": "500 with a JSON body",
    "server_error_text": "500 with a plain-text body",
    "unavailable": "503",
    "reset": "the connection is reset before any header",
    "reset_body": "the connection is reset in the middle of the body",
    "early_end": "the connection is closed in good order in the middle of the body",
    "hang": "no answer until the client leaves",
    "slow_body": "the right answer, its body dripping for `slow_body_seconds`",
    "truncated_json": "200, the JSON cut in half, Content-Length matching the half",
    "malformed_json": "200, a body of full length that is not JSON",
    "empty": "200, the answer is an empty text",
    "null_content": "200, the answer is null",
    "huge_body": "the right answer, padded with `huge_bytes` of white space",
    "content_type": "the right answer, labelled text/html",
    "html_page": "200, a web page instead of an answer",
    "error_object": "200, an error object instead of an answer",
}
"""The faults that pass when the request is sent again: `fault_rate` is spread over them."""

REFUSALS: Mapping[str, str] = {
    "bad_request": "400, the request is wrong",
    "bad_image": "the picture cannot be read, as the dialect says it",
    "context_overflow": "the prompt is too long, as the dialect says it",
    "auth": "the key is refused, as the dialect says it",
    "not_found": "the model does not exist, as the dialect says it",
}
"""Refusals that `faults` and `fail_always` may name too; sending the request again is no use."""


@dataclass(frozen=True, slots=True)
class MockSettings:
    """Behaviour of a mock server. The default answers every question at once, without any fault.

    Patterns (`script`, `fail_always`) are looked for in the text of all messages, joined by newlines: a plain text as a
    substring, ``re:…`` as a regular expression.

    Attributes:
        mode: where answers come from. ``fixed``: always `text`. ``scripted``: the first matching entry of `script` or
            `script_file`, else `text`. ``computed``: an option letter that the prompt offers, or a short word, drawn
            from the digest of the request's texts and media, so that the same question always has the same answer.
            ``echo``: the text of the last message. ``judge``: as ``scripted``, and what no entry matches is judged by
            a rule: the letter of the option that the words after the prompt's last list of options name, ``Z`` where
            they name none or several; `text` where there is no list.
        text: the fixed answer.
        script: pattern to answer; a list holds successive answers to the same request, the last one stays. A key
            ``sha256:…`` stands for the whole text by the SHA-256 of its UTF-8, in hex.
        script_file: JSON file of the same form. A key that equals the whole text, or that of the last message, wins.
        reasoning: thinking that is returned apart from the answer.
        reasoning_key: field of the message that holds it.
        finish_reason: overrides ``stop`` (or ``length`` where `max_tokens` of the request cut the answer).
        answer_tokens: completion tokens that usage reports; None counts the answer's words.
        latency: seconds from a request's arrival to its answer. Refusals, 429 and 503 do not wait.
        jitter: the latency varies evenly by up to this many seconds either way, seeded.
        token_seconds: further seconds for each completion token.
        knee: requests in flight up to which latency stays flat; beyond it grows.
        knee_power: latency is multiplied by (in flight / knee) to this power: 1 keeps throughput flat, more lets it
            fall.
        slots: requests served at a time; others wait their turn. None: all at once.
        max_in_flight: requests in flight beyond this are answered 429.
        rpm: requests let through in any 60 seconds; others are answered 429 with the time until the next is free.
        retry_after: seconds in Retry-After of 429 and 503; None leaves the header out.
        seed: seed of faults and jitter.
        fault_rate: chance of a request to meet a fault, spread evenly over `fault_kinds`.
        fault_kinds: kinds that `fault_rate` is spread over; empty means all of `FAULTS`.
        faults: chance by kind, beside `fault_rate`.
        fail_always: pattern to kind: these questions always fail, in this way.
        max_faults_per_request: a request that has met this many faults meets no more; None sets no bound.
        slow_body_seconds: how long a dripping body takes.
        huge_bytes: size of a huge body.
        api_key: key that is asked for; None asks for none.
        model: name of the served model; another one is refused. None serves any.
        models: further names that are served.
        text_only: pictures and videos are refused.
        max_context: prompt tokens beyond which a request is refused (4 characters a token, 256 tokens a picture).
        check_images: refuse pictures whose base64 or file header is broken. Costs time.
        dialect: whose error bodies and quirks to copy.
        record: keep the parsed body of every request, media replaced by their SHA-256.
        max_body_bytes: bigger requests are answered 413.
    """

    mode: Literal["fixed", "scripted", "computed", "echo", "judge"] = "computed"
    text: str = "A"
    script: Mapping[str, str | list[str]] = field(default_factory=dict)
    script_file: Path | None = None
    reasoning: str | None = None
    reasoning_key: str = "reasoning_content"
    finish_reason: str | None = None
    answer_tokens: int | None = None

    latency: float = 0.0
    jitter: float = 0.0
    token_seconds: float = 0.0
    knee: int | None = None
    knee_power: float = 1.0
    slots: int | None = None
    max_in_flight: int | None = None
    rpm: int | None = None
    retry_after: float | None = 1.0

    seed: int = 0
    fault_rate: float = 0.0
    fault_kinds: tuple[str, ...] = ()
    faults: Mapping[str, float] = field(default_factory=dict)
    fail_always: Mapping[str, str] = field(default_factory=dict)
    max_faults_per_request: int | None = None
    slow_body_seconds: float = 1.0
    huge_bytes: int = 64 * 2**20

    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    models: tuple[str, ...] = ()
    text_only: bool = False
    max_context: int | None = None
    check_images: bool = False
    dialect: Dialect = "vllm"
    record: bool = False
    max_body_bytes: int = 256 * 2**20

    def __post_init__(self) -> None:
        for pattern in (*self.script, *self.fail_always):
            compile_pattern(pattern)
        for name in ("latency", "jitter", "token_seconds", "slow_body_seconds", "huge_bytes"):
            if getattr(self, name) < 0:
                raise ConfigError(f"mock server: {name} cannot be negative")
        for name in ("knee", "slots", "max_in_flight", "rpm", "max_context"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"mock server: {name} must be at least 1, not {value}")
        self._check_faults()

    def _check_faults(self) -> None:
        known = [*FAULTS, *REFUSALS]
        for kind in (*self.fault_kinds, *self.faults, *self.fail_always.values()):
            if kind not in known:
                hint = _nearest(kind, known)
                raise ConfigError(f"mock server: unknown fault {kind!r}{hint}; there are {', '.join(known)}")
        rates = {"fault_rate": self.fault_rate, **{f"faults.{kind}": rate for kind, rate in self.faults.items()}}
        for name, rate in rates.items():
            if not 0.0 <= rate <= 1.0:
                raise ConfigError(f"mock server: {name} is a chance between 0 and 1, not {rate}")
        if sum(rates.values()) > 1.0 + 1e-9:
            raise ConfigError(f"mock server: the chances of all faults add up to {sum(rates.values()):g}, more than 1")

    @property
    def fault_table(self) -> tuple[tuple[str, float], ...]:
        """Kinds of fault with their chances, in a fixed order: `fault_rate` spread out, `faults` added."""
        spread = self.fault_kinds or tuple(FAULTS)
        table = dict.fromkeys(spread, self.fault_rate / len(spread)) if self.fault_rate else {}
        for kind, rate in sorted(self.faults.items()):
            table[kind] = table.get(kind, 0.0) + rate
        return tuple((kind, rate) for kind, rate in table.items() if rate)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text to look for: as it stands, or as a regular expression."""

    plain: str
    regex: re.Pattern[str] | None

    def matches(self, text: str) -> bool:
        """Whether the pattern occurs in the text."""
        return self.regex.search(text) is not None if self.regex else self.plain in text


def compile_pattern(pattern: str) -> Pattern:
    """Reads a pattern: ``re:…`` is a regular expression, all else a plain text.

    Raises:
        ConfigError: the regular expression is wrong.
    """
    if not pattern.startswith("re:"):
        return Pattern(pattern, None)
    try:
        return Pattern(pattern, re.compile(pattern[3:], re.DOTALL))
    except re.error as error:
        raise ConfigError(f"mock server: {pattern!r} is not a regular expression: {error}") from error


def parse_settings(values: Mapping[str, Any] | Iterable[str]) -> MockSettings:
    """Reads settings from a mapping (a YAML section) or from ``key=value`` texts (a command line).

    In texts, ``none`` and ``null`` mean None, and a value that begins with a brace or bracket is JSON:
    ``faults={"hang": 0.1}``. ``faults.hang=0.1`` sets one entry of a mapping.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of bounds; the text names the nearest right key.
    """
    data = dict(values) if isinstance(values, Mapping) else _read_pairs(values)
    known = [entry.name for entry in fields(MockSettings)]
    for key in data:
        if key not in known:
            raise ConfigError(f"mock server: unknown setting {key!r}{_nearest(str(key), known)}")
    try:
        return TypeAdapter(MockSettings).validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ConfigError(f"mock server: {where}: {first['msg']} (got {first['input']!r})") from error


def _read_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"mock server: {pair!r} is not of the form key=value")
        key, dot, entry = key.strip().partition(".")
        value = _read_value(key, text)
        if not dot:
            data[key] = value
            continue
        section = data.setdefault(key, {})
        if not isinstance(section, dict):
            raise ConfigError(f"mock server: {key} is set both as a whole and by entry")
        section[entry] = value
    return data


def _read_value(key: str, text: str) -> Any:
    if text.lower() in {"none", "null"}:
        return None
    if not text.startswith(("{", "[")):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"mock server: the value of {key} is not JSON: {error}") from error


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""

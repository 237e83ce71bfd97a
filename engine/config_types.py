"""Kinds of values that fields of a configuration take, and the validators that refuse others in plain words."""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from .config_problems import refuse, shown

__all__ = [
    "Addresses",
    "Amount",
    "Base",
    "Count",
    "FrameCount",
    "FrameRate",
    "JsonObject",
    "Nproc",
    "PathText",
    "Pixels",
    "Rate",
    "Seconds",
    "Secret",
    "Url",
    "Word",
    "behind_base_url",
    "json_fault",
    "later",
]

_MOST: Final = 2_000_000_000
_SLOWEST: Final = 0.0001
_FASTEST: Final = 1000
_MAX_DEPTH: Final = 50
_COMPLETIONS: Final = "/chat/completions"


class Base(BaseModel):
    """Ground of all configuration records: frozen, strict about types, no unknown fields, no values in errors."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


def _integral(value: object) -> object:
    """YAML and JSON write large whole numbers as 1e9; that is a whole number too."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MOST:
        return int(value)
    return value


def _word(value: str) -> str:
    if not value.strip():
        raise refuse("is empty")
    if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in value):
        raise refuse("holds a line break or another control character")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise refuse("holds a character that no UTF-8 file can hold")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, login = parts.hostname, "@" in parts.netloc
        _ = parts.port
    except ValueError:
        raise refuse("is no address; expected one such as http://localhost:8000/v1/chat/completions") from None
    if login:
        raise refuse("holds a login (not shown); give the secret by key and the address without it")
    if parts.scheme not in {"http", "https"} or not host or re.search(r"\s", value):
        raise refuse(
            f"given {shown(value.partition('?')[0])}, expected an address such as "
            "http://localhost:8000/v1/chat/completions"
        )
    return value


def behind_base_url(base_url: str) -> str:
    """Completes an address that is given without ``/chat/completions``, as the reference's ``base_url`` is."""
    return base_url.rstrip("/").removesuffix(_COMPLETIONS) + _COMPLETIONS


def _addresses(value: object) -> object:
    """Takes one address or a list of them; a list with one address is that address."""
    if isinstance(value, str):
        return _url(value)
    if not isinstance(value, list):
        raise refuse(f"given {shown(value)}, expected an address or a list of them")
    if not value:
        raise refuse("given an empty list, expected an address")
    for position, address in enumerate(value):
        if not isinstance(address, str):
            raise refuse(f"given {shown(address)} at [{position}], expected an address")
        _url(address)
        if address.rstrip("/") in (other.rstrip("/") for other in value[:position]):
            raise refuse(f"the address at [{position}] is there twice")
    return value if len(value) > 1 else value[0]


def _pixels(value: int) -> int:
    if value != -1 and not 0 < value < 2**31:
        raise refuse(f"given {value if abs(value) < 2**31 else 'too large a number'}, expected -1 or at least 1")
    return value


def _nproc(value: object) -> object:
    number = _integral(value)
    if value == "auto" or (isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= _MOST):
        return number
    bound = isinstance(number, (int, float)) and not isinstance(number, bool) and number < 1
    raise refuse(f"given {shown(value)}, expected {'at least 1' if bound else 'a whole number such as 64, or auto'}")


def _frame_rate(value: object) -> object:
    """Takes a number as it is written: the reference tells 1 from 1.0 in the names of frames."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(f"given {shown(value)}, expected frames a second, or -1")
    if value == -1:
        return -1
    if not (value == 0 or _SLOWEST <= value <= _FASTEST):
        raise refuse(f"given {shown(value)}, expected {_SLOWEST} to {_FASTEST} frames a second, or -1")
    return value


def _header_safe(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]*", value.get_secret_value()):
        raise refuse(
            "holds a space, a line break or a character that no HTTP header can carry (what was given is not shown)"
        )
    return value


def json_fault(value: object, depth: int = 0) -> str | None:
    """Says why a value cannot be sent as JSON; None when it can."""
    fault: str | None = None
    match value:
        case list() | dict() if depth > _MAX_DEPTH:
            fault = "is nested too deep"
        case list() | dict():
            items = value if isinstance(value, list) else [*value.keys(), *value.values()]
            fault = next((found for item in items if (found := json_fault(item, depth + 1))), None)
        case None | bool():
            pass
        case str():
            fault = None if _encodable(value) else "holds half a surrogate pair"
        case int():
            fault = None if abs(value) < 2**63 else "holds a number that is too large"
        case float():
            fault = None if math.isfinite(value) else "holds a number that is not finite, which JSON cannot say"
        case _:
            fault = f"holds a value of type {type(value).__name__}, which JSON cannot say"
    return fault


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json_text(value: object) -> object:
    """The reference takes this mapping as JSON text; a mapping says the same."""
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        raise refuse("is no JSON text; expected a mapping, or JSON text such as '{\"top_p\": 0.9}'") from None
    if not isinstance(parsed, dict):
        raise refuse(f"is JSON text of {shown(parsed)}, expected a mapping")
    return parsed


def _sendable(value: dict[str, Any]) -> dict[str, Any]:
    fault = json_fault(value)
    if fault:
        raise refuse(fault)
    return value


def later(default: object, reason: str) -> BeforeValidator:
    """Accepts a field as long as it asks for nothing: left out, null or `default`; refuses it with the reason."""

    def check(value: object) -> object:
        same_kind = isinstance(value, bool) == isinstance(default, bool)
        if value is None or (same_kind and value == default):
            return default
        raise refuse(reason)

    return BeforeValidator(check)


Count: TypeAlias = Annotated[int, BeforeValidator(_integral), Field(ge=1, le=_MOST)]
Nproc: TypeAlias = Annotated[int | Literal["auto"], BeforeValidator(_nproc)]
FrameCount: TypeAlias = Annotated[int, BeforeValidator(_integral), Field(ge=0, le=10_000)]
FrameRate: TypeAlias = Annotated[int | float, BeforeValidator(_frame_rate)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=_MOST, allow_inf_nan=False)]
Amount: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Word: TypeAlias = Annotated[str, AfterValidator(_word)]
PathText: TypeAlias = Annotated[str, AfterValidator(_word)]
Pixels: TypeAlias = Annotated[int, AfterValidator(_pixels)]
Url: TypeAlias = Annotated[str, AfterValidator(_url)]
Addresses: TypeAlias = Annotated[str | list[str], BeforeValidator(_addresses)]
Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_header_safe)]
JsonObject: TypeAlias = Annotated[dict[str, Any], BeforeValidator(_json_text), AfterValidator(_sendable)]

"""How servers put their refusals: status and body, by server.

The wording follows what vLLM 0.32, llama.cpp 10.11, transformers 5.23 (``transformers serve``) and ms-swift 4.6
answer. transformers has no key and no bound on the context; it takes what the others say in its own form of body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .settings import Dialect, MockSettings

__all__ = ["Cause", "Refusal", "model_list", "overflow", "refusal", "served_models", "unknown_model"]

Cause: TypeAlias = Literal["key", "model", "body", "media", "bad_image", "context", "busy", "fault", "closing"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal: HTTP status and body, a JSON value or a plain text."""

    status: int
    body: dict[str, Any] | str


_STATUS: dict[Cause, int] = {
    "key": 401,
    "model": 404,
    "body": 400,
    "media": 400,
    "bad_image": 400,
    "context": 400,
    "busy": 429,
    "fault": 500,
    "closing": 503,
}
_OTHER_STATUS: dict[tuple[Dialect, Cause], int] = {
    ("swift", "key"): 400,
    ("swift", "model"): 400,
    ("swift", "body"): 422,
    ("transformers", "model"): 400,
    ("transformers", "body"): 422,
    ("transformers", "media"): 500,
    ("transformers", "bad_image"): 500,
}
_TYPES: dict[Cause, str] = {
    "key": "authentication_error",
    "model": "NotFoundError",
    "context": "exceed_context_size_error",
    "busy": "rate_limit_error",
    "fault": "InternalServerError",
    "closing": "unavailable_error",
}


def refusal(dialect: Dialect, cause: Cause, message: str, **details: int) -> Refusal:
    """The refusal that a server of this dialect sends.

    Args:
        dialect: whose words to use.
        cause: what is wrong.
        message: what is wrong, in words; replaced where a server has its own fixed words.
        details: numbers that llama.cpp adds to the error.
    """
    status = _OTHER_STATUS.get((dialect, cause), _STATUS[cause])
    if dialect == "swift":
        return Refusal(status, {"object": "error", "message": "API key error" if cause == "key" else message})
    if dialect == "transformers":
        return Refusal(status, "Internal Server Error" if status == _STATUS["fault"] else {"detail": message})
    if dialect == "llamacpp":
        words = {"key": "Invalid API Key", "bad_image": "Failed to load image or audio file"}.get(cause, message)
        kind = _TYPES.get(cause, "invalid_request_error")
        return Refusal(status, {"error": {"code": status, "message": words, "type": kind, **details}})
    if cause == "key":
        return Refusal(status, {"error": "Unauthorized"})
    kind = "BadRequestError" if status == _STATUS["body"] else _TYPES[cause]
    param = {"model": "model", "context": "input_tokens"}.get(cause)
    return Refusal(status, {"error": {"message": message, "type": kind, "param": param, "code": status}})


def overflow(dialect: Dialect, tokens: int, bound: int) -> Refusal:
    """The refusal of a prompt that is longer than the context."""
    message = {
        "vllm": f"This model's maximum context length is {bound} tokens. However, your prompt contains at least "
        f"{bound + 1} input tokens, which exceeds this limit. (parameter=input_tokens, value={bound + 1})",
        "llamacpp": f"request ({tokens} tokens) exceeds the available context size ({bound} tokens), try increasing it",
        "swift": f"Current length of row({tokens}) is larger than the max_length({bound}).",
        "transformers": f"The prompt has {tokens} tokens, more than the {bound} of the model.",
    }[dialect]
    details = {"n_prompt_tokens": tokens, "n_ctx": bound} if dialect == "llamacpp" else {}
    return refusal(dialect, "context", message, **details)


def unknown_model(settings: MockSettings, asked: str | None) -> Refusal | None:
    """The refusal of a model that is not served; None where it is, or where the server takes any name."""
    served = served_models(settings)
    # llama.cpp serves its one model whatever name the request gives.
    if settings.model is None or asked in served or settings.dialect == "llamacpp":
        return None
    message = {
        "vllm": f"The model `{asked}` does not exist. Valid aliases: {', '.join(served)}.",
        "swift": f"`{asked}` is not in the model_list: `{list(served)}`.",
        "transformers": f"Server is pinned to '{settings.model}'; requested '{asked}'.",
    }[settings.dialect]
    return refusal(settings.dialect, "model", message)


def served_models(settings: MockSettings) -> tuple[str, ...]:
    """Names of the served models."""
    return ((settings.model,) if settings.model else ()) + settings.models or ("mock",)


def model_list(settings: MockSettings) -> dict[str, Any]:
    """The reply to ``GET /v1/models``; transformers lists nothing."""
    names = () if settings.dialect == "transformers" else served_models(settings)
    return {"object": "list", "data": [_model_entry(settings, name) for name in names]}


def _model_entry(settings: MockSettings, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": name, "object": "model", "created": 0, "owned_by": "eyechart"}
    if settings.dialect == "vllm":
        entry["max_model_len"] = settings.max_context
    return entry

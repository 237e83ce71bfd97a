"""Fields of requests: those that servers are known to take, and what stands against sending a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .config_problems import Path, Problem, closest
from .config_types import json_fault

__all__ = ["PAYLOAD_FIELDS", "payload_problems"]

# fmt: off
PAYLOAD_FIELDS: Final = frozenset({
    "add_generation_prompt", "add_special_tokens", "allowed_token_ids", "bad_words", "best_of", "cache_prompt",
    "cache_salt", "chat_template", "chat_template_kwargs", "continue_final_message", "do_preprocess", "do_sample",
    "documents", "dry_multiplier", "dynatemp_range", "ebnf", "echo", "enable_thinking", "format",
    "frequency_penalty", "grammar", "guided_choice", "guided_decoding_backend", "guided_grammar", "guided_json",
    "guided_regex", "ignore_eos", "images", "include_reasoning", "include_stop_str_in_output", "json_schema",
    "keep_alive", "kv_transfer_params", "length_penalty", "logit_bias", "logits_processors", "logprobs",
    "lora_path", "max_completion_tokens", "max_new_tokens", "max_pixels", "metadata", "min_new_tokens", "min_p",
    "min_pixels", "min_tokens", "mirostat", "mirostat_eta", "mirostat_tau", "mm_processor_kwargs", "modalities",
    "n", "n_predict", "n_probs", "no_repeat_ngram_size", "num_beams", "num_ctx", "num_predict", "options",
    "parallel_tool_calls", "presence_penalty", "priority", "prompt_logprobs", "random_seed", "reasoning",
    "reasoning_effort", "reasoning_format", "regex", "repeat_last_n", "repeat_penalty", "repetition_penalty",
    "request_id", "response_format", "return_token_ids", "return_tokens_as_token_ids", "safe_prompt", "samplers",
    "seed", "separate_reasoning", "service_tier", "session_id", "skip_special_tokens",
    "spaces_between_special_tokens", "stop", "stop_token_ids", "stop_words", "store", "structured_outputs", "tfs_z",
    "thinking", "thinking_budget", "thinking_budget_tokens", "tool_choice", "tools", "top_a", "top_k",
    "top_logprobs", "top_p", "truncate_prompt_tokens", "typical_p", "use_beam_search", "user", "verbosity",
    "vl_high_resolution_images", "xtc_probability", "xtc_threshold",
})
# fmt: on
"""They pass to the server as they are, and a slip of one of them is recognised."""

_ENGINE_OWN: Final = {
    "messages": "the benchmark writes the messages",
    "stream": "answers are read whole; leave it out",
    "stream_options": "answers are read whole; leave it out",
}


def payload_problems(
    entry: Mapping[str, Any],
    path: Path,
    *,
    own: frozenset[str],
    named_by: str,
    reasons: Mapping[str, str],
    elsewhere: frozenset[str],
) -> list[Problem]:
    """Looks at the fields of an entry that are not its own and would be sent to the server.

    Args:
        entry: a model or a judge, as given.
        path: where it stands.
        own: fields that it has.
        named_by: the one of them that gives the model's name at the server.
        reasons: fields that are refused, each with the reason.
        elsewhere: fields of eval_config, which are a mistake here.
    """
    engine_own = {"model": f"the model's name at the server is given by {named_by}", **_ENGINE_OWN}
    problems = []
    for name, value in entry.items():
        if name in own:
            continue
        text = f"cannot be set: {engine_own[name]}" if name in engine_own else reasons.get(name)
        text = text or _fault(name, value, own, elsewhere)
        if text:
            problems.append(Problem((*path, name), text))
    body = entry.get("extra_body")
    if isinstance(body, dict):
        problems += [
            Problem((*path, "extra_body", name), reason) for name, reason in engine_own.items() if name in body
        ]
    return problems


def _fault(name: str, value: object, own: frozenset[str], elsewhere: frozenset[str]) -> str | None:
    if name not in PAYLOAD_FIELDS:
        if name in elsewhere:
            return f"unknown field here; it belongs to eval_config.{name}"
        near = closest(name, own | PAYLOAD_FIELDS)
        if near:
            return (
                f"unknown field; did you mean {near}? (if the server takes a field of this name, give it in extra_body)"
            )
    fault = json_fault(value)
    return f"is sent to the server, but {fault}" if fault else None

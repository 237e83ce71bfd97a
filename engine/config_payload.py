"""Request fields that servers are known to take, besides those that a model entry has of its own."""

from __future__ import annotations

from typing import Final

__all__ = ["PAYLOAD_FIELDS"]

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

"""What judges did, in words for reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["agreement_words", "judging_words"]


def judging_words(about: Mapping[str, Any]) -> str:
    """Says in a line what one judge did, as `judge_summary` tells it."""
    rubrics = f" ({', '.join(about['rubrics'])})" if about["rubrics"] else ""
    parts = [f"{about['judged']} answers judged{rubrics}, {about['unparsed']} unparsed"]
    if about["refused"]:
        parts.append(f"{about['refused']} requests refused")
    parts.append(f"{about['requests']} requests")
    if about["prompt_tokens"] is not None:
        parts.append(f"{about['prompt_tokens']:,} tokens in, {about['completion_tokens'] or 0:,} out")
    if about["cost"]:
        parts.append(f"cost {about['cost']['amount']:.4g} {about['cost']['currency']}")
    role = "" if about["decides"] else " (only compared)"
    for what, found in (("of its verdicts", "agreement_of_repeats"), ("with the first judge", "agreement_with_first")):
        if about[found]:
            parts.append(f"agreement {what}: {agreement_words(about[found])}")
    return f"judge {about['name']}{role}: {'; '.join(parts)}"


def agreement_words(found: Mapping[str, Any]) -> str:
    """Says how far two judges agree: share of equal verdicts, Cohen's kappa, number of answers."""
    if found["agreed"] is None:
        return "no answer that both read"
    kappa = "not defined" if found["kappa"] is None else f"{found['kappa']:.2f}"
    return f"{found['agreed']:.1%} of {found['n']}, kappa {kappa}".replace("%", " %")

"""Accepted texts looked for inside an answer."""

from __future__ import annotations

__all__ = ["stands_in"]


def stands_in(accepted: str, answer: str, *, empty_everywhere: bool) -> bool:
    """Whether an answer contains an accepted text, both as they are compared.

    Args:
        accepted: the accepted text.
        answer: the answer.
        empty_everywhere: an accepted text of which nothing is left stands in every answer; else only in an empty one.
    """
    return accepted in answer if accepted or empty_everywhere else not answer

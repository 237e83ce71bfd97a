"""One finding of `eyechart doctor`: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from .plain_text import clean

__all__ = ["Area", "Check", "Status", "exit_code", "failure", "ok", "warning"]

Status: TypeAlias = Literal["ok", "warning", "failure"]
Area: TypeAlias = Literal["configuration", "judge", "data", "disk", "system", "endpoint"]

_ENDPOINT_CODE: Final = 3
_OTHER_CODE: Final = 1
_AT_ENDPOINTS: Final = ("endpoint", "judge")
_LONGEST: Final = 600


@dataclass(frozen=True, slots=True)
class Check:
    """A finding.

    Attributes:
        area: what kind of thing was looked at; decides the exit code.
        subject: which one: a benchmark, a model, a folder; empty where there is only one.
        status: ``ok``; ``warning`` when a run works but perhaps not as wanted; ``failure`` when it cannot work.
        found: what was found, in a sentence.
        remedy: what to do about it; None when there is nothing to do.
    """

    area: Area
    subject: str
    status: Status
    found: str
    remedy: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns the finding, ready for JSON."""
        return {
            "area": self.area,
            "subject": self.subject,
            "status": self.status,
            "found": self.found,
            "remedy": self.remedy,
        }


def ok(area: Area, subject: str, found: str) -> Check:
    """Makes a finding that is as it should be."""
    return Check(area, subject, "ok", clean(found, _LONGEST))


def warning(area: Area, subject: str, found: str, remedy: str | None = None) -> Check:
    """Makes a finding that the user should know of; a run works all the same."""
    return Check(area, subject, "warning", clean(found, _LONGEST), remedy)


def failure(area: Area, subject: str, found: str, remedy: str | None = None) -> Check:
    """Makes a finding with which a run cannot work."""
    return Check(area, subject, "failure", clean(found, _LONGEST), remedy)


def exit_code(checks: Sequence[Check]) -> int:
    """Returns 0 when nothing failed, 3 when an endpoint did, else 1; as in `eyechart eval`, 3 outweighs 1."""
    failed = {check.area for check in checks if check.status == "failure"}
    if failed & set(_AT_ENDPOINTS):
        return _ENDPOINT_CODE
    return _OTHER_CODE if failed else 0

"""What an endpoint is for, as far as its examination differs: a model that is measured, or a judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .check import Area

__all__ = ["JUDGE", "MODEL", "Role"]


@dataclass(frozen=True, slots=True)
class Role:
    """What an endpoint is for: what it is asked, and which fields a remedy names.

    Attributes:
        area: area of the findings.
        question: the tiny request.
        pictures: whether it is shown one.
        name_field: where its name at the server is set.
        key_places: where its key is set.
        address_field: where its address is set.
    """

    area: Area
    question: str
    pictures: bool
    name_field: str
    key_places: str
    address_field: str


MODEL: Final = Role(
    "endpoint",
    "What colour is the disc? Answer with one word.",
    pictures=True,
    name_field="type (--model)",
    key_places="the environment variable EYECHART_API_KEY, or into the field key",
    address_field="api_base",
)
JUDGE: Final = Role(
    "judge",
    "Does the answer B mean the second of the options A, B, C? Answer with Yes or No.",
    pictures=False,
    name_field="the judge's model (--judge)",
    key_places="the environment variable EYECHART_JUDGE_KEY, or into the judge's field key",
    address_field="the judge's address (--judge-api-base)",
)

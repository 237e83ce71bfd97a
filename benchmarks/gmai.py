"""GMAI-MMBench: multiple choice on medical pictures, reported by clinical task, department and granularity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from ..errors import DataError
from ..records import Table
from ..scoring.tables import group_table
from .base import Scored
from .multiple_choice import MultipleChoice

__all__ = ["GMAIMMBench"]

_REPORTED: Final = ("clinical vqa task", "department", "perceptual granularity")


class GMAIMMBench(MultipleChoice):
    """Multiple choice with three tables beside the plain one (Ye et al. 2024)."""

    groups: ClassVar[tuple[str, ...]] = (*MultipleChoice.groups, *_REPORTED)

    def more_tables(self, scored: Sequence[Scored]) -> dict[str, Table]:
        """Adds ``<column>_acc`` for each of the three columns.

        Raises:
            DataError: the benchmark lacks one of the columns.
        """
        missing = [column for column in _REPORTED if column not in self._groups]
        if missing:
            raise DataError(f"{self.name} has no column {missing[0]!r}, which its tables are made of")
        rows = self.counted(scored)
        return {
            f"{column}_acc": group_table(
                rows, column, nan_splits=self.protocol.pandas_cells, stored=self.protocol.round_trip_table
            )
            for column in _REPORTED
        }

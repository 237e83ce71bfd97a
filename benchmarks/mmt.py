"""MMT-Bench: multiple choice over 162 tasks in 32 meta-tasks."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.mmt import mmt_table
from .base import NO_JUDGE_NAME, Scored
from .multiple_choice import MultipleChoice, match_log
from .submission import Submission, tsv_file

__all__ = ["MMTBench"]


class MMTBench(MultipleChoice):
    """Multiple choice with the result table of MMT-Bench."""

    submits_readings = True

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.mmt.mmt_table`.

        Raises:
            DataError: the benchmark has no column of right letters.
        """
        return mmt_table(
            self.counted(scored), nan_splits=self.protocol.pandas_cells, stored=self.protocol.round_trip_table
        )

    def submission(
        self, answers: Sequence[tuple[Sample, Cell]], scored: Sequence[Scored], *, judge: str = NO_JUDGE_NAME
    ) -> Submission:
        """Makes the table that the server expects: that of predictions with the letters (``opt``) that were read."""
        stored = self.protocol.round_trip_table
        read = [
            (row.sample, cell_text(row.answer) if stored else given, row)
            for row, (_, given) in zip(scored, answers, strict=True)
        ]
        columns = [column for column in self.source.columns if column != "image"]
        names = {column: column if len(column) == 1 and column.isupper() else column.lower() for column in columns}
        rows = (
            {names[column]: sample.cells[column] for column in columns}
            | {"prediction": prediction, "opt": row.record["letter"], "log": match_log(row)}
            for sample, prediction, row in read
        )
        header = [*dict.fromkeys(names.values()), "prediction", "opt", "log"]
        return Submission(f"_{judge}_submission.tsv", tsv_file(header, rows))

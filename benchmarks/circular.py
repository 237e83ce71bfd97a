"""Circular evaluation: a question counts when it is answered rightly in every order of its options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ..errors import DataError
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from ..scoring.tables import Row, stacked
from .base import Scored
from .multiple_choice import NO_JUDGE, MultipleChoice, match_log

__all__ = ["Circular"]

_STEP: Final = 1_000_000
"""The variants of question n have the indices n, n + 1,000,000, n + 2,000,000, …"""
_UNNEEDED: Final = "unneeded"
"""Rule of a row that nothing read, and nothing had to."""


class Circular(MultipleChoice):
    """Multiple choice whose file has each question several times, its options turned (Liu et al. 2023, MMBench).

    Every row is asked by itself. A question is a group of rows, named by its base row, the one whose index is the
    group's number: the rest of the index divided by 1,000,000, or the cell ``g_index`` where there is such a column. It
    is right when every row of it that was asked is right; a group whose base row was not asked does not count. A wrong
    letter that an exact rule reads settles a group: its judge is not asked.

    A result's record has ``hit`` (0 or 1), ``log``, ``rows`` (for each row its letter and rule) and ``rule``, the
    rule of the row that settled it.
    """

    def unit(self, sample: Sample) -> str:
        """Names the group of a row.

        Raises:
            DataError: the row's index is no whole number.
        """
        return str(self._group(sample))

    async def judge_unit(self, answers: Sequence[tuple[Sample, Cell]], judge: Judge) -> list[Scored]:
        """Asks the judge about the rows that no rule reads, in the order of their indices, until one is wrong.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: a row's index is no whole number.
        """
        scored = [self.score(sample, prediction) for sample, prediction in answers]
        settled = any(_is_read(row) and not row.points for row in scored)
        if settled or not any(self._is_base(sample) for sample, _ in answers):
            return scored
        for position in sorted(range(len(answers)), key=lambda k: self._number(answers[k][0])):
            if _is_read(scored[position]):
                continue
            scored[position] = await self.judge(*answers[position], judge)
            if not scored[position].points:
                break
        return scored

    def stored(self, samples: Sequence[Sample], answers: Sequence[Cell]) -> tuple[list[Sample], list[Cell]]:
        """Passes the table through a spreadsheet twice: the reference writes it again with whole numbers as indices."""
        return super().stored(*super().stored(samples, answers))

    def complete(self, scored: Sequence[Scored]) -> Sequence[Scored]:
        """Marks the rows that nothing read and nothing had to: their question is settled, or does not count."""
        needed = {
            position
            for _, rows in self._members(scored)
            if not any(_is_read(row) and not row.points for _, row in rows)
            for position, _ in rows
        }
        return [
            row if position in needed or _is_read(row) else replace(row, record={**row.record, "rule": _UNNEEDED})
            for position, row in enumerate(scored)
        ]

    def results(self, scored: Sequence[Scored]) -> dict[str, Mapping[str, Any]]:
        """Returns the record of each group by the index of its base row."""
        return {base.sample.index: _record(rows) for base, rows in self._groups_of(scored)}

    def counted(self, scored: Sequence[Scored]) -> list[Row]:
        """Returns what counts in the table: every group whose base row was asked.

        Raises:
            DataError: the benchmark has no column of right letters, or a row's index is no whole number.
        """
        super().counted(scored)  # refuses a benchmark without answers
        return [self._row(base.sample, float(_all_right(rows))) for base, rows in self._groups_of(scored)]

    def more_tables(self, scored: Sequence[Scored]) -> dict[str, Table]:
        """Adds ``acc_all``: the accuracy of base rows alone, of all rows, and of groups, one below the other.

        Raises:
            DataError: as of `table`.
        """
        rows = super().counted(scored)
        base_rows = [row for s, row in zip(scored, rows, strict=True) if self._counts_as_base(s.sample)]
        ways = {"vanilla_0": base_rows, "vanilla_all": rows, "circular": self.counted(scored)}
        return {"acc_all": stacked({way: self.plain(members) for way, members in ways.items()})}

    def caveats(self, scored: Sequence[Scored]) -> Iterator[str]:
        """Says how many questions were not asked in all their orders, which makes them easier."""
        yield from super().caveats(scored)
        if found := self.partly_asked(scored, self.unit):
            partly, questions = found
            yield (
                f"{partly} of {questions} questions were not asked in all orders of their options; the "
                "accuracy is higher than that of the whole benchmark would be"
            )

    def _groups_of(self, scored: Sequence[Scored]) -> Iterator[tuple[Scored, list[Scored]]]:
        """Yields the base row and all rows of each group that has a base row, in the order of the file."""
        for base, members in self._members(scored):
            yield base, [row for _, row in members]

    def _members(self, scored: Sequence[Scored]) -> Iterator[tuple[Scored, list[tuple[int, Scored]]]]:
        """Yields the same, each row with its position."""
        groups: dict[int, list[tuple[int, Scored]]] = {}
        for position, row in enumerate(scored):
            groups.setdefault(self._group(row.sample), []).append((position, row))
        for members in groups.values():
            members.sort(key=lambda member: self._number(member[1].sample))
            base = next((row for _, row in members if self._is_base(row.sample)), None)
            if base is not None:
                yield base, members

    def _is_base(self, sample: Sample) -> bool:
        return self._number(sample) == self._group(sample)

    def _counts_as_base(self, sample: Sample) -> bool:
        if self.protocol.million_is_base:
            return self._number(sample) <= _STEP
        return self._is_base(sample)

    def _group(self, sample: Sample) -> int:
        if "g_index" in sample.cells:
            return self._whole(sample, "g_index")
        return self._number(sample) % _STEP

    def _number(self, sample: Sample) -> int:
        return self._whole(sample, "index")

    def _whole(self, sample: Sample, column: str) -> int:
        cell = sample.cells.get(column, sample.index if column == "index" else None)
        try:
            number = float(cell) if isinstance(cell, float) else int(cell_text(cell))
            if number == int(number):
                return int(number)
        except (ValueError, OverflowError):
            pass
        raise DataError(
            f"{self.name}, row {sample.index}: {column} is {cell_text(cell)!r}; circular evaluation needs whole numbers"
        )


def _is_read(row: Scored) -> bool:
    return row.record["rule"] not in ("none", _UNNEEDED)


def _by_rule(row: Scored) -> bool:
    return _is_read(row) and row.record["rule"] != "judge"


def _all_right(rows: Sequence[Scored]) -> bool:
    return all(row.points for row in rows)


def _record(rows: Sequence[Scored]) -> dict[str, Any]:
    """What is kept of a group: the row that settled it is the first wrong one by rule, else the first not right."""
    wrong = [row for row in rows if not row.points]
    settling = next(filter(_by_rule, wrong), wrong[0] if wrong else rows[-1])
    return {
        "hit": int(not wrong),
        "log": _log(rows),
        "rule": settling.record["rule"],
        "rows": {row.sample.index: {name: row.record[name] for name in ("letter", "rule")} for row in rows},
    }


def _log(rows: Sequence[Scored]) -> str:
    """Tells in the reference's words how a group was settled."""
    for turn, row in enumerate(rows):
        if _by_rule(row) and not row.points:
            return f"Failed in Prefetching Rolling {turn}: {', '.join(_found(row))}. "
    if all(map(_by_rule, rows)):
        return "Succeed During Pre-fetching"
    told = []
    for turn, row in enumerate(rows):
        if match_log(row) == NO_JUDGE:
            return NO_JUDGE
        if not row.points:
            told.append(f"Failed in Rolling {turn}: {'; '.join(_found(row))}; Match Log is {match_log(row)}.\n")
            break
        told.append(f"Rolling {turn} Matched.\n" if _by_rule(row) else f"Rolling {turn}: {', '.join(_found(row))}.\n")
    return "".join(told)


def _found(row: Scored) -> tuple[str, str, str]:
    right, answer = cell_text(row.sample.cells.get("answer")), cell_text(row.answer)
    return f"Answer is {right}", f"Prediction is {answer}", f"Pre-fetched is {row.record['letter']}"

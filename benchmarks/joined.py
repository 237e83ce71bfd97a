"""Benchmarks made of others: asked as one, scored part by part, told in one table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, TypeAlias

from ..messages import Image, Message
from ..records import Cell, Metric, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from ..scoring.protocol import Protocol
from ..scoring.stats import estimate
from .base import Benchmark, Scored, Source
from .multiple_choice import MultipleChoice
from .stored_table import stored_table

__all__ = ["Joined", "JoinedSource"]

_PART: Final = "SUB_DATASET"
_INDEX: Final = "original_index"
_DATASET: Final = "DATASET"

_Build: TypeAlias = Callable[[str, Source, Protocol], MultipleChoice]


class JoinedSource:
    """The rows of several sources, one after the other; a `Source`.

    Rows are counted anew from 0. The cells of each are those of its own file, ``SUB_DATASET`` (its part) and
    ``original_index``.

    Attributes:
        parts: the sources by name, in order.
        columns: columns of all parts.
        path: the file of the first part.
    """

    def __init__(self, parts: Mapping[str, Source]) -> None:
        self.parts = parts
        self.columns = tuple(dict.fromkeys(column for source in parts.values() for column in source.columns))
        self.path = next(iter(parts.values())).path

    @property
    def files(self) -> Mapping[str, Path]:
        """The file of each part."""
        return {name: source.path for name, source in self.parts.items()}

    @property
    def stamp(self) -> str | None:
        """The stamps of all parts; None where one has none."""
        stamps = [source.stamp for source in self.parts.values()]
        return None if None in stamps else " ".join(map(str, stamps))

    @property
    def rows(self) -> int:
        """Number of rows of all files."""
        return sum(source.rows for source in self.parts.values())

    def __len__(self) -> int:
        """Number of samples; reads all files."""
        return sum(len(source) for source in self.parts.values())

    def samples(self) -> Iterator[Sample]:
        """Yields the rows of all parts.

        Raises:
            DataError: a file is malformed, when its turn comes.
        """
        row = 0
        for name, source in self.parts.items():
            for sample in source.samples():
                cells = {**sample.cells, _PART: name, _INDEX: sample.cells.get("index", sample.index)}
                yield Sample(str(row), row, cells, sample.cluster)
                row += 1

    def images(self, sample: Sample) -> tuple[Image, ...]:
        """Returns the pictures of one row, in order.

        Raises:
            DataError: the row refers to a row that holds no picture.
            MediaError: a list of pictures is malformed, or a file is missing or outside the data root.
        """
        return self.parts[part_of(sample)].images(self.original(sample))

    def original(self, sample: Sample) -> Sample:
        """Returns a row as its own source has it."""
        cells = {name: cell for name, cell in sample.cells.items() if name not in (_PART, _INDEX)}
        row = sample.row - self._starts[part_of(sample)]
        return Sample(cell_text(sample.cells[_INDEX]), row, cells, sample.cluster)

    @cached_property
    def _starts(self) -> Mapping[str, int]:
        """Position of each part's first row."""
        return dict(zip(self.parts, accumulate(map(len, self.parts.values()), initial=0), strict=False))


class _Widened:
    """A part with the columns of all parts, empty where it has none of its own: the reference joins tables so."""

    def __init__(self, source: Source, columns: tuple[str, ...]) -> None:
        self._source = source
        self._added: dict[str, Cell] = dict.fromkeys(name for name in columns if name not in source.columns)
        self.columns = columns
        self.path = source.path

    @property
    def files(self) -> Mapping[str, Path]:
        return self._source.files

    @property
    def stamp(self) -> str | None:
        return self._source.stamp

    @property
    def rows(self) -> int:
        return self._source.rows

    def __len__(self) -> int:
        return len(self._source)

    def samples(self) -> Iterator[Sample]:
        for sample in self._source.samples():
            yield replace(sample, cells={**self._added, **sample.cells})

    def images(self, sample: Sample) -> tuple[Image, ...]:
        return self._source.images(sample)


def part_of(sample: Sample) -> str:
    """Returns the part that a row of a `JoinedSource` comes from."""
    return str(sample.cells[_PART])


class Joined(Benchmark):
    """A benchmark over several multiple-choice ones, its parts.

    Each part prompts, reads and judges its own rows. The results are named ``<part>:<index>``; the table has the rows
    of all parts' tables and a column ``DATASET``. Its first metric is the accuracy over all rows of all parts, which
    the table itself does not have.

    Under `Protocol.pandas_cells` every part has the columns of all: a part without a column ``split`` beside one
    with it then has no accuracy, and a part of which nothing was asked has no row, as in the reference.
    """

    def __init__(self, name: str, source: JoinedSource, protocol: Protocol, build: _Build) -> None:
        """Args: `build` makes a part of its name and source."""
        if protocol.pandas_cells:
            columns = source.columns
            source = JoinedSource({part: _Widened(own, columns) for part, own in source.parts.items()})
        super().__init__(name, source, protocol)
        self._joined = source
        self.parts = {part: build(part, own, protocol) for part, own in source.parts.items()}

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds the prompt of the row's part.

        Raises:
            MediaError: a picture is missing.
            DataError: the row lacks what the prompt needs.
        """
        return self._part(sample).prompt(self._joined.original(sample))

    def reads_column(self, name: str) -> bool:
        """What any part reads."""
        return any(part.reads_column(name) for part in self.parts.values())

    def stored(self, samples: Sequence[Sample], answers: Sequence[Cell]) -> tuple[list[Sample], list[Cell]]:
        """Passes the joined table through a spreadsheet, then that of each part, as the reference does."""
        samples, answers = stored_table(samples, answers, self.reads_column)
        for name, part in self.parts.items():
            positions = [k for k, sample in enumerate(samples) if part_of(sample) == name]
            members = part.stored([samples[k] for k in positions], [answers[k] for k in positions])
            for k, sample, answer in zip(positions, *members, strict=True):
                samples[k], answers[k] = sample, answer
        return samples, answers

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Scores by the rules of the row's part.

        Raises:
            DataError: the row cannot be scored.
        """
        return replace(self._part(sample).score(self._named(sample), prediction), sample=sample)

    async def judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Asks the judge where the row's part does.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the row cannot be scored.
        """
        return replace(await self._part(sample).judge(self._named(sample), prediction, judge), sample=sample)

    async def second_opinion(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored | None:
        """Asks the judge where the row's part can.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the row cannot be scored.
        """
        scored = await self._part(sample).second_opinion(self._named(sample), prediction, judge)
        return None if scored is None else replace(scored, sample=sample)

    def verdict(self, scored: Scored) -> Hashable | None:
        """Returns what the row's part takes for the verdict."""
        return self._part(scored.sample).verdict(scored)

    def unit(self, sample: Sample) -> str:
        """Names the unit within the row's part."""
        return f"{part_of(sample)}:{self._part(sample).unit(self._joined.original(sample))}"

    async def judge_unit(self, answers: Sequence[tuple[Sample, Cell]], judge: Judge) -> list[Scored]:
        """Scores the rows of one unit as their part does.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: a row cannot be scored.
        """
        part = self._part(answers[0][0])
        named = [(self._named(sample), answer) for sample, answer in answers]
        scored = await part.judge_unit(named, judge)
        return [replace(row, sample=sample) for row, (sample, _) in zip(scored, answers, strict=True)]

    def complete(self, scored: Sequence[Scored]) -> Sequence[Scored]:
        """Has each part complete its own records."""
        completed = list(scored)
        for name, part in self.parts.items():
            positions = [k for k, row in enumerate(scored) if part_of(row.sample) == name]
            own = [replace(scored[k], sample=self._joined.original(scored[k].sample)) for k in positions]
            for k, row in zip(positions, part.complete(own), strict=True):
                completed[k] = replace(row, sample=scored[k].sample)
        return completed

    def results(self, scored: Sequence[Scored]) -> dict[str, Mapping[str, Any]]:
        """Returns the results of all parts, each named by part and index."""
        return {
            f"{name}:{index}": record
            for name, rows in self._by_part(scored).items()
            for index, record in self.parts[name].results(rows).items()
        }

    def table(self, scored: Sequence[Scored]) -> Table:
        """Puts the tables of the parts below each other.

        Raises:
            DataError: a part has no column of right letters.
        """
        by_part = self._by_part(scored)
        tables = {name: self.parts[name].table(rows) for name, rows in by_part.items()}
        first, *others = tables.values()
        later = (column for table in others for column in table.columns)
        columns = tuple(dict.fromkeys((*first.columns, _DATASET, *later)))
        records: list[Mapping[str, Cell]] = []
        metrics = self._over_all(by_part)
        for name, table in tables.items():
            rows = table.rows if self._has_splits(name, by_part[name]) else ()
            records += [{**dict.fromkeys(columns), **record, _DATASET: name} for record in rows]
            metrics += [replace(metric, row=_joined_name(name, metric.row)) for metric in table.metrics]
        return Table(columns, tuple(records), tuple(metrics))

    def more_tables(self, scored: Sequence[Scored]) -> dict[str, Table]:
        """Gives each part's own table and further tables, called after the part."""
        more: dict[str, Table] = {}
        for name, rows in self._by_part(scored).items():
            more[f"{name}_acc"] = self.parts[name].table(rows)
            more |= {f"{name}_{end}": table for end, table in self.parts[name].more_tables(rows).items()}
        return more

    def caveats(self, scored: Sequence[Scored]) -> Iterator[str]:
        """Says what the parts say, and which parts were not asked at all."""
        for name, rows in self._by_part(scored).items():
            if not rows:
                yield f"{name} was not asked"
            else:
                yield from (f"{name}: {caveat}" for caveat in self.parts[name].caveats(rows))

    def _part(self, sample: Sample) -> MultipleChoice:
        return self.parts[part_of(sample)]

    def _named(self, sample: Sample) -> Sample:
        """Returns the row as its part has it, under the index by which a judge's verdict is kept."""
        return replace(self._joined.original(sample), index=sample.index)

    def _by_part(self, scored: Sequence[Scored]) -> dict[str, list[Scored]]:
        members: dict[str, list[Scored]] = {name: [] for name in self.parts}
        for row in scored:
            members[part_of(row.sample)].append(replace(row, sample=self._joined.original(row.sample)))
        return members

    def _has_splits(self, name: str, scored: Sequence[Scored]) -> bool:
        """Whether a part's table has a row: with a column ``split`` the reference has none where nothing counts."""
        if not self.protocol.pandas_cells or "split" not in map(str.lower, self._joined.columns):
            return True
        return bool(self.parts[name].counted(scored))

    def _over_all(self, by_part: Mapping[str, Sequence[Scored]]) -> list[Metric]:
        """Returns the accuracy over all that counts in any part; parts may share pictures."""
        rows = [row for name, scored in by_part.items() for row in self.parts[name].counted(scored)]
        if not rows:
            return []
        return [Metric("Overall", "all parts", estimate([r.points for r in rows], [r.cluster for r in rows]))]


def _joined_name(part: str, row: str) -> str:
    return part if row in ("", "none") else f"{part}, {row}"

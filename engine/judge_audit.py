"""What exact rules and judges made of the stored answers of a run, and where they differ."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
from anyio import create_task_group, to_thread

from ..benchmarks.base import Benchmark, Scored
from ..benchmarks.load import load_benchmark
from ..benchmarks.scoring_run import answered_items, completed
from ..errors import ConfigError, DataError, JudgeError
from ..records import Cell, Sample
from ..scoring.agreement import Agreement, agreement
from .commit import GroupCommit, writing
from .config_plan import RunPlan
from .evaluate import counted
from .hearing import Hearing, Told, Unsaid, from_judge, from_stored
from .journal import Journal
from .judge_desk import JudgeDesk
from .judge_endpoint import JudgeEndpoint
from .judge_summary import judge_summary
from .judged_scoring import JudgedScoring
from .judgements import JUDGEMENTS, read_verdicts
from .judging import greet_judges, make_judges
from .progress import JobProgress, RunProgress
from .run_folder import RunFolder

__all__ = ["Case", "JobAudit", "audit_run"]

_OF_NO_RULE: Final = frozenset({"none", "failed", "needs judge"})
_LONGEST: Final = 200

_Answer = tuple[Sample, Cell]


@dataclass(frozen=True, slots=True)
class Case:
    """One answer, and what was made of it.

    Attributes:
        index: of the sample.
        answer: its text, shortened.
        rule: the exact rule that reads it, ``none`` where none does.
        by_rules: what the rules take it for, None where they read nothing.
        by_judge: what the judge takes it for, None where it was not asked or its reply could not be read.
        reply: the judge's last reply, shortened; None where it was not asked.
        points: what the answer is worth in the scores.
    """

    index: str
    answer: str
    rule: str
    by_rules: Any
    by_judge: Any
    reply: str | None
    points: float


@dataclass(frozen=True, slots=True)
class JobAudit:
    """One benchmark of one model.

    Attributes:
        model: result name of the model.
        benchmark: name of the benchmark.
        answers: stored answers, failed requests left out.
        failed: failed requests.
        rules: how many answers each rule read, ``judge`` and ``none`` among them.
        by_rules: answers that the exact rules decided.
        by_judge: answers that the judge decided.
        unparsed: answers that neither could read.
        undecided: answers that no rule reads and that the judge need not read: what they count together with is lost.
        missing: answers that wait for a verdict.
        judges: what each judge did (`engine.judge_summary`).
        compared: agreement of rules and judge on the answers that both read.
        unsaid: why some of the answers that were to be compared have no verdict, by index.
        cases: samples of ``disagreements``, ``by_rules``, ``by_judge`` and ``unparsed``.
        error: why it could not be audited.
    """

    model: str
    benchmark: str
    answers: int = 0
    failed: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)
    by_rules: int = 0
    by_judge: int = 0
    unparsed: int = 0
    undecided: int = 0
    missing: int = 0
    judges: Sequence[Mapping[str, Any]] = ()
    compared: Agreement = field(default_factory=lambda: agreement(()))
    unsaid: Mapping[str, str] = field(default_factory=dict)
    cases: Mapping[str, Sequence[Case]] = field(default_factory=dict)
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        return asdict(self)


async def audit_run(plan: RunPlan, run_dir: Path, *, ask: int = 0, shown: int = 3, seed: int = 0) -> list[JobAudit]:
    """Looks through the stored answers and verdicts of a run.

    Rules and judge are compared where both can read an answer. A judge has no verdict on an answer that the rules read
    unless it was asked for one: `ask` has it asked about so many of them in each benchmark, drawn with `seed`. What it
    says is kept with the other verdicts, so that the same again asks nothing.

    Args:
        plan: of the run, with its judges.
        run_dir: its folder.
        ask: answers that the rules decided to ask the judge about, in each benchmark of each model.
        shown: samples of each kind.
        seed: draws the answers to ask about, and the samples.

    Raises:
        ConfigError: a judge is to be asked, and there is none.
        DataError: a benchmark's file is missing.
        JudgeError: the judge cannot be used, where it is to be asked.
        RunLocked: another process writes the run, where the judge is to be asked.
        StorageError: a journal cannot be read or written. Perhaps inside an exception group.
    """
    load = partial(load_benchmark, data_root=plan.data_root, protocol=plan.protocol)
    benchmarks = [await to_thread.run_sync(load, name) for name in dict.fromkeys(plan.data)]
    judges = make_judges(plan, benchmarks, RunProgress())
    if ask and not judges:
        raise ConfigError(f"no judge reads any answer of the run in {run_dir}, so that there is none to ask")
    try:
        with ExitStack() as stack:
            if ask:
                stack.enter_context(RunFolder(run_dir))
                await greet_judges(judges)
            audits = []
            for spec in plan.models:
                for benchmark in benchmarks:
                    job = _Job(spec.name, benchmark, run_dir / spec.name / benchmark.name, plan.limit, shown, seed)
                    audits.append(await job.audit(judges, ask))
            return audits
    finally:
        for judge in judges:
            await judge.aclose()


@dataclass(frozen=True, slots=True)
class _Scores:
    """Samples with answer and failure, the score of each, and the units that a judge was asked about."""

    items: Sequence[tuple[Sample, Cell, bool]]
    scored: Sequence[Scored | None]
    hearings: Sequence[Hearing] = ()


@dataclass(slots=True)
class _Job:
    model: str
    benchmark: Benchmark
    folder: Path
    limit: int | None
    shown: int
    seed: int

    async def audit(self, judges: Sequence[JudgeEndpoint], ask: int) -> JobAudit:
        path = self.folder / JUDGEMENTS
        progress = JobProgress(self.model, self.benchmark.name)
        if not judges or not self.benchmark.asks_judge:
            return await self._look(None, 0)
        if not ask:
            ledger = await to_thread.run_sync(read_verdicts, path)
            return await self._look(JudgeDesk(judges, ledger, None, progress), 0)
        with Journal(path) as journal:
            ledger, commit = await to_thread.run_sync(read_verdicts, path), GroupCommit(journal)
            async with writing([commit]):
                return await self._look(JudgeDesk(judges, ledger, commit, progress), ask)

    async def _look(self, desk: JudgeDesk | None, ask: int) -> JobAudit:
        entry, answered = await to_thread.run_sync(counted, self.model, self.benchmark, self.folder, self.limit)
        if entry.error is not None or not answered:
            return JobAudit(self.model, self.benchmark.name, failed=entry.tally.failed, error=entry.error)
        try:
            scores = await to_thread.run_sync(self._scores, answered, entry.tally.answers, desk)
        except DataError as error:
            return JobAudit(self.model, self.benchmark.name, failed=entry.tally.failed, error=str(error))
        by_rules = await to_thread.run_sync(lambda: [*self._read_by_rules(scores)])
        second: dict[str, Told[Scored | None]] = {}
        unsaid: dict[str, str] = {}
        if desk is not None:
            second |= await to_thread.run_sync(self._stored_opinions, desk, by_rules)
            second |= await self._asked_opinions(desk, self._drawn(by_rules, ask), unsaid)
        return await to_thread.run_sync(self._told, scores, desk, by_rules, second, unsaid)

    def _scores(self, answered: Sequence[Sample], predictions: Mapping[str, Cell], desk: JudgeDesk | None) -> _Scores:
        """Scores the answers by rules and stored verdicts. Blocking."""
        if desk is not None:
            scoring = JudgedScoring(self.benchmark, answered, predictions, desk)
            scoring.look_up()
            return _Scores(scoring.items, scoring.scored, scoring.hearings)
        items = answered_items(self.benchmark, answered, predictions)
        scored = [completed(self.benchmark.score(item[0], item[1]), item[1], item[2]) for item in items]
        return _Scores(items, scored)

    # -- what both can read ------------------------------------------------------------------------------------------

    def _read_by_rules(self, scores: _Scores) -> Iterator[tuple[_Answer, Scored]]:
        """Yields the answers that the exact rules read, with what they make of them."""
        asked = {index for hearing in scores.hearings for index in hearing.asked}
        for sample, answer, failed in scores.items:
            if failed or sample.index in asked:
                continue
            exact = self.benchmark.score(sample, answer)
            if exact.record.get("rule") not in _OF_NO_RULE:
                yield (sample, answer), exact

    def _drawn(self, answers: Sequence[tuple[_Answer, Scored]], count: int) -> list[_Answer]:
        draw = random.Random(f"{self.seed}/{self.model}/{self.benchmark.name}")  # noqa: S311 (a sample, no secret)
        return [answer for answer, _ in draw.sample(answers, min(count, len(answers)))]

    def _stored_opinions(
        self, desk: JudgeDesk, answers: Sequence[tuple[_Answer, Scored]]
    ) -> dict[str, Told[Scored | None]]:
        found = {}
        for (sample, answer), _ in answers:
            told = from_stored(desk, desk.voices[0], partial(self.benchmark.second_opinion, sample, answer))
            if not isinstance(told, Unsaid) and told.result is not None:
                found[sample.index] = told
        return found

    async def _asked_opinions(
        self, desk: JudgeDesk, answers: Sequence[_Answer], unsaid: dict[str, str]
    ) -> dict[str, Told[Scored | None]]:
        found: dict[str, Told[Scored | None]] = {}

        async def work(todo: Iterator[_Answer]) -> None:
            for sample, answer in todo:
                opinion = partial(self.benchmark.second_opinion, sample, answer)
                try:
                    found[sample.index] = await from_judge(desk, desk.voices[0], opinion)
                except JudgeError as error:
                    unsaid[sample.index] = str(error)
                    await anyio.lowlevel.checkpoint()

        todo = iter(answers)
        async with create_task_group() as tasks:
            for _ in range(min(len(answers), 2 * desk.reach)):
                tasks.start_soon(work, todo)
        return {index: told for index, told in found.items() if told.result is not None}

    # -- telling -----------------------------------------------------------------------------------------------------

    def _told(
        self,
        scores: _Scores,
        desk: JudgeDesk | None,
        by_rules: Sequence[tuple[_Answer, Scored]],
        second: Mapping[str, Told[Scored | None]],
        unsaid: Mapping[str, str],
    ) -> JobAudit:
        exact = {sample.index: scored for (sample, _), scored in by_rules}
        asked = {index for hearing in scores.hearings for index in hearing.asked}
        cases = [*self._cases(scores, exact, second)]
        pairs = [(c.by_rules, c.by_judge) for c in cases if c.by_rules is not None and c.by_judge is not None]
        kinds = {
            "disagreements": [c for c in cases if None not in (c.by_rules, c.by_judge) and c.by_rules != c.by_judge],
            "by_rules": [c for c in cases if c.by_rules is not None],
            "by_judge": [c for c in cases if c.by_rules is None and c.by_judge is not None],
            "unparsed": [
                c for c in cases if c.rule == "none" and c.by_judge is None and (not desk or c.index in asked)
            ],
        }
        undecided = sum(c.rule == "none" and c.index not in asked for c in cases) if desk else 0
        failed = sum(failed for _, _, failed in scores.items)
        rules = Counter(str(s.record.get("rule")) for s in scores.scored if s is not None and not s.failed)
        return JobAudit(
            model=self.model,
            benchmark=self.benchmark.name,
            answers=len(scores.items) - failed,
            failed=failed,
            rules=dict(rules.most_common()),
            by_rules=sum(n for rule, n in rules.items() if rule not in (*_OF_NO_RULE, "judge")),
            by_judge=rules["judge"],
            unparsed=rules["none"] - undecided,
            undecided=undecided,
            missing=sum(scored is None for scored in scores.scored),
            judges=judge_summary(self.benchmark, desk, scores.hearings) if desk else (),
            compared=agreement(pairs),
            unsaid=dict(unsaid),
            cases={kind: self._some(found) for kind, found in kinds.items()},
        )

    def _cases(
        self, scores: _Scores, exact: Mapping[str, Scored], second: Mapping[str, Told[Scored | None]]
    ) -> Iterator[Case]:
        verdict = self.benchmark.verdict
        asked = {index: found for hearing in scores.hearings for index, found in hearing.asked.items()}
        for (sample, answer, failed), scored in zip(scores.items, scores.scored, strict=True):
            if failed or scored is None:
                continue
            by_rules, opinion = exact.get(sample.index), second.get(sample.index)
            reply, by_judge = None, None
            if by_rules is None and sample.index in asked:
                reply, by_judge = asked[sample.index].reply, verdict(scored)
            elif opinion is not None and opinion.result is not None:
                found = opinion.asked.get(sample.index)
                reply, by_judge = found.reply if found else None, verdict(opinion.result)
            yield Case(
                index=sample.index,
                answer=_short(str(answer)),
                rule=str((by_rules or scored).record.get("rule")),
                by_rules=None if by_rules is None else verdict(by_rules),
                by_judge=by_judge,
                reply=None if reply is None else _short(reply),
                points=scored.points,
            )

    def _some(self, cases: Sequence[Case]) -> list[Case]:
        draw = random.Random(self.seed)  # noqa: S311 (a sample, no secret)
        chosen = set(draw.sample(range(len(cases)), min(self.shown, len(cases))))
        return [case for position, case in enumerate(cases) if position in chosen]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

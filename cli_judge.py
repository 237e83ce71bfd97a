"""The verb judge-audit: what rules and judges made of a run's answers, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from . import cli_options as o
from .cli_output import Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .engine.judge_audit import Case, JobAudit

__all__ = ["JudgeAudit"]

_UNUSABLE: Final = 3
_KINDS: Final = (
    ("disagreements", "rules and judge differ"),
    ("unparsed", "nobody could read"),
    ("by_judge", "the judge read"),
    ("by_rules", "rules read"),
)

Ask: TypeAlias = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Ask the judge about so many answers of each benchmark that the rules read, to compare the two.",
    ),
]
Shown: TypeAlias = Annotated[int, typer.Option("--samples", min=0, metavar="N", help="Answers of each kind to show.")]
AuditSeed: TypeAlias = Annotated[
    int, typer.Option("--seed", metavar="N", help="Draws the answers to ask about, and those to show.")
]


class JudgeAudit:
    """`judge-audit`."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def add_to(self, app: typer.Typer) -> None:
        """Makes it a verb of a command line."""
        app.command("judge-audit")(self.audit)

    def audit(
        self, run_dir: o.RunDir, *, ask: Ask = 0, shown: Shown = 3, seed: AuditSeed = 0, as_json: o.AsJson = False
    ) -> int:
        """Show what exact rules and judges made of the answers of a run, and where they differ.

        Works on stored answers and verdicts and sends nothing, unless --ask has the judge asked about answers that the
        rules read. What it says then is stored with the run; no score changes.
        """
        from functools import partial  # noqa: PLC0415

        import anyio  # noqa: PLC0415  (slow to import)

        from .engine.config import read_environment  # noqa: PLC0415
        from .engine.judge_audit import audit_run  # noqa: PLC0415
        from .engine.resume import plan_of_run  # noqa: PLC0415
        from .engine.session import first_error  # noqa: PLC0415

        plan, _ = plan_of_run(run_dir, read_environment(), mode="eval")
        audits: list[JobAudit] = []
        with first_error():
            audits += anyio.run(partial(audit_run, plan, run_dir, ask=ask, shown=shown, seed=seed))
        if as_json:
            record = {"run_dir": str(run_dir), "audits": [audit.as_dict() for audit in audits]}
            self._output.say_json(record)
        else:
            self._output.show(_parts(audits))
        lost = [audit for audit in audits if audit.unsaid]
        for audit in lost:
            index, reason = next(iter(audit.unsaid.items()))
            told = f"{len(audit.unsaid)} answers have no verdict to compare with, the first being sample {index}"
            self._output.complain(f"{audit.model} on {audit.benchmark}: {told}: {reason}")
        return _UNUSABLE if lost else 0


def _parts(audits: Sequence[JobAudit]) -> Iterator[RenderableType]:
    yield _table(audits)
    for audit in audits:
        yield from _details(audit)


def _table(audits: Sequence[JobAudit]) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415  (slow to import)

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for head in ("model", "benchmark"):
        table.add_column(head, overflow="fold")
    for head in ("answers", "rules", "judge", "unparsed", "missing", "failed", "compared", "differ"):
        table.add_column(head, justify="right", no_wrap=True)
    for audit in audits:
        agreed = audit.compared.agreed
        differ = 0 if agreed is None else round((1 - agreed) * audit.compared.n)
        numbers = (audit.answers, audit.by_rules, audit.by_judge, audit.unparsed, audit.missing, audit.failed)
        table.add_row(_text(audit.model), _text(audit.benchmark), *map(str, (*numbers, audit.compared.n, differ)))
    return table


def _details(audit: JobAudit) -> Iterator[RenderableType]:
    from dataclasses import asdict  # noqa: PLC0415

    from .engine.judge_words import agreement_words, judging_words  # noqa: PLC0415  (slow to import)

    yield _text("")
    yield _text(f"{audit.model} on {audit.benchmark}", "bold")
    if audit.error:
        yield _text(audit.error, "red")
    if audit.undecided:
        yield _text(f"{audit.undecided} more that nobody need read: what they count together with is lost")
    if audit.rules:
        yield _text("read by: " + ", ".join(f"{rule} {n}" for rule, n in audit.rules.items()))
    for judge in audit.judges:
        yield _text(judging_words(judge))
    if audit.compared.n:
        yield _text(f"rules and judge agree on {agreement_words(asdict(audit.compared))}")
    for kind, title in _KINDS:
        for case in audit.cases.get(kind, ()):
            yield _text(f"{title}: {_told(case)}")


def _told(case: Case) -> str:
    parts = [f"sample {case.index}", repr(case.answer)]
    if case.by_rules is not None:
        parts.append(f"rule {case.rule}: {case.by_rules}")
    if case.reply is not None:
        parts.append(f"judge: {'unreadable' if case.by_judge is None else case.by_judge}, saying {case.reply!r}")
    return ", ".join([*parts, f"worth {case.points:g}"])


def _text(text: str, style: str = "") -> Any:
    from rich.text import Text  # noqa: PLC0415  (slow to import)

    from .engine.plain_text import clean  # noqa: PLC0415

    return Text(clean(text, 1000), style)

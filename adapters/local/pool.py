"""Deals questions out to worker processes: one queue, a worker for each device, whoever is free takes the next batch.

A worker holds two batches at most: one that it computes and one that it prepares meanwhile. When a worker dies, its
questions go back to the head of the queue, each to be asked alone by a worker that has nothing else, so that the one
that it died over is found; a question that costs a second worker its life fails, all others go on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any, Final

from ... import errors
from ...errors import EndpointError, EndpointUnusable
from ...records import Reply, Usage
from .batching import BatchSize, Candidate, choose
from .process import WorkerProcess
from .settings import LocalSettings

__all__ = ["Pool"]

_BATCHES_HELD: Final = 2
_WINDOW: Final = 8
"""Batches' worth of waiting questions that a batch is chosen from."""
_DEATHS_OF_A_QUESTION: Final = 2
_DEATHS_IN_A_ROW: Final = 4
_REFUSALS_IN_A_ROW: Final = 16


@dataclass(slots=True, eq=False)
class _Question:
    chunks: Sequence[bytes]
    candidate: Candidate
    answer: asyncio.Future[Reply]
    deaths: int = 0


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker process with what it was given and has not answered."""

    device: str | None
    process: WorkerProcess
    size: BatchSize
    batches: dict[int, list[_Question]] = field(default_factory=dict)
    ready: bool = False

    @property
    def is_there(self) -> bool:
        """Whether it can be given questions: its model is loaded, and it has not ended."""
        return self.ready and self.process.is_heard


class Pool:
    """The workers of one model. Belongs to the event loop in which it is first asked.

    Args:
        settings: what workers are told.
        tell: is told in a sentence what the user should know.
        start: starts a worker process; tests put another in its place.
    """

    def __init__(
        self,
        settings: LocalSettings,
        *,
        tell: Callable[[str], None],
        start: Callable[[LocalSettings, str | None], WorkerProcess] = WorkerProcess,
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._start = start
        self._queue: deque[_Question] = deque()
        self._workers: list[_Worker] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._deaths_in_a_row = 0
        self._refusals: tuple[str, int] = ("", 0)
        self._answered = 0
        self._told_of_memory = False
        self._useless: EndpointUnusable | None = None
        self._closed = False
        self._about: dict[str, Any] = {}
        self._spent: dict[str, float] = {}

    @property
    def about(self) -> Mapping[str, Any]:
        """What workers told of themselves, and the seconds that they spent on what."""
        return {**self._about, "seconds": {name: round(spent, 1) for name, spent in self._spent.items()}}

    @property
    def is_loading(self) -> bool:
        """Whether workers were started and none is ready."""
        return bool(self._workers) and not any(worker.ready for worker in self._workers)

    async def ask(self, chunks: Sequence[bytes], *, tokens: int, kind: str) -> Reply:
        """Has a question answered.

        Args:
            chunks: body of the request.
            tokens: about how many tokens its prompt has.
            kind: which media it shows; questions of one kind are answered together.

        Raises:
            EndpointError: this question has no answer.
            EndpointUnusable: none will have one.
        """
        if self._useless is not None:
            raise EndpointUnusable(str(self._useless))
        question = _Question(chunks, Candidate(tokens, kind), asyncio.get_running_loop().create_future())
        self._queue.append(question)
        if not self._workers:
            self._employ(None)
        self._deal()
        try:
            return await question.answer
        except asyncio.CancelledError:  # nobody waits for it any more
            if question in self._queue:
                self._queue.remove(question)
            raise

    async def aclose(self) -> None:
        """Ends all workers; who waits for an answer is told so."""
        self._closed = True
        self._give_up(EndpointUnusable("the run was stopped before it was answered"))
        for worker in self._workers:
            worker.process.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._workers.clear()

    # -- dealing -----------------------------------------------------------------------------------------------------

    def _deal(self) -> None:
        """Gives batches to the workers that have room, the idle ones first."""
        for held in range(_BATCHES_HELD):
            for worker in self._workers:
                if worker.is_there and len(worker.batches) == held and self._queue:
                    if held and not self._is_worth_preparing(worker):
                        continue
                    self._give(worker)

    def _is_worth_preparing(self, worker: _Worker) -> bool:
        """Whether a worker that computes is given its next batch: a full one, and none that may kill or be killed."""
        computed = (question for batch in worker.batches.values() for question in batch)
        if self._queue[0].candidate.alone or any(question.candidate.alone for question in computed):
            return False
        return len(self._queue) >= worker.size.now

    def _give(self, worker: _Worker) -> None:
        window = [question.candidate for question in islice(self._queue, _WINDOW * worker.size.now)]
        chosen = choose(
            window,
            most=worker.size.now,
            most_tokens=self._settings.batch_tokens,
            answer_tokens=self._settings.generation.max_new_tokens,
        )
        batch = [self._queue[position] for position in chosen]
        for question in batch:
            self._queue.remove(question)
        number = next(self._numbers)
        worker.batches[number] = batch
        pieces = [piece for question in batch for piece in question.chunks]
        worker.process.send({"batch": number, "chunks": [len(question.chunks) for question in batch]}, pieces)

    def _employ(self, device: str | None) -> None:
        worker = _Worker(device, self._start(self._settings, device), BatchSize(self._settings.batch_size))
        self._workers.append(worker)
        task = asyncio.get_running_loop().create_task(self._attend(worker))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Lets nobody wait for a worker that nobody hears any more."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._give_up(EndpointUnusable(f"the model's process said what cannot be understood: {error!r}"))

    # -- hearing -----------------------------------------------------------------------------------------------------

    async def _attend(self, worker: _Worker) -> None:
        """Hears a worker from its start to its end, and replaces it when it dies."""
        ending = await worker.process.listen(
            lambda head: self._hear(worker, head),
            is_busy=lambda: bool(worker.batches) or not worker.ready,
            patience_s=self._settings.patience_s,
        )
        if self._closed or self._useless is not None:
            self._workers.remove(worker)
        elif not worker.ready and any(other.ready for other in self._workers):
            self._workers.remove(worker)
            self._tell(f"the worker on {worker.device} {ending}; the others go on without it")
        else:
            self._mourn(worker, ending)
            self._workers.remove(worker)
            if self._useless is None:
                self._employ(worker.device)

    def _hear(self, worker: _Worker, head: Mapping[str, Any]) -> None:
        if self._closed:
            return
        if "fatal" in head:
            self._give_up(EndpointUnusable(head["fatal"]))
        elif "ready" in head:
            self._welcome(worker, head["ready"])
        elif "done" in head:
            self._receive(worker, head)
        self._deal()

    def _welcome(self, worker: _Worker, ready: Mapping[str, Any]) -> None:
        worker.ready = True
        if self._about:
            return
        self._about = dict(ready["about"])
        self._about["devices"] = [ready["device"], *ready["more_devices"]]
        for note in ready["notes"]:
            self._tell(note)
        worker.device = ready["device"]
        for device in ready["more_devices"]:
            self._employ(device)

    def _receive(self, worker: _Worker, head: Mapping[str, Any]) -> None:
        batch = worker.batches.pop(head["done"])
        if head["fitted"] < len(batch):
            worker.size.ran_out(head["fitted"])
            self._tell_once(
                f"memory ran out for a batch of {len(batch)}; smaller ones, of {head['fitted']} at first, are taken "
                "for a while (batch_size, batch_tokens)"
            )
        else:
            worker.size.fitted()
        for name, seconds in head["seconds"].items():
            self._spent[name] = self._spent.get(name, 0.0) + seconds
        self._deaths_in_a_row = 0
        for question, reply in zip(batch, head["replies"], strict=True):
            self._settle(question, reply)

    def _settle(self, question: _Question, reply: Mapping[str, Any]) -> None:
        if "failure" not in reply:
            self._answered += 1
            usage = Usage(reply["prompt_tokens"], reply["completion_tokens"])
            _answer(question, Reply(reply["text"], finish_reason=reply["finish"], usage=usage))
            return
        kind: type[EndpointError] = getattr(errors, reply["kind"])
        text = reply["failure"]
        _fail(question, kind(text))
        said, times = self._refusals
        self._refusals = (text, times + 1 if text == said else 1)
        if not self._answered and self._refusals[1] >= _REFUSALS_IN_A_ROW:
            self._give_up(EndpointUnusable(f"the model answers nothing, each time for the same reason: {text}"))

    def _tell_once(self, text: str) -> None:
        if not self._told_of_memory:
            self._told_of_memory = True
            self._tell(text)

    # -- endings -----------------------------------------------------------------------------------------------------

    def _mourn(self, worker: _Worker, ending: str) -> None:
        """Puts a dead worker's questions back, or ends all where workers die without answering anything."""
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row >= _DEATHS_IN_A_ROW or (not worker.ready and not self._about):
            self._give_up(EndpointUnusable(f"the model's process {ending}"))
            return
        orphans = [question for batch in worker.batches.values() for question in batch]
        self._tell(f"a worker {ending}; it is started again, and its {len(orphans)} questions are asked again")
        for question in reversed(orphans):
            question.deaths += 1
            if question.deaths >= _DEATHS_OF_A_QUESTION:
                _fail(question, errors.BadRequest(f"the model's process died over it twice: it {ending}"))
            elif not question.answer.done():
                question.candidate = Candidate(question.candidate.tokens, question.candidate.kind, alone=True)
                self._queue.appendleft(question)

    def _give_up(self, error: EndpointUnusable) -> None:
        if self._useless is None:
            self._useless = error
        waiting = [*self._queue, *(q for worker in self._workers for batch in worker.batches.values() for q in batch)]
        self._queue.clear()
        for question in waiting:
            _fail(question, EndpointUnusable(str(error)))


def _answer(question: _Question, reply: Reply) -> None:
    if not question.answer.done():
        question.answer.set_result(reply)


def _fail(question: _Question, error: errors.EyechartError) -> None:
    if not question.answer.done():
        question.answer.set_exception(error)

"""The inside of a worker: one bad question of a batch fails alone, whatever is wrong with it."""

from __future__ import annotations

import base64
import weakref
from collections.abc import Sequence

import pytest
from local_workers import text_of

from eyechart.adapters.local.answerer import MODEL_FAULTS, Answer, OutOfMemory
from eyechart.adapters.local.bodies import Refused, Turn
from eyechart.adapters.local.worker import Worker
from eyechart.adapters.payload import ChatOptions, encode_chat
from eyechart.messages import InlineMedia, Message, Part, Text

OPTIONS = ChatOptions("m", temperature=None, max_tokens=None, detail=None)


def body(*parts: Part | str) -> bytes:
    said = tuple(Text(part) if isinstance(part, str) else part for part in parts)
    return b"".join(encode_chat([Message("user", said)], OPTIONS).chunks)


class Scripted:
    """Echoes texts; raises what it is told for a question, when that is prepared or answered.

    Args:
        preparing: what is raised by text.
        answering: what is raised by text.
        memory: how many questions fit together.
        sizes: how much of that a question takes, 1 where it is not said.
    """

    def __init__(
        self,
        preparing: dict[str, Exception] | None = None,
        answering: dict[str, Exception] | None = None,
        memory: int = 100,
        sizes: dict[str, int] | None = None,
    ) -> None:
        self.preparing = preparing or {}
        self.answering = answering or {}
        self.memory = memory
        self.sizes = sizes or {}
        self.answered: list[list[str]] = []

    def prepare(self, questions: Sequence[Sequence[Turn]]) -> list[str]:
        texts = [text_of(question) for question in questions]
        for text in texts:
            if text in self.preparing:
                raise self.preparing[text]
        return texts

    def answer(self, prepared: list[str]) -> list[Answer]:
        for text in prepared:
            if text in self.answering:
                raise self.answering[text]
        if sum(self.sizes.get(text, 1) for text in prepared) > self.memory:
            raise OutOfMemory("no room")
        self.answered.append(prepared)
        return [{"text": text} for text in prepared]


def run(model: Scripted, *questions: bytes | str) -> tuple[list[Answer], int]:
    worker = Worker(model)
    bodies = [body(question) if isinstance(question, str) else question for question in questions]
    return worker.answer(worker.prepare(7, bodies))


def echoes(*texts: str) -> list[Answer]:
    return [{"text": text} for text in texts]


def test_a_batch_is_answered_together_and_in_order() -> None:
    model = Scripted()
    batch = Worker(model).prepare(7, [body(text) for text in "abc"])
    assert (batch.number, batch.prepared) == (7, ["a", "b", "c"])
    assert batch.prepare_s > 0
    assert Worker(model).answer(batch) == (echoes("a", "b", "c"), 3)
    assert model.answered == [["a", "b", "c"]]


def test_a_picture_that_cannot_be_decoded_fails_alone_and_the_others_stay_together() -> None:
    broken = body(InlineMedia("image", "image/png", base64.b64encode(b"none"), ""), "b")
    model = Scripted()
    answers, fitted = run(model, "a", broken, "c")
    assert [answers[0], answers[2]] == echoes("a", "c")
    assert answers[1]["kind"] == "BadRequest"
    assert "picture 1 cannot be decoded" in answers[1]["failure"]
    assert model.answered == [["a", "c"]]
    assert fitted == 3


def test_where_every_picture_is_broken_the_model_is_not_asked() -> None:
    broken = body(InlineMedia("image", "image/png", b"?", ""))
    model = Scripted()
    answers, _ = run(model, broken, broken)
    assert [answer["kind"] for answer in answers] == ["BadRequest"] * 2
    assert model.answered == []


def test_a_question_that_the_model_refuses_fails_alone_with_its_kind() -> None:
    refused = Refused("the prompt is too long", "ContextOverflow")
    answers, fitted = run(Scripted(preparing={"b": refused}), "a", "b", "c")
    assert answers == [{"text": "a"}, {"failure": "the prompt is too long", "kind": "ContextOverflow"}, {"text": "c"}]
    assert fitted == 3


@pytest.mark.parametrize("fault", [*MODEL_FAULTS, UnicodeError, KeyError, NotImplementedError, MemoryError])
@pytest.mark.parametrize("where", ["preparing", "answering"])
def test_a_fault_of_the_model_on_one_question_fails_it_alone(fault: type[Exception], where: str) -> None:
    model = Scripted(**{where: {"b": fault("this\n  and that")}})
    answers, _ = run(model, "a", "b", "c")
    assert [answers[0], answers[2]] == echoes("a", "c")
    assert answers[1]["kind"] == "BadRequest"
    assert answers[1]["failure"].startswith(f"the model cannot take this question: {fault.__name__}: ")
    assert "this" in answers[1]["failure"]


def test_what_a_model_says_at_length_is_cut() -> None:
    answers, _ = run(Scripted(answering={"a": ValueError("x" * 5000)}), "a")
    assert 300 < len(answers[0]["failure"]) < 400


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    model = Scripted(memory=3)
    assert run(model, *"abcdefgh") == (echoes(*"abcdefgh"), 2)
    assert model.answered == [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]]


def test_an_odd_batch_is_halved_too() -> None:
    model = Scripted(memory=4)
    assert run(model, *"abcdefg") == (echoes(*"abcdefg"), 3)
    assert model.answered == [["a", "b", "c", "d"], ["e", "f", "g"]]


class Tensors:
    """Stands for what a batch takes of a device's memory while it is answered."""


def test_what_did_not_fit_is_let_go_before_less_is_tried() -> None:
    taken: list[weakref.ref[Tensors]] = []

    class Small(Scripted):
        def answer(self, prepared: list[str]) -> list[Answer]:
            assert not any(tensors() for tensors in taken), "what did not fit is still there"
            tensors = Tensors()
            taken.append(weakref.ref(tensors))
            return super().answer(prepared)

    assert run(Small(memory=1), *"abcd") == (echoes(*"abcd"), 1)
    assert len(taken) == 7


def test_a_question_that_does_not_fit_by_itself_fails_alone() -> None:
    answers, fitted = run(Scripted(memory=3, sizes={"b": 4}), *"abcd")
    assert [answers[0], answers[2], answers[3]] == echoes("a", "c", "d")
    assert answers[1] == {"failure": "no room", "kind": "BadRequest"}
    assert fitted == 1


def test_a_single_question_that_does_not_fit_fails() -> None:
    assert run(Scripted(memory=0), "a") == ([{"failure": "no room", "kind": "BadRequest"}], 1)


def test_out_of_memory_and_a_fault_in_one_batch() -> None:
    model = Scripted(memory=2, answering={"c": ValueError("odd")}, sizes={"f": 3})
    answers, _ = run(model, *"abcdef")
    assert [answers[0], answers[1], answers[3], answers[4]] == echoes(*"abde")
    assert "odd" in answers[2]["failure"]
    assert answers[5]["failure"] == "no room"


@pytest.mark.parametrize("error", [SystemExit("the device failed"), KeyboardInterrupt()])
def test_what_is_no_fault_of_a_question_ends_the_worker(error: BaseException) -> None:
    model = Scripted(answering={"b": error})  # type: ignore[dict-item]  # no Exception, on purpose
    with pytest.raises(type(error)):
        run(model, "a", "b")

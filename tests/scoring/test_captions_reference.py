"""Figures of captions equal those of the package that the reference scores them with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.caption_words import caption_words
from eyechart.scoring.captions import bleu, bleu_counts, cider, rouge_l

pytest.importorskip("pycocoevalcap", reason="needs pycocoevalcap: pip install 'eyechart[test]'")

WORDS = st.lists(st.sampled_from(["a", "b", "dog", "Dog.", "it's", "一只猫", "", "\n", "\x00"]), max_size=9)
TEXTS = st.text() | WORDS.map(" ".join)
ROWS = st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=4)), min_size=1, max_size=6)


def theirs(name: str, rows: list[tuple[str, list[str]]]) -> tuple[Any, Any]:
    """Returns the figure of all rows and those of each."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    references = {k: texts for k, (_, texts) in enumerate(rows)}
    captions = {k: [caption] for k, (caption, _) in enumerate(rows)}
    if name == "bleu":
        return Bleu(4).compute_score(references, captions, verbose=0)
    return {"cider": Cider, "rouge": Rouge}[name]().compute_score(references, captions)


def exactly(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def prepared(rows: list[tuple[str, list[str]]], words: bool) -> list[tuple[str, list[str]]]:
    read = caption_words if words else str
    return [(read(caption), [read(text) for text in references]) for caption, references in rows]


@given(ROWS, st.booleans())
def test_bleu(rows: list[tuple[str, list[str]]], words: bool):
    rows = prepared(rows, words)
    counts = [bleu_counts(caption, references) for caption, references in rows]
    whole, each = theirs("bleu", rows)
    assert bleu(tuple(map(sum, zip(*counts, strict=True)))) == exactly(tuple(whole))
    assert [bleu(row) for row in counts] == [exactly(values) for values in zip(*each, strict=True)]


@given(ROWS, st.booleans())
def test_rouge(rows: list[tuple[str, list[str]]], words: bool):
    rows = prepared(rows, words)
    ours = [rouge_l(caption, references) for caption, references in rows]
    assert ours == exactly(list(theirs("rouge", rows)[1]))


@given(ROWS, st.booleans())
def test_cider(rows: list[tuple[str, list[str]]], words: bool):
    rows = prepared(rows, words)
    ours = cider([caption for caption, _ in rows], [references for _, references in rows])
    if not any(text.split() for _, references in rows for text in references):
        assert ours == [0] * len(rows)  # the package stops where no reference has a word
        return
    whole, each = theirs("cider", rows)
    assert ours == exactly(list(each))
    assert sum(ours) / len(ours) == exactly(whole)

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import DataError
from eyechart.scoring.words import CHARACTERS, ENGLISH, chinese_words, with_gaps


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("他在上海", ["他", "在", "上", "海"]),
        ("A b\n", ["A", "b", "\n"]),
        (" a  b ", [" ", "a", " ", "b"]),
        ("a\n\n b", ["a", "\n\n ", "b"]),
        ("   ", ["   "]),
    ],
)
def test_characters(text: str, words: list[str]):
    assert CHARACTERS.split(text) == words


@given(st.text(alphabet="ab \n\u3000中"))
def test_characters_lose_single_spaces_only(text: str):
    assert "".join(CHARACTERS.split(text)).replace(" ", "") == text.replace(" ", "")
    assert [w for w in CHARACTERS.split(text) if not w.isspace()] == [c for c in text if not c.isspace()]


def test_words_of_a_segmenter_get_their_gaps_back():
    assert with_gaps(["他", "在", "", " ", "上海"], "他在 上海\n") == ["他", "在", "上海", "\n"]
    assert with_gaps(["a b", "c"], "a bc") == ["a b", "c"]
    with pytest.raises(DataError, match="not in the text"):
        with_gaps(["上海", "他"], "他在上海")


def test_names_and_joints():
    assert (ENGLISH.name, ENGLISH.space, CHARACTERS.name, CHARACTERS.space) == ("english_words", " ", "characters", "")
    assert ENGLISH.split("it's") == ["it", "'s"]


@pytest.fixture
def no_model_loaded() -> Any:
    # Whatever a test puts in the place of spaCy must not be there for the next one.
    from eyechart.scoring import words

    words._model_words.cache_clear()
    yield
    words._model_words.cache_clear()


def fake_spacy(monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    module = ModuleType("spacy")
    module.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spacy", module)


@pytest.mark.usefixtures("no_model_loaded")
def test_the_model_is_loaded_once_and_without_its_other_parts(monkeypatch: pytest.MonkeyPatch):
    loaded: list[Any] = []

    def load(name: str, *, exclude: tuple[str, ...]) -> Any:
        loaded.append((name, "parser" in exclude))
        return SimpleNamespace(
            tokenizer=SimpleNamespace(pkuseg_seg=SimpleNamespace(cut=lambda text: [text[:2], text[3:]]))
        )

    fake_spacy(monkeypatch, load)
    for _ in range(2):
        words = chinese_words("zh_core_web_sm")
        assert (words.name, words.split("上海 工作"), words.space) == ("zh_core_web_sm", ["上海", "工作"], "")
    assert loaded == [("zh_core_web_sm", True)]


@pytest.mark.usefixtures("no_model_loaded")
def test_a_missing_model_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch):
    def load(name: str, *, exclude: tuple[str, ...]) -> Any:
        raise OSError(f"no {name}")

    fake_spacy(monkeypatch, load)
    with pytest.raises(
        DataError, match=r"zh_core_web_sm, which cannot be loaded: no zh_core_web_sm.*protocol eyechart"
    ):
        chinese_words("zh_core_web_sm")
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(DataError, match=r"docs/dependencies\.md"):
        chinese_words("zh_core_web_sm")
    assert chinese_words("characters") is CHARACTERS

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eyechart.scoring.caption_words import caption_words


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A Red Train.", "a red train"),
        ("  a\tcat\n\nsits  ", "a cat sits"),
        ("a dog, a cat; two: birds!?", "a dog a cat two birds"),
        ("Stop... here. -- No - end", "stop here no end"),
        ("an “old” dog – a ‘big’ one — sits…", "an old dog a big one sits"),
        ('"Main" `St` (left) [right] {up}', "main st left right up"),
        ("A black-and-white t-shirt", "a black-and-white t-shirt"),
        ("-start end- 'start end'", "start end start end"),
        ("a cat and/or a dog / bird", "a cat and/or a dog / bird"),
        ("He doesn't, can't and couldn't've", "he does n't ca n't and could n't 've"),
        ("it's they're they've we'll he'd I'm", "it 's they 're they 've we 'll he 'd i 'm"),
        ("a man’s hat, the dogs' owner", "a man 's hat the dogs owner"),
        ("five o'clock, 'sup, isn'tx", "five o'clock sup isn'tx"),
        ("3.5 of 1,000 at 10:30, 7, 8. b,c d.e f:g", "3.5 of 1,000 at 10:30 7 8 b c d e f g"),
        ("in the U.S. and e.g. a b. c.", "in the u.s. and e.g. a b c"),
        ("**A cat** & #1 @ 50%", "** a cat ** & # 1 @ 50 %"),
        ("un_der a<b a<=b x\\y", "un_der a < b a < = b x \\ y"),
        ("naïve café, 一只猫 坐在", "naïve café 一只猫 坐在"),
        ("", ""),
        ("...", ""),
    ],
)
def test_words(caption: str, words: str):
    assert caption_words(caption) == words


@given(st.text() | st.text(alphabet=" an'ts.,-/10:*_\n’"))
@example("a.b.c")
def test_words_stand_alone_and_stay_as_they_are(caption: str):
    words = caption_words(caption)
    assert words == " ".join(words.split())
    assert caption_words(words) == words


def test_a_megabyte_is_read_at_once():
    start = time.process_time()
    for unit in ("a.", "n't", "'s", "1.", "a-", "*#", "\u2019", "word "):
        caption_words(unit * (1_000_000 // len(unit)))
    assert time.process_time() - start < 20

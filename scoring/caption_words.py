"""Captions as words: lower case, without punctuation, as the COCO caption evaluation compares them (Chen et al. 2015).

The official evaluation runs Stanford's Penn Treebank tokenizer, a Java program, and drops punctuation from what it
returns. These are its rules in so far as they matter to captions in everyday English, not the program again.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

__all__ = ["caption_words"]

_ASCII: Final = MappingProxyType(
    str.maketrans(
        {
            "\N{LEFT SINGLE QUOTATION MARK}": "'",
            "\N{RIGHT SINGLE QUOTATION MARK}": "'",
            "\N{LEFT DOUBLE QUOTATION MARK}": '"',
            "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
            "\N{HORIZONTAL ELLIPSIS}": "...",
            "\N{EN DASH}": "--",
            "\N{EM DASH}": "--",
        }
    )
)
_INNER: Final = r"[^\s!-/:-@\[-^`{-~]"
"""What words are made of: anything but white space and the marks of ASCII; the underscore counts as a letter."""
_ENDING: Final = rf"(?:n't|'(?:s|re|ve|ll|d|m))(?!{_INNER})"
"""What is a word of its own behind another: not, is or has, are, have, will, would, am, and the genitive."""
_ATTACHED: Final = re.compile(rf"(?<={_INNER}){_ENDING}")
_KEPT: Final = "|".join(re.escape(mark) + "+" for mark in r"#$%&*+/<=>@\^|~")
"""Marks that stand as words, however often each is repeated."""
_WORD: Final = re.compile(
    rf"""
      {_ENDING}
    | (?:[a-z]\.){{2,}}                                       # u.s.
    | {_INNER}+(?:(?:[-'/]|(?<=\d)[.,:](?=\d)){_INNER}+)*     # t-shirt, o'clock, and/or, 3.5, 1,000, 10:30
    | {_KEPT}
    """,
    re.VERBOSE,
)


def caption_words(text: str) -> str:
    """Returns a caption as it is compared: its words in lower case, one blank between two.

    - Words end at white space and at marks. A hyphen, apostrophe or slash inside a word, a full stop, comma or colon
      between digits, and the stops of ``u.s.`` are part of it.
    - ``n't``, ``'s``, ``'re``, ``'ve``, ``'ll``, ``'d`` and ``'m`` are words of their own: ``doesn't`` is ``does n't``.
    - Full stops, commas, colons, semicolons, exclamation and question marks, quotation marks, dashes, ellipses and
      brackets are dropped. Any other mark, such as ``&`` or ``*``, stays as a word.

    What the official program does otherwise: it keeps the stop of further abbreviations (``mr.``), takes compounds
    apart (``cannot``), keeps addresses and mark-up whole, renames currencies, leaves ``?!`` and ``!!!`` standing, and
    leaves brackets standing under names of its own (``-lrb-``). Neither cuts scripts without spaces into words.
    """
    plain = text.lower()
    if not plain.isascii():
        plain = plain.translate(_ASCII)
    if "'" in plain:
        plain = _ATTACHED.sub(r" \g<0>", plain)
    return " ".join(_WORD.findall(plain))

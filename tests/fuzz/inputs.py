"""Bytes to throw at a parser: sound examples with something wrong in them, words of its language, and noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

__all__ = ["edited", "inputs"]

_STEP: Final = 5
_MOST_EDITS: Final = 12
_LONGEST: Final = 2_000_000
_OWN_WORDS: Final = 200


def inputs(seeds: Sequence[bytes], words: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Returns what draws inputs.

    Args:
        seeds: sound inputs; what is drawn is mostly one of them with a few edits.
        words: what the parser's language is made of.
    """
    return (
        st.binary(max_size=2 + _STEP * _MOST_EDITS).map(lambda script: edited(seeds, words, script))
        | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
        | st.binary(max_size=200)
    )


def edited(seeds: Sequence[bytes], words: Sequence[bytes], script: bytes) -> bytes:
    """Returns a seed with a few edits, all of which a script tells: one draw is cheaper than one for every choice.

    Two bytes name the seed, or none; then every five bytes tell an edit: what is done, where (two bytes), to how many
    bytes, and with which word.
    """
    start = int.from_bytes(script[:2], "big") % (len(seeds) + 1)
    data = bytearray(seeds[start - 1] if start else b"")
    for position in range(2, len(script) - _STEP + 1, _STEP):
        kind, high, low, size, which = script[position : position + _STEP]
        at = len(data) * (256 * high + low) >> 16
        content = words[which % len(words)] if words and which < _OWN_WORDS else bytes((size, which))
        match kind % 8:
            case 0 | 1:
                data[at:at] = content
            case 2 | 3:
                data[at : at + len(content)] = content
            case 4:
                del data[at : at + size]
            case 5:
                data[at:at] = data[at : at + size] * which
            case 6 if at < len(data):
                data[at] ^= 1 << size % 8
            case 7:
                del data[at:]
    return bytes(data[:_LONGEST])

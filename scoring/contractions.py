"""English contractions as the public VQA evaluation spells them: a word that lost its apostrophe gets it back."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

__all__ = ["CONTRACTIONS"]

_APOSTROPHE_LOST: Final = """
    ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's isn't
    it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've shouldn't
    somebody'll somebody's someone'd someone'll someone's something'd something'll that's there'd there're there's
    they'd they'll they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's
    where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd you'll you're you've
"""
_WITH_TWO: Final = """
    couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've someone'd've something'd've there'd've
    they'd've we'd've who'd've wouldn't've you'd've
"""
# Spellings that follow no pattern, in pairs: what is written, what it becomes.
_OTHERS: Final = """
    ow's'at 'ow's'at  'ows'at 'ow's'at  'ow'sat 'ow's'at  somebody'd somebodyd  somebodyd've somebody'd've
    somebody'dve somebody'd've  yall'll y'all'll  y'allll y'all'll  yall'd've y'all'd've  y'alld've y'all'd've
    y'all'dve y'all'd've
"""


def _build() -> dict[str, str]:
    table = {word.replace("'", ""): word for word in _APOSTROPHE_LOST.split()}
    for word in _WITH_TWO.split():
        first, middle, last = word.split("'")
        table[f"{first}{middle}'{last}"] = word
        table[f"{first}'{middle}{last}"] = word
    others = _OTHERS.split()
    table.update(zip(others[::2], others[1::2], strict=True))
    return table


CONTRACTIONS: Final = MappingProxyType(_build())
"""Contraction by the spelling that it replaces, all lower case."""

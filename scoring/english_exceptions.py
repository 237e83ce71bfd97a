# ruff: noqa: RUF001  (apostrophes and brackets that look alike are different ones)
"""English texts that are cut, or kept whole, against the rules: ``didn't``, ``a.m.``, ``:)``.

The exceptions are those of spaCy 3.8 for English, whose words the VCR benchmark compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

__all__ = ["EXCEPTIONS"]

_CUT: Final = "~"

_ENDINGS: Final = (
    ("i", "'m m 'm~a m~a"),
    ("i you he she it we they", "'ll ll 'll~'ve ll~ve 'd d 'd~'ve d~ve"),
    ("i you we they", "'ve ve"),
    ("you we they", "'re re"),
    ("he she it", "'s s"),
    ("who what when where why how there that this", "'s s"),
    ("who what when where why how there that this these those", "'ll ll 'll~'ve ll~ve 'd d 'd~'ve d~ve"),
    ("who what when where why how there these those", "'re re 've ve"),
    (
        "ca could do does did had may might must need ought sha should wo would",
        "n't nt n't~'ve nt~ve",
    ),
    ("could might must should would", "'ve ve"),
    ("ai are is was were have has dare", "n't nt"),
    ("not", "'ve ve"),
    ("let", "'s"),
)
"""Words and the endings that are cut from them; each word also with a capital."""

_OWN_WORDS: Final = "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore"
"""Words that a rule above would take for a word that lost its apostrophe."""

_CUT_WORDS: Final = """
    y'~all y~all how~'d~'y How~'d~'y can~not Can~not gon~na Gon~na got~ta Got~ta c'm~on C'm~on
    °~c~. °~f~. °~k~. °~C~. °~F~. °~K~.
"""

_HOURS: Final = range(1, 13)
_HALVES: Final = ("a.m.", "am", "p.m.", "pm")

_DROPPED_G: Final = ("doin", "goin", "nothin", "nuthin", "ol", "somethin", "lovin", "havin")
"""Words that stand with and without a final apostrophe, also with a capital."""

_WHOLE_WORDS: Final = """
    em 'em ll 'll nuff 'nuff 's 'S ‘s ‘S 're 'd 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout and/or w/o ma'am
    Ma'am o'clock O'clock a.m. p.m. e.g. E.g. E.G. i.e. I.e. I.E. vs. v.s. co. Co. D.C. Ph.D.
    Adm. Ak. Ala. Apr. Ariz. Ark. Aug. Bros. Calif. Colo. Conn. Corp. Dec. Del. Dr. Feb. Fla. Ga. Gen. Gov. Ia. Id.
    Ill. Inc. Ind. Jan. Jr. Jul. Jun. Kan. Kans. Ky. La. Ltd. Mar. Mass. Md. Messrs. Mich. Minn. Miss. Mo. Mont. Mr.
    Mrs. Ms. Mt. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. Prof. Rep. Rev. S.C. Sen. Sep.
    Sept. St. Tenn. Va. Wash. Wis.
    a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü.
    ' '' \\") \\n \\t — <space> C++
"""

_FACES: Final = r"""
    :) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-;
    :( :-( :(( :-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o
    :-o :0 :-0 :() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^
    >.< >.> <.< ._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33
    <333 </3 (^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>
"""


def _cut_texts() -> Iterator[str]:
    """Yields every exception with a mark where it is cut."""
    for words, endings in _ENDINGS:
        for word in words.split():
            for ending in endings.split():
                yield f"{word}{_CUT}{ending}"
                yield f"{word.title()}{_CUT}{ending}"
    yield from _CUT_WORDS.split()
    for hour in _HOURS:
        yield from (f"{hour}{_CUT}{half}" for half in _HALVES)


def _whole_texts() -> Iterator[str]:
    for word in _DROPPED_G:
        for spelling in (word, word.title()):
            yield spelling
            yield f"{spelling}'"
    yield from _WHOLE_WORDS.split()
    yield from _FACES.split()


def _build() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    own_words = frozenset(_OWN_WORDS.split())
    for marked in (*_whole_texts(), *_cut_texts()):
        for spelling in (marked, marked.replace("'", "’")):
            text = spelling.replace(_CUT, "")
            if text not in own_words:
                table[text] = tuple(spelling.split(_CUT))
    return table


EXCEPTIONS: Final = MappingProxyType(_build())
"""The pieces of each exception, for most of them the text itself."""

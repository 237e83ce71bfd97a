# ruff: noqa: RUF001  (letters and marks that look alike are different ones)
"""Which characters English words are cut at: letters, marks, symbols, units, and the patterns made of them.

The sets are those of spaCy 3.8 for English, which the VCR benchmark counts words with. Symbols are the characters of
category So in Unicode 11: what came later is none, whatever version of Unicode Python knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

__all__ = ["LONGEST_SUFFIX", "Patterns", "patterns"]

_CASED: Final = """
    41-5A 61-7A C0-D6 D8-F6 F8-1BF 1C4-2AF 386 388-38A 38C 38E-38F 391-3A9 3AC-3AF 3B1-3C9 3CC-3CE 400-401 403-40A
    40C-40D 410-451 453-45A 45C-45D 490-491 496-497 4A2-4A3 4AE-4AF 4BA-4BB 4D8-4D9 4E8-4E9 1D00-1D25 1D6B-1D77
    1D79-1D9A 1E00-1EFF 2C60-2C7B 2C7E-2C7F A722-A76F A771-A787 A78B-A78E A790-A7B9 A7FA AB30-AB5A AB60-AB64 FF21-FF3A
    FF41-FF5A
"""
_UNCASED: Final = """
    591-5F4 620-64A 66E-6D5 6E5-6FF 750-77F 8A0-8BD 900-9FF B80-CFF D80-DFF 1100-137F 2E80-2FDF 2FF0-30FF 31C0-31EF
    3200-4DBF 4E00-9FFF AC00-D7AF F900-FAFF FB1D-FBB1 FBD3-FD3D FD50-FDC7 FDF0-FDFB FE30-FE4F FE70-FEFC 1EE00-1EEBB
    1F200-1F2FF 20000-2A6DF 2A700-2EBEF 2F800-2FA1F
"""
_SYMBOLS: Final = """
    A6 A9 AE B0 482 58D-58E 60E-60F 6DE 6E9 6FD-6FE 7F6 9FA B70 BF3-BF8 BFA C7F D4F D79 F01-F03 F13 F15-F17 F1A-F1F F34
    F36 F38 FBE-FC5 FC7-FCC FCE-FCF FD5-FD8 109E-109F 1390-1399 1940 19DE-19FF 1B61-1B6A 1B74-1B7C 2100-2101 2103-2106
    2108-2109 2114 2116-2117 211E-2123 2125 2127 2129 212E 213A-213B 214A 214C-214D 214F 218A-218B 2195-2199 219C-219F
    21A1-21A2 21A4-21A5 21A7-21AD 21AF-21CD 21D0-21D1 21D3 21D5-21F3 2300-2307 230C-231F 2322-2328 232B-237B 237D-239A
    23B4-23DB 23E2-2426 2440-244A 249C-24E9 2500-25B6 25B8-25C0 25C2-25F7 2600-266E 2670-2767 2794-27BF 2800-28FF
    2B00-2B2F 2B45-2B46 2B4D-2B73 2B76-2B95 2B98-2BC8 2BCA-2BFE 2CE5-2CEA 2E80-2E99 2E9B-2EF3 2F00-2FD5 2FF0-2FFB 3004
    3012-3013 3020 3036-3037 303E-303F 3190-3191 3196-319F 31C0-31E3 3200-321E 322A-3247 3250 3260-327F 328A-32B0
    32C0-32FE 3300-33FF 4DC0-4DFF A490-A4C6 A828-A82B A836-A837 A839 AA77-AA79 FDFD FFE4 FFE8 FFED-FFEE FFFC-FFFD
    10137-1013F 10179-10189 1018C-1018E 10190-1019B 101A0 101D0-101FC 10877-10878 10AC8 1173F 16B3C-16B3F 16B45 1BC9C
    1D000-1D0F5 1D100-1D126 1D129-1D164 1D16A-1D16C 1D183-1D184 1D18C-1D1A9 1D1AE-1D1E8 1D200-1D241 1D245 1D300-1D356
    1D800-1D9FF 1DA37-1DA3A 1DA6D-1DA74 1DA76-1DA83 1DA85-1DA86 1ECAC 1F000-1F02B 1F030-1F093 1F0A0-1F0AE 1F0B1-1F0BF
    1F0C1-1F0CF 1F0D1-1F0F5 1F110-1F16B 1F170-1F1AC 1F1E6-1F202 1F210-1F23B 1F240-1F248 1F250-1F251 1F260-1F265
    1F300-1F3FA 1F400-1F6D4 1F6E0-1F6EC 1F6F0-1F6F9 1F700-1F773 1F780-1F7D8 1F800-1F80B 1F810-1F847 1F850-1F859
    1F860-1F887 1F890-1F8AD 1F900-1F90B 1F910-1F93E 1F940-1F970 1F973-1F976 1F97A 1F97C-1F9A2 1F9B0-1F9B9 1F9C0-1F9C2
    1F9D0-1F9FF 1FA60-1FA6D
"""
_GLOTTAL_STOP: Final = "\u0294"
"""A lower-case letter here, though it has no case."""

_QUOTES: Final = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉\u2329\u232a⟦⟧"
_PUNCTUATION: Final = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_DASHES: Final = "—–"
_CURRENCIES: Final = "$£€¥฿﷼\u20a0-\u20bf"
_DOLLARS: Final = r"(?:US|C|A)\$"
_UNITS: Final = """
    km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa
    mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа
    Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ غرام جرام جم كغ ملغ كوب
    اكواب
"""
"""What is cut from a number; the one in two alphabets is a slip of the original."""

LONGEST_SUFFIX: Final = 8
"""Characters at the end of a text that `Patterns.suffix` has to see: the longest suffix and what must stand before."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """Where a text without white space is cut.

    Attributes:
        prefix: matches what is cut from the start.
        suffix: finds what is cut from the end, given the last `LONGEST_SUFFIX` characters; two full stops and more,
            which are one suffix, are left to the caller.
        infix: finds what is cut out of the middle.
        scheme: matches the start of a web address.
        host: matches a web or mail address whole, from its host on.
    """

    prefix: re.Pattern[str]
    suffix: re.Pattern[str]
    infix: re.Pattern[str]
    scheme: re.Pattern[str]
    host: re.Pattern[str]


@cache
def patterns() -> Patterns:
    """Returns the patterns, made on first use."""
    cased = [chr(point) for point in _points(_CASED)]
    uncased = _ranges(_UNCASED)
    lower = re.escape("".join(letter for letter in cased if letter.islower())) + _GLOTTAL_STOP + uncased
    upper = re.escape("".join(letter for letter in cased if letter.isupper())) + uncased
    symbols, quotes, marks = _ranges(_SYMBOLS), re.escape(_QUOTES), re.escape(_PUNCTUATION)
    return Patterns(
        prefix=re.compile(rf"{_DOLLARS}|\+(?![0-9])|\.{{2,}}|[§%={_DASHES}{_CURRENCIES}{marks}{quotes}{symbols}]"),
        suffix=_suffix(lower, upper, marks + quotes, symbols),
        infix=_infix(_ranges(_CASED) + uncased, lower + quotes, upper + quotes, symbols),
        scheme=re.compile(r"[\w+.-]{2,}://"),
        host=_host(lower),
    )


def _suffix(lower: str, upper: str, marks: str, symbols: str) -> re.Pattern[str]:
    units = "|".join(_UNITS.split())
    after_digit = rf"\+|{_DOLLARS}|[{_CURRENCIES}]|{units}"
    # The bar is among the marks by a slip of the original, a list of alternatives inside a class.
    before_stop = rf"(?<=[0-9{lower}%²+\-|{marks}])|(?<=[{upper}][{upper}])|(?<=°[FfCcKk])"
    single = rf"[{_DASHES}{marks}{symbols}]"
    return re.compile(rf"(?:……|['’][sS]|{single}|(?<=[0-9])(?:{after_digit})|(?:{before_stop})\.)\Z")


def _infix(letters: str, before_stop: str, after_stop: str, symbols: str) -> re.Pattern[str]:
    return re.compile(
        rf"\.{{2,}}|[…{symbols}]"
        rf"|(?<=[0-9])[+\-*^](?=[0-9-])"
        rf"|(?<=[{before_stop}])\.(?=[{after_stop}])"
        rf"|(?<=[{letters}]),(?=[{letters}])"
        rf"|(?<=[{letters}0-9])(?:-{{1,3}}|–|—{{1,2}}|~|[:<>=/])(?=[{letters}])"
    )


def _host(lower: str) -> re.Pattern[str]:
    """Matches an address of four numbers that is no private one, or a name; then port and path."""
    private = r"(?!(?:10|127)(?:\.\d{1,3}){3}|(?:169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2})"
    first, last = r"(?:[1-9]\d?|1\d\d|2[01]\d|22[0-3])", r"(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-4])"
    numbers = rf"{private}{first}(?:\.(?:1?\d{{1,2}}|2[0-4]\d|25[0-5])){{2}}\.{last}"
    letter = "A-Za-z0-9\u00a1-\uffff"
    name = rf"(?:(?:[{letter}][{letter}_-]{{0,62}})?[{letter}]\.)+[{lower}]{{2,63}}"
    return re.compile(rf"(?:{numbers}|{name})(?::\d{{2,5}})?(?:[/?#]\S*)?")


def _points(table: str) -> Iterator[int]:
    """Yields the code points of a table of ranges in hexadecimal digits."""
    for item in table.split():
        first, _, last = item.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


def _ranges(table: str) -> str:
    """Returns a table of ranges as it stands in a class of a pattern."""
    return "".join("-".join(chr(int(end, 16)) for end in item.split("-")) for item in table.split())

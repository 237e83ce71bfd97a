"""Where rows of a tab-separated file begin, and how a row splits into fields; `tsv` describes the dialect."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Final

__all__ = ["LONG_ROW", "Scanner", "split_row"]

LONG_ROW: Final = 4096
"""Bytes from which a row is split without a second copy of its largest field."""
_TAB, _LF, _CR, _SPACE, _QUOTE = b'\t\n\r "'

# Where the scanner stands between two chunks.
_START, _SPACES, _FIELD, _QUOTED, _CLOSING = range(5)


class Scanner:
    """Finds the offsets at which rows start; fed with consecutive chunks of one file.

    Attributes:
        starts: the offsets so far.
    """

    def __init__(self) -> None:
        self._state = _START
        self.starts: array[int] = array("Q")
        self._last_byte = _LF
        self._spaces_from = 0

    @property
    def is_quoted(self) -> bool:
        """Whether what was fed ends inside a quoted field."""
        return self._state == _QUOTED

    def feed(self, chunk: bytes, base: int) -> None:
        """Scans a chunk that begins at the offset `base` of the file."""
        size = len(chunk)
        pos = 0
        if self._state == _CLOSING:
            self._state, pos = (_QUOTED, 1) if chunk[0] == _QUOTE else (_FIELD, 0)
        while pos < size:
            if self._state == _QUOTED:
                pos = self._leave_quotes(chunk, pos)
            elif self._state == _FIELD:
                pos = self._scan_fields(chunk, pos, base)
            else:
                pos = self._start_row(chunk, pos, base)
        self._last_byte = chunk[-1]

    def _leave_quotes(self, chunk: bytes, pos: int) -> int:
        quote = chunk.find(b'"', pos)
        if quote < 0:
            return len(chunk)
        if quote + 1 == len(chunk):
            self._state = _CLOSING
            return len(chunk)
        if chunk[quote + 1] == _QUOTE:
            return quote + 2
        self._state = _FIELD
        return quote + 1

    def _start_row(self, chunk: bytes, pos: int, base: int) -> int:
        """Skips empty lines and lines of spaces, then notes where the row starts."""
        byte = chunk[pos]
        if byte in (_LF, _CR):
            self._state = _START
            return pos + 1
        if byte == _SPACE:
            if self._state == _START:
                self._state, self._spaces_from = _SPACES, base + pos
            return pos + 1
        self.starts.append(self._spaces_from if self._state == _SPACES else base + pos)
        if byte == _QUOTE and self._state == _START:
            self._state = _QUOTED
            return pos + 1
        self._state = _FIELD
        return pos

    def _scan_fields(self, chunk: bytes, pos: int, base: int) -> int:  # noqa: C901 - one loop, as it is the hot one
        """Goes on to the next quoted field or the next row that needs a closer look, over plain rows in one sweep."""
        size = len(chunk)
        find, add = chunk.find, self.starts.append
        feed_at = quote = cr = -1
        while True:
            if feed_at < pos and (feed_at := find(b"\n", pos)) < 0:
                feed_at = size
            if cr < pos and (cr := find(b"\r", pos)) < 0:
                cr = size
            if quote < pos and (quote := find(b'"', pos)) < 0:
                quote = size
            end = min(feed_at, cr)
            if quote < end:
                pos = quote + 1
                if (chunk[quote - 1] if quote else self._last_byte) == _TAB:
                    self._state = _QUOTED
                    while self._state == _QUOTED and pos < size:
                        pos = self._leave_quotes(chunk, pos)
                    if self._state != _FIELD:
                        return pos
            elif end == size:
                return size
            else:
                pos = end + 2 if end == cr and feed_at == cr + 1 < size else end + 1
                if pos == size or chunk[pos] in (_LF, _CR, _SPACE, _QUOTE):
                    self._state = _START
                    return pos
                add(base + pos)


def _quoted_fields(raw: bytes) -> Iterator[bytes]:
    """Yields the fields of one row that has a double quote in it."""
    size = len(raw)
    tab = line_end = -1
    pos = 0
    while True:
        text = b""
        if pos < size and raw[pos] == _QUOTE:
            start = pos + 1
            close = raw.find(b'"', start)
            while close >= 0 and raw[close + 1 : close + 2] == b'"':
                close = raw.find(b'"', close + 2)
            if close < 0:
                close = size
            text = raw[start:close].replace(b'""', b'"')
            pos = min(close + 1, size)
        if tab < pos and (tab := raw.find(b"\t", pos)) < 0:
            tab = size
        if line_end < pos:
            line_end = _first_line_end(raw, pos)
        end = min(tab, line_end)
        rest = raw[pos:end]
        yield text + rest if text else rest
        if end == line_end:
            return
        pos = end + 1


def _first_line_end(raw: bytes, pos: int) -> int:
    feed = raw.find(b"\n", pos)
    end = len(raw) if feed < 0 else feed
    carriage = raw.find(b"\r", pos, end)
    return end if carriage < 0 else carriage


def split_row(raw: bytes, most: int | None = None) -> list[bytes]:
    """Returns the fields of a row, `most` at most; what separates it from the next may be part of it."""
    if b'"' in raw:
        return list(islice(_quoted_fields(raw), most))
    if len(raw) < LONG_ROW:
        fields = raw.split(b"\t")
        last = fields[-1]
        fields[-1] = last[: _first_line_end(last, 0)]  # what separates rows can only stand in the last field
        return fields[:most]
    return list(islice(_between_tabs(raw), most))


def _between_tabs(raw: bytes) -> Iterator[bytes]:
    """Yields the fields of a long row: find gets from tab to tab ten times as fast as bytes.split looks at each byte.

    The last field, often the picture, is cut out once and without what separates rows.
    """
    start = 0
    while (tab := raw.find(b"\t", start)) >= 0:
        yield raw[start:tab]
        start = tab + 1
    end = len(raw)
    while end > start and raw[end - 1] in (_LF, _CR, _SPACE):
        end -= 1
    yield raw[start : _first_line_end(raw, end)]

"""Tab-separated files read row by row, in the dialect of ``pandas.read_csv``.

A benchmark's file holds its pictures as text and can be larger than memory. `TsvFile` remembers where each row
starts, eight bytes a row, and extends that index only as far as it is asked to: the first rows of a 10 GB file are
there at once. It reads with ``pread`` and not through a memory map, whose pages would count as resident memory and
where a file that is cut off meanwhile would kill the process instead of raising.

The dialect: UTF-8, a byte order mark is skipped; rows end with LF, CR LF or CR; lines without anything but spaces are
skipped; a double quote is special at the start of a field only, where two of them stand for one and tabs and line
ends belong to the field; text after a closing quote belongs to the field as well; missing trailing fields are
missing; more fields than the header has are an error.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict, deque
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from ..errors import DataError
from .tsv_rows import LONG_ROW, Scanner, split_row

__all__ = ["Fields", "TsvFile"]

Fields: TypeAlias = tuple[bytes | None, ...]
"""One row: the bytes of each column, None where the row is too short to have it."""

_CHUNK: Final = 1 << 20
_RECENT_BYTES: Final = 8 << 20
_RECENT_ROWS: Final = 64
_LONGEST_HEADER: Final = 1 << 20
_LONGEST: Final = 1 << 30
"""Bytes of a row: more than any picture has that a model could be sent."""
_MOST_COLUMNS: Final = 100_000
_BOM: Final = b"\xef\xbb\xbf"


class TsvFile:
    """Random access to the rows of a TSV; thread-safe.

    Attributes:
        path: the file.
        size: its bytes when it was opened.
        modified_ns: when it was last changed then, in nanoseconds since 1970.
        columns: names in the header, two of which may be equal. A nameless column is called ``Unnamed: <position>``, as
            pandas does.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file and reads its header.

        Raises:
            DataError: the file cannot be read, is empty, or its header is not usable.
        """
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError as err:
            raise DataError(f"cannot read {path}: {err.strerror}") from err
        self._close = weakref.finalize(self, os.close, self._fd)
        status = os.fstat(self._fd)
        self.size, self.modified_ns = status.st_size, status.st_mtime_ns
        self._lock = threading.Lock()
        self._recent_lock = threading.Lock()
        self._scanner = Scanner()
        self._scanned = len(_BOM) if self._read(0, len(_BOM), check=False) == _BOM else 0
        self._recent: OrderedDict[int, Fields] = OrderedDict()
        self._recent_sizes: deque[int] = deque()
        self._recent_bytes = 0
        self.columns = self._header()

    def close(self) -> None:
        """Gives the file back; rows cannot be read afterwards."""
        self._close()

    def __len__(self) -> int:
        """Number of rows below the header; scans the rest of the file.

        Raises:
            DataError: a quoted field is never closed, or the file changed under our hands.
        """
        with self._lock:
            while self._scanned < self.size:
                self._scan_chunk()
            self._check_end()
            return len(self._scanner.starts) - 1

    def has_row(self, row: int) -> bool:
        """Says whether there is such a row (from 0), scanning just far enough to know.

        Raises:
            DataError: as for `__len__`.
        """
        return self._span(row) is not None

    def row(self, row: int) -> Fields:
        """Reads one row, from 0; a few that were read last are kept, so that a row's pictures cost no second reading.

        Raises:
            DataError: the row has more fields than the header, or is not UTF-8.
            IndexError: there is no such row.
        """
        if (fields := self._recent.get(row)) is not None:
            return fields
        offset, size = self._existing_span(row)
        if size > _LONGEST:
            raise DataError(f"{self._name(row)} has {size:,} bytes; more than {_LONGEST:,} are not read")
        fields = self._parse(self._read(offset, size), row)
        self._keep(row, fields, size)
        return fields

    def row_without(self, row: int, start: int, length: int) -> Fields:
        """Reads a row but for `length` bytes from `start` within it: a picture that nobody wants to see again.

        The place must be one that `place` returned for this row.

        Raises:
            DataError: the file changed under our hands.
            IndexError: there is no such row.
        """
        if (fields := self._recent.get(row)) is not None:
            return fields
        offset, size = self._existing_span(row)
        head = self._read(offset, start)
        rest = start + length
        return self._parse(head + self._read(offset + rest, size - rest), row)

    def place(self, row: int, fields: Fields, column: int) -> tuple[int, int] | None:
        """Says where in a row that was read a field stands, as start and length; None where quotes hide it."""
        _, size = self._existing_span(row)
        if size < LONG_ROW or None in fields:
            return None
        lengths = [len(field) for field in fields if field is not None]
        if sum(lengths) + len(lengths) != size:  # tabs between the fields and one line feed, nothing else
            return None
        return sum(lengths[:column]) + column, lengths[column]

    def _keep(self, row: int, fields: Fields, size: int) -> None:
        with self._recent_lock:
            if row in self._recent:
                return
            self._recent[row] = fields
            self._recent_sizes.append(size)
            self._recent_bytes += size
            while len(self._recent) > 1 and (self._recent_bytes > _RECENT_BYTES or len(self._recent) > _RECENT_ROWS):
                self._recent.popitem(last=False)
                self._recent_bytes -= self._recent_sizes.popleft()

    def where(self, row: int) -> str:
        """Names a row for people: file, data row from 1, and the line an editor shows."""
        span = self._span(row)
        offset = self.size if span is None else span[0]
        return f"{self.path}, data row {row + 1} (line {self._line(offset)})"

    def _existing_span(self, row: int) -> tuple[int, int]:
        span = self._span(row)
        if span is None:
            raise IndexError(row)
        return span

    def _span(self, row: int) -> tuple[int, int] | None:
        """Offset and length of a row with what separates it from the next one."""
        if row < -1:
            raise IndexError(row)
        starts = self._scanner.starts
        following = row + 2  # the header is the first entry, and a row ends where its follower starts
        if following >= len(starts):
            with self._lock:
                while following >= len(starts) and self._scanned < self.size:
                    self._scan_chunk()
                if following >= len(starts):
                    self._check_end()
        if following < len(starts):
            return starts[following - 1], starts[following] - starts[following - 1]
        if following == len(starts):
            return starts[following - 1], self.size - starts[following - 1]
        return None

    def _scan_chunk(self) -> None:
        chunk = self._read(self._scanned, min(_CHUNK, self.size - self._scanned))
        self._scanner.feed(chunk, self._scanned)
        self._scanned += len(chunk)

    def _check_end(self) -> None:
        if self._scanner.is_quoted:
            starts = self._scanner.starts
            what = "the header" if len(starts) == 1 else f"data row {len(starts) - 1}"
            raise DataError(
                f"{self.path}, {what} (line {self._line(starts[-1])}): a field opens with a double quote that is "
                "never closed; close it, or double the quote and put the whole field in quotes"
            )

    def _read(self, offset: int, length: int, *, check: bool = True) -> bytes:
        try:
            data = os.pread(self._fd, length, offset)
            while data and len(data) < length and (more := os.pread(self._fd, length - len(data), offset + len(data))):
                data += more
        except OSError as err:
            raise DataError(f"cannot read {self.path}: {err.strerror}") from err
        if check and len(data) < length:
            raise DataError(f"{self.path} became shorter while it was read; start again once it is complete")
        return data

    def _parse(self, raw: bytes, row: int) -> Fields:
        if not raw.isascii():
            try:
                raw.decode()
            except UnicodeDecodeError as err:
                raise DataError(
                    f"{self._name(row)} is not UTF-8 ({err.reason} at byte {err.start} of the row); "
                    "convert the file, e.g. with iconv -t UTF-8"
                ) from err
        width = _MOST_COLUMNS if row < 0 else len(self.columns)
        fields: list[bytes | None] = [*split_row(raw, width + 1)]
        if len(fields) > width:
            self._fail_wide(raw, row)
        if row < 0:
            return tuple(fields)
        fields.extend([None] * (width - len(fields)))
        return tuple(fields)

    def _fail_wide(self, raw: bytes, row: int) -> NoReturn:
        if row < 0:
            raise DataError(f"{self._name(row)} names more than {_MOST_COLUMNS:,} columns: it is no list of columns")
        found = len(split_row(raw, _MOST_COLUMNS))
        count = f"{found:,}" if found < _MOST_COLUMNS else f"{found:,} or more"
        raise DataError(
            f"{self._name(row)} has {count} fields, the header has {len(self.columns)}: "
            "put fields that contain tabs or line ends in double quotes"
        )

    def _name(self, row: int) -> str:
        return self.where(row) if row >= 0 else f"the header of {self.path}"

    def _line(self, offset: int) -> int:
        """The line of an offset as an editor counts; reads the file up to there."""
        feeds = carriages = 0
        for start in range(0, offset, _CHUNK):
            chunk = self._read(start, min(_CHUNK, offset - start), check=False)
            feeds += chunk.count(b"\n")
            carriages += chunk.count(b"\r")
        return 1 + (feeds or carriages)

    def _header(self) -> tuple[str, ...]:
        span = self._span(-1)
        if span is None:
            self._fail_empty()
        if span[1] > _LONGEST_HEADER:
            raise DataError(f"{self._name(-1)} has {span[1]:,} bytes: it is no list of columns")
        cells = self._parse(self._read(*span), -1)
        return tuple((cell or b"").decode() or f"Unnamed: {k}" for k, cell in enumerate(cells))

    def _fail_empty(self) -> NoReturn:
        raise DataError(f"{self.path} is empty; it needs a header line and one line per question")

"""Benchmarks in the reference's TSV layout: rows, cells and pictures, read when their turn comes."""

from __future__ import annotations

import difflib
import threading
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ..errors import DataError, MediaError
from ..messages import Image
from ..records import Cell, Sample
from ..scoring.protocol import Protocol
from .columns import NA_BYTES, ColumnTypes, distinct_names
from .index_table import IndexTable
from .pictures import find_picture, image_folder, parse_list, picture_key, picture_names, stored_format
from .seen import SeenRows
from .tsv import Fields, TsvFile

__all__ = ["TsvSource"]

_REFERENCE_LENGTH: Final = 64
"""An image cell of at most so many characters is the index of another row."""
_SHORT_CELL: Final = 32
_MOST_WORDS: Final = 4096


class TsvSource:
    """Rows of a TSV as samples; a `Source`.

    A row whose ``image`` cell is missing is left out where there is such a column. A short image cell names another
    row, which must hold a picture itself, or refer to one and stand earlier in the file. A list shows several.
    Thread-safe.

    Attributes:
        path: the file.
        files: the file by the benchmark's name.
        columns: its column names, pictures included.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        data_root: Path,
        protocol: Protocol,
        required: Sequence[str] = ("index", "question"),
        needs_image: bool = True,
        jpeg_copies: bool = False,
    ) -> None:
        """Opens the file and checks its columns.

        Args:
            path: the TSV.
            name: name of the benchmark; says in which folder its pictures' files lie.
            data_root: only pictures below it, or below the TSV's own folder, are read by ``image_path``.
            protocol: how cells are read and pictures are shown.
            required: columns that must be there.
            needs_image: whether a column ``image`` or ``image_path`` must be there too.
            jpeg_copies: pictures are named and stored as the reference does for the parts of a joined benchmark: every
                row has a JPEG of its own.

        Raises:
            DataError: the file cannot be read, has no rows, or lacks a column.
        """
        self.path = path
        self.files: Mapping[str, Path] = MappingProxyType({name: path})
        self._file = TsvFile(path)
        self.columns: tuple[str, ...] = distinct_names(self._file.columns, path, numbered=protocol.pandas_cells)
        self._protocol = protocol
        limit = protocol.localize_above_bytes
        self._localized = limit is not None and self._file.size > limit
        self._suffix = ".jpg" if self._localized or jpeg_copies else ".png"
        self._stores = protocol.cached_images or self._suffix == ".jpg"
        self._check_columns(required, needs_image=needs_image)
        places = {name: k for k, name in enumerate(self.columns)}
        self._index_column = places["index"]
        self._image_column = places.get("image")
        self._path_column = places.get("image_path")
        self._text_columns = tuple((name, k) for k, name in enumerate(self.columns) if k != self._image_column)
        self._words: dict[bytes, str] = {}
        self._clusters: dict[bytes, str] = {}
        self._seen = SeenRows()  # of long rows, so that reading their text again needs not read their pictures
        images = data_root / "images"
        self._folders = tuple(dict.fromkeys((images / image_folder(name), images, data_root, path.parent)))
        self._lock = threading.RLock()
        self._kept: array[int] = array("Q")
        self._read = 0
        self._duplicates = False
        self._types: ColumnTypes | None = None
        self._table = IndexTable(self._index_at)
        both = self._image_column is not None and self._path_column is not None
        self._paths_kept = (
            IndexTable(self._path_at) if both and protocol.cached_images and not self._localized else None
        )
        if not self._file.has_row(0):
            raise DataError(f"{path} has a header and no rows")

    def __len__(self) -> int:
        """Number of samples; reads the rest of the file.

        Raises:
            DataError: a row is malformed or lacks an index, or two rows share one.
        """
        while self._read_on():
            pass
        return len(self._kept)

    def close(self) -> None:
        """Closes the file; rows cannot be read afterwards."""
        self._file.close()

    @property
    def stamp(self) -> str | None:
        """Size and time of the file; None where the pictures are files of their own."""
        if self._image_column is None and self._path_column is not None:
            return None
        return f"{self._file.size}:{self._file.modified_ns}"

    @property
    def rows(self) -> int:
        """Number of rows of the file; finds where they start and reads none."""
        return len(self._file)

    @property
    def dropped(self) -> int:
        """Rows read so far that were left out because their picture is missing."""
        return self._read - len(self._kept)

    def samples(self) -> Iterator[Sample]:
        """Yields the rows in file order.

        Raises:
            DataError: as for `__len__`, when the row's turn comes.
        """
        position = 0
        while self._has(position):
            yield self._sample(position)
            position += 1

    def images(self, sample: Sample) -> tuple[Image, ...]:
        """Returns the pictures of one row, in order; none for a row of text.

        Raises:
            DataError: the row refers to a row that holds no picture.
            MediaError: a list of pictures is malformed, or a file is missing or outside the data root.
        """
        if not self._has(sample.row):
            raise DataError(f"{self.path} has no sample {sample.index!r} at position {sample.row}")
        row = self._kept[sample.row]
        fields = self._file.row(row)
        given = self._paths(fields, row)
        if self._image_column is None:
            return tuple(Image(name=_file_name(p), path=find_picture(p, self._folders)) for p in given)
        target = self._resolve(self._kept_by(row, given))
        pictures = self._list(self._cell(target, self._image_column), target, "image")
        shown_as = sample.index if not self._localized else self._index_at(target)
        names = picture_names(
            given if len(given) == len(pictures) or self._is_list(fields) else (),
            stem=shown_as,
            count=len(pictures),
            suffix=self._suffix,
            cut=self._protocol.cached_images,
        )
        return tuple(
            Image(name=name, base64=picture, stored_as=stored_format(name) if self._stores else None)
            for name, picture in zip(names, pictures, strict=False)
        )

    def _check_columns(self, required: Sequence[str], *, needs_image: bool) -> None:
        there = ", ".join(self.columns)
        for name in ("index", *required):
            if name not in self.columns:
                near = difflib.get_close_matches(name.lower(), [c.lower() for c in self.columns], n=1)
                similar = [column for column in self.columns if near and column.lower() == near[0]]
                hint = f" (is it {similar[0]!r}? then rename it)" if similar else ""
                raise DataError(f"{self.path} has no column {name!r}{hint}; its columns are: {there}")
        if needs_image and "image" not in self.columns and "image_path" not in self.columns:
            raise DataError(f"{self.path} has neither a column 'image' nor 'image_path'; its columns are: {there}")

    # Reading on: which rows count, and which index stands where.

    def _read_on(self) -> bool:
        """Takes the next row of the file into the account; says whether there was one."""
        with self._lock:
            if self._protocol.pandas_cells and self._types is None:
                self._infer_types()
            return self._take_row()

    def _has(self, position: int) -> bool:
        """Says whether there are so many samples, reading on until it is known."""
        if self._protocol.pandas_cells and self._types is None:
            self._read_on()  # no sample before its types are known, in whatever thread they are being found
        while position >= len(self._kept):
            if not self._read_on():
                return position < len(self._kept)
        return True

    def _take_row(self) -> bool:
        row = self._read
        if not self._file.has_row(row):
            return False
        fields = self._file.row(row)
        if self._image_column is None or not _is_missing(fields[self._image_column]):
            index = self._index_of(fields, row)
            if (earlier := self._table.find(index)) is not None:
                self._note_duplicate(index, earlier, row)
            self._table.add(index, row)
            self._kept.append(row)
            if self._paths_kept is not None and self._paths_kept.find(path := self._path_at(row)) is None:
                self._paths_kept.add(path, row)
        self._read += 1
        return True

    def _note_duplicate(self, index: str, earlier: int, row: int) -> None:
        if not self._protocol.pandas_cells:
            raise DataError(
                f"{self._file.where(row)} has the index {index!r} of data row {earlier + 1} again; "
                "every row needs an index of its own"
            )
        self._duplicates = True

    def _infer_types(self) -> None:
        """Reads the whole file, as the type of a column is only known at its end, and takes all rows on the way."""
        types = ColumnTypes(k for k in range(len(self.columns)) if k != self._image_column)
        numbers = words = True
        while self._file.has_row(self._read):
            fields = self._file.row(self._read)
            types.add(fields)
            index = fields[self._index_column] or b""
            numbers = numbers and index.isdigit() and (index == b"0" or not index.startswith(b"0"))
            words = words and index not in NA_BYTES
            self._take_row()
        types.finish()
        self._types = types
        if not (words if types.is_text(self._index_column) else numbers):
            # The rows were taken by what stands in the file, and pandas reads another index there.
            self._kept, self._table, self._read, self._duplicates = array("Q"), IndexTable(self._index_at), 0, False
            while self._take_row():
                pass

    def _find(self, index: str) -> int | None:
        """Returns the row of an index, reading on until it comes."""
        with self._lock:
            while (row := self._table.find(index)) is None and self._read_on():
                pass
            return row

    # Cells.

    def _sample(self, position: int) -> Sample:
        row = self._kept[position]
        seen = self._seen.get(row)
        fields = self._file.row(row) if seen is None else self._file.row_without(row, seen.start, seen.length)
        index = self._index_of(fields, row)
        cells: dict[str, Cell]
        if self._types is None:
            at, word = self._index_column, self._word
            cells = {
                name: index if k == at else word(cell) if (cell := fields[k]) else None
                for name, k in self._text_columns
            }
        else:
            cells = {name: self._types.cell(row, k, fields[k]) for name, k in self._text_columns}
        if seen is not None:
            return Sample(index=index, row=position, cells=cells, cluster=seen.cluster)
        cluster = self._cluster(fields, row, index)
        if self._image_column is not None and (place := self._file.place(row, fields, self._image_column)):
            self._seen.note(row, *place, cluster)
        return Sample(index=index, row=position, cells=cells, cluster=cluster)

    def _word(self, cell: bytes) -> str:
        """Decodes a cell; short ones, such as categories, that many rows share are held once and not once a row."""
        if len(cell) > _SHORT_CELL:
            return cell.decode()
        word = self._words.get(cell)
        if word is None:
            word = cell.decode()
            if len(self._words) < _MOST_WORDS:
                self._words[cell] = word
        return word

    def _value(self, row: int, column: int, cell: bytes | None) -> Cell:
        if self._types is not None:
            return self._types.cell(row, column, cell)
        return cell.decode() if cell else None

    def _index_of(self, fields: Fields, row: int) -> str:
        value = self._value(row, self._index_column, fields[self._index_column])
        if value is None:
            raise DataError(f"{self._file.where(row)} has no index; every row needs one")
        return str(value)

    def _index_at(self, row: int) -> str:
        return self._index_of(self._file.row(row), row)

    def _path_at(self, row: int) -> str:
        assert self._path_column is not None
        return self._cell(row, self._path_column).decode()

    def _cell(self, row: int, column: int) -> bytes:
        return self._file.row(row)[column] or b""

    # Pictures.

    def _kept_by(self, row: int, given: Sequence[str]) -> int:
        """Returns the row whose picture is shown for this one, whose ``image_path`` is given: another in the reference.

        It writes no file that is there already, so that of one ``image_path`` the first row wins, and it keeps pictures
        by index, so that of one index the last does.
        """
        if given and self._paths_kept is not None:
            with self._lock:
                first = self._paths_kept.find(self._path_at(row))
            row = row if first is None else first
        last = self._find(self._index_at(row)) if self._duplicates else None
        return row if last is None else last

    def _resolve(self, row: int) -> int:
        """Follows references to the row that holds the picture."""
        assert self._image_column is not None
        start = row
        while len(cell := self._cell(row, self._image_column)) <= _REFERENCE_LENGTH:
            index = cell.decode()
            target = self._find(index)
            if target is None or target == row:
                problem = "is no other row's index" if target is None else "is its own index"
                raise DataError(
                    f"{self._file.where(start)}: the image {index!r} {problem}; "
                    f"an image of at most {_REFERENCE_LENGTH} characters must be the index of a row with a picture"
                )
            if target > row and len(self._cell(target, self._image_column)) <= _REFERENCE_LENGTH:
                raise DataError(
                    f"{self._file.where(start)}: the image is the index {index!r} of data row {target + 1}, "
                    "which comes later and holds no picture but another index"
                )
            row = target
        return row

    def _cluster(self, fields: Fields, row: int, index: str) -> str:
        alone = f"row:{index}"
        if self._image_column is None:
            path = fields[self._path_column] if self._path_column is not None else None
            return f"path:{path.decode()}" if path and path not in NA_BYTES else alone
        cell = fields[self._image_column] or b""
        if len(cell) > _REFERENCE_LENGTH:
            return _key_of(cell)
        if (known := self._clusters.get(cell)) is not None:
            return known
        try:
            key = _key_of(self._cell(self._resolve(row), self._image_column))
        except DataError:
            return alone  # the row fails by itself when its pictures are asked for
        self._clusters[cell] = key
        return key

    def _is_list(self, fields: Fields) -> bool:
        return self._path_column is not None and (fields[self._path_column] or b"").startswith(b"[")

    def _paths(self, fields: Fields, row: int) -> tuple[str, ...]:
        cell = fields[self._path_column] if self._path_column is not None else None
        if cell is None or cell in NA_BYTES:
            return ()
        return tuple(path.decode() for path in self._list(cell, row, "image_path"))

    def _list(self, cell: bytes, row: int, column: str) -> tuple[bytes, ...]:
        try:
            return parse_list(cell)
        except ValueError as err:
            raise MediaError(f"{self._file.where(row)}, column {column}: {err}") from err


def _is_missing(cell: bytes | None) -> bool:
    # The length first: looking a whole picture up in a set means hashing it.
    return cell is None or (len(cell) <= _REFERENCE_LENGTH and cell in NA_BYTES)


def _key_of(cell: bytes) -> str:
    try:
        return picture_key(parse_list(cell))
    except ValueError:
        return picture_key((cell,))


def _file_name(path: str) -> str:
    return path.rsplit("/", 1)[-1]

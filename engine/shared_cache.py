"""Values that are costly to make: each is made once for all who ask for it, and the latest are kept within bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

from ..errors import MediaError

__all__ = ["SharedCache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_LEAST: Final = 512
"""Bytes that any entry counts for."""


class SharedCache(Generic[K, V]):
    """A cache by least recent use. Thread-safe: who asks for a value that is being made waits for it.

    That a value cannot be made is kept as well: a broken video is tried once, not once for each of its questions.

    Args:
        max_bytes: what is kept at most; values in use live on with their users.
        size: bytes of a value.
    """

    def __init__(self, max_bytes: int, size: Callable[[V], int]) -> None:
        self._max_bytes = max_bytes
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, Future[V]] = OrderedDict()
        self._sizes: dict[K, int] = {}
        self._making: dict[K, Future[V]] = {}
        self._bytes = 0
        self._made = 0

    @property
    def made(self) -> int:
        """How often a value was made, or tried to be made."""
        return self._made

    @property
    def held_bytes(self) -> int:
        """Bytes of all values that are kept."""
        return self._bytes

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Returns the value of a key, made by ``make`` where it is not there.

        Raises:
            MediaError: it cannot be made; the same error as the first time.
        """
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return _told(found)
            waiting = self._making.get(key)
            if waiting is None:
                own = self._making[key] = Future()
                self._made += 1
        return self._make(key, make, own) if waiting is None else _told(waiting)

    def _make(self, key: K, make: Callable[[], V], own: Future[V]) -> V:
        try:
            value = make()
            own.set_result(value)
        except MediaError as error:
            own.set_exception(error)
            self._keep(key, own, _LEAST)
            raise
        finally:
            if not own.done():  # a fault: who waits is told, and who asks next tries again
                own.set_exception(RuntimeError("what was waited for could not be made"))
                with self._lock:
                    del self._making[key]
        self._keep(key, own, max(_LEAST, self._size(value)))
        return value

    def _keep(self, key: K, own: Future[V], size: int) -> None:
        with self._lock:
            del self._making[key]
            self._kept[key], self._sizes[key] = own, size
            self._bytes += size
            while self._bytes > self._max_bytes and self._kept:
                oldest, _ = self._kept.popitem(last=False)
                self._bytes -= self._sizes.pop(oldest)


def _told(future: Future[V]) -> V:
    """Returns the value, or raises the error anew: one that many threads raise would grow with each of them."""
    error = future.exception()
    if isinstance(error, MediaError):
        raise MediaError(str(error))
    return future.result()

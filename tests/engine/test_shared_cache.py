"""Values made once for all who ask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from eyechart.engine import shared_cache
from eyechart.engine.shared_cache import SharedCache
from eyechart.errors import MediaError


class SlowMaker:
    """Makes a value once it may go on."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self.make = make
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self) -> bytes:
        self.begun.set()
        self.go.wait(10)
        return self.make()


def test_a_value_is_made_once() -> None:
    cache: SharedCache[str, bytes] = SharedCache(10_000, len)
    assert [cache.get("a", lambda: bytes(1000)) for _ in range(3)] == [bytes(1000)] * 3
    assert (cache.made, cache.held_bytes) == (1, 1000)


def test_threads_that_ask_at_the_same_time_wait_for_one_maker() -> None:
    cache: SharedCache[str, bytes] = SharedCache(10_000, len)
    make = SlowMaker(lambda: b"x")
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(cache.get, "a", make) for _ in range(4)]
        assert make.begun.wait(10)
        make.go.set()
        assert {future.result() for future in asked} == {b"x"}
    assert cache.made == 1


def test_the_longest_unused_goes_first_when_there_is_too_much() -> None:
    cache: SharedCache[str, bytes] = SharedCache(3000, len)
    for key in "abc":
        cache.get(key, lambda: bytes(1000))
    cache.get("a", lambda: bytes(1000))
    cache.get("d", lambda: bytes(1000))
    assert cache.held_bytes == 3000
    before = cache.made
    cache.get("a", lambda: bytes(1000))
    assert cache.made == before
    cache.get("b", lambda: bytes(1000))
    assert cache.made == before + 1


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache: SharedCache[str, bytes] = SharedCache(1000, len)
    assert cache.get("a", lambda: bytes(2000)) == bytes(2000)
    assert cache.held_bytes == 0


def test_a_failure_is_kept_like_a_value() -> None:
    cache: SharedCache[str, bytes] = SharedCache(10_000, len)

    def fail() -> bytes:
        raise MediaError("broken")

    for _ in range(3):
        with pytest.raises(MediaError, match="broken"):
            cache.get("a", fail)
    assert cache.made == 1


def test_a_fault_is_not_kept() -> None:
    cache: SharedCache[str, bytes] = SharedCache(10_000, len)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: bytes(1 // 0))
    assert cache.get("a", lambda: b"x") == b"x"


def test_who_waits_for_a_fault_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()

    class Watched(Future[bytes]):
        """Tells that somebody has come to wait for it."""

        def exception(self, timeout: float | None = None) -> BaseException | None:
            waiting.set()
            return super().exception(timeout)

    monkeypatch.setattr(shared_cache, "Future", Watched)
    cache: SharedCache[str, bytes] = SharedCache(10_000, len)
    make = SlowMaker(lambda: bytes(1 // 0))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "a", make)
        assert make.begun.wait(10)
        second = pool.submit(cache.get, "a", make)
        assert waiting.wait(10)
        make.go.set()
        with pytest.raises(ZeroDivisionError):
            first.result(10)
        with pytest.raises(RuntimeError, match="could not be made"):
            second.result(10)

"""Finds how many requests in flight serve an endpoint best, while the run goes on (``nproc: auto``).

The controller climbs the curve of throughput over requests in flight. It holds a level until enough requests have
been answered under it, compares, and moves by factors. Pure bookkeeping: the caller passes the time, in seconds of any
clock.

*Measuring.* A window at level n begins when everything that left before the level was set has returned, and ends
after whole rounds of n answers: with equal latencies answers come in bursts of n, and only whole rounds measure them
right. By Little's law (J. D. C. Little, "A Proof for the Queuing Formula L = λW", 1961) the mean number in flight is
throughput times latency: where it stays well below the level, the level was not what limited the run, and the window
says nothing about it; the latency of a window is read off the same equation.

*Climbing.* Levels double as long as throughput follows. Then steps up and down are tried around the best level, each
smaller than the one before, until they are too small to matter. A higher level has to earn its place; a lower one is
preferred unless it costs throughput. Windows are prolonged while the noise between their rounds leaves the comparison
open, and cut short when nothing can save them. At the best level the controller rests and measures on; it looks around
again after a while, longer each time that nothing better was found, and at once when throughput changes by itself.

*Falling back.* A refusal for overload or a timeout halves the level, once for all requests that left before. The
number that the server held when it refused is remembered as a wall, which is touched again only after a minute, then
after two, four, up to sixteen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Final, Literal

__all__ = ["Climb"]

_START: Final = 4
_GAIN_OF_DOUBLING: Final = 0.12
_TOP_SHARE: Final = 0.97
_FIRST_STEP: Final = math.sqrt(2.0)
_SMALLEST_STEP: Final = 1.07
_LOOK_AROUND_STEP: Final = 1.25
_ONE_LOOK: Final = 1.2
_SAME_LEVEL: Final = 0.04
_BUSY: Final = 0.8
_STRETCH: Final = 16.0
_DRIFT: Final = 1.4
_SURPRISES: Final = 2
_SHORTEST_REST: Final = 100
_LONGEST_REST: Final = 800
_FIRST_WALL_S: Final = 60.0
_LONGEST_WALL_S: Final = 960.0
_AFTER_TIMEOUT: Final = 0.75
_SHORTEST_WINDOW_S: Final = 0.05
_MOST_ROUNDS: Final = 6
_MOST_ANSWERS: Final = 80
_ROUNDS_TO_STOP: Final = 3
_SURE: Final = 2.0
_CLEARLY_LESS: Final = 0.75
_CLEARLY_MORE: Final = 1.6


@dataclass(slots=True)
class _Window:
    """What is measured at one level.

    Attributes:
        level: requests in flight that it is about.
        rounds: rounds of `level` answers that it takes at least.
        skip: requests that left under another level and are still out.
        needed: answers a second that make the level worth its while; 0 where nothing is asked of it.
        since: when measuring began; None before.
        area: integral of the number in flight over time.
        ends: times at which rounds ended.
        in_round: answers in the round that is not complete.
        last: time of the last answer.
    """

    level: int
    rounds: int
    skip: int
    needed: float
    since: float | None = None
    area: float = 0.0
    ends: list[float] = field(default_factory=list)
    in_round: int = 0
    last: float = 0.0

    @property
    def seconds(self) -> float:
        """From the beginning to the last answer."""
        return 0.0 if self.since is None else self.last - self.since

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return (len(self.ends) * self.level + self.in_round) / self.seconds

    @property
    def noise(self) -> float:
        """Relative standard error of the throughput, from the spread of the rounds; 0 where it is not known."""
        if len(self.ends) < 3 or self.since is None:  # noqa: PLR2004  (two rounds say little about their spread)
            return 0.0
        starts = [self.since, *self.ends[:-1]]
        times = [end - start for start, end in zip(starts, self.ends, strict=True)]
        return stdev(times) / fmean(times) / math.sqrt(len(times))

    def note_answer(self, now: float) -> None:
        """Counts an answer."""
        self.last = now
        self.in_round += 1
        if self.in_round == self.level:
            self.in_round = 0
            self.ends.append(now)

    @property
    def over(self) -> bool:
        """Whether enough was measured: all rounds, or so little that the rest cannot make up for it."""
        if self.seconds < _SHORTEST_WINDOW_S:
            return False
        if not self.in_round and len(self.ends) >= self.rounds:
            return True
        return self.seconds * self.needed * _CLEARLY_LESS > self.rounds * self.level

    def prolonged(self, needed: float) -> bool:
        """Whether noise leaves open if the throughput is what is needed; the window then takes one more round."""
        share = self.throughput / needed
        few = len(self.ends) < _ROUNDS_TO_STOP and _CLEARLY_LESS < share < 1
        more = len(self.ends) < max(_MOST_ROUNDS, _MOST_ANSWERS // self.level)
        unsure = more and abs(math.log(share)) < _SURE * self.noise
        if few or unsure:
            self.rounds = len(self.ends) + 1
        return few or unsure


class Climb:
    """How many requests may be in flight at present.

    Args:
        most: never more than this (``nproc_max``).
        slow_s: answers that take longer on average are too slow, whatever the throughput: the time limit is near.

    Attributes:
        level: requests that may be in flight, 1 to `most`.
        in_flight: requests that are.
    """

    def __init__(self, most: int, *, slow_s: float = math.inf) -> None:
        self.level = min(_START, most)
        self.in_flight = 0
        self._most = most
        self._slow_s = slow_s
        self._phase: Literal["double", "search", "rest", "recover"] = "double"
        self._now = 0.0
        self._best: int | None = None
        self._rates: dict[int, float] = {}
        self._step = _FIRST_STEP
        self._last_step = _SMALLEST_STEP
        self._too_low = 0
        self._too_high = most + 1
        self._latency = math.inf
        self._rest = _SHORTEST_REST
        self._rested = 0
        self._reference = 0.0
        self._surprises = 0
        self._rested_at: int | None = None
        self._cut_at = -math.inf
        self._answered_since_cut = True
        self._wall = most
        self._wall_until = -math.inf
        self._wall_s = _FIRST_WALL_S
        self._window = _Window(self.level, 2, 0, 0.0)

    @property
    def best(self) -> int:
        """The best level so far; the present one as long as nothing was compared."""
        return self.level if self._best is None else self._best

    @property
    def settled(self) -> bool:
        """Whether it is known what the endpoint can do: higher levels did not help, or were refused."""
        return self._phase != "double"

    # -- what happens ------------------------------------------------------------------------------------------------

    def left(self, now: float) -> None:
        """Notes that a request left."""
        self._pass_time(now)
        self.in_flight += 1

    def returned(self, now: float, *, answered: bool) -> None:
        """Notes that a request came back, and whether with an answer."""
        self._pass_time(now)
        self.in_flight -= 1
        self._answered_since_cut = self._answered_since_cut or answered
        window = self._window
        if window.skip > 0:
            window.skip -= 1
            if window.skip == 0:
                window.since = now
        elif answered:
            window.note_answer(now)
            if window.over:
                self._judge(window)

    def refused(self, now: float, left_at: float) -> None:
        """Notes a refusal for overload (429, 503) of a request that left at ``left_at`` and is still counted."""
        held = max(1, self.in_flight - 1)
        if left_at >= self._cut_at:
            self._fall(now, min(held, max(1, self.level - 1)))
        else:  # the same wave: it only tells more about how many the server holds
            self._wall = min(self._wall, max(self.level, held))

    def timed_out(self, now: float, left_at: float) -> None:
        """Notes that a request that left at ``left_at`` got no answer in time."""
        if left_at >= self._cut_at:
            self._fall(now, max(1, int(self.level * _AFTER_TIMEOUT)))

    # -- measuring ---------------------------------------------------------------------------------------------------

    def _pass_time(self, now: float) -> None:
        window = self._window
        if window.skip == 0 and window.since is None:
            window.since = now
        elif window.since is not None:
            window.area += self.in_flight * (now - self._now)
        self._now = now

    def _measure(self, level: int, needed: float = 0.0) -> None:
        """Sets the level and begins a window for it."""
        few, rounds = {"double": (8, 1), "search": (24, 3), "rest": (32, 4), "recover": (1, 1)}[self._phase]
        self.level = level
        since = None if self.in_flight else self._now
        self._window = _Window(level, max(rounds, math.ceil(few / level)), self.in_flight, needed, since)

    def _judge(self, window: _Window) -> None:
        in_flight = window.area / window.seconds
        if self._phase != "recover" and in_flight < _BUSY * window.level:
            self._measure(self.level)  # something else limits the run: the level cannot be judged
            return
        latency = in_flight / window.throughput
        {"double": self._double, "search": self._search, "rest": self._stay, "recover": self._recover}[self._phase](
            window, latency
        )

    def _too_slow(self, latency: float) -> bool:
        return latency > self._slow_s or latency > _STRETCH * self._latency

    # -- climbing ----------------------------------------------------------------------------------------------------

    def _double(self, window: _Window, latency: float) -> None:
        rate = window.throughput
        if window.needed and window.prolonged(window.needed):
            return
        if rate < window.needed or self._too_slow(latency):
            self._look_around(_FIRST_STEP, too_high=window.level)
            return
        earned = rate > _CLEARLY_MORE * window.needed
        self._best = window.level
        self._rates = {window.level: rate}
        self._latency = min(self._latency, latency)
        if self._highest() > window.level:
            self._measure(min(self._highest(), 2 * window.level), rate * (1 + _GAIN_OF_DOUBLING))
        elif earned:
            self._settle()  # throughput followed to the very top: lower levels need no look
        else:
            self._look_around(_FIRST_STEP)

    def _look_around(self, step: float, *, too_high: int | None = None) -> None:
        """Begins a search around the best level, with that level itself: it is what others are compared with."""
        self._begin_search(step, _SMALLEST_STEP)
        self._too_high = self._most + 1 if too_high is None else too_high
        self._rates.clear()
        self._measure(min(self.best, self._highest()))

    def _begin_search(self, step: float, last_step: float) -> None:
        self._phase = "search"
        self._step, self._last_step = step, last_step
        self._too_low, self._too_high = 0, self._most + 1

    def _search(self, window: _Window, latency: float) -> None:
        level = window.level
        if window.needed and window.prolonged(window.needed):
            return
        first = not self._rates
        self._rates[level] = window.throughput
        self._latency = min(self._latency, latency)
        worth = window.throughput >= window.needed
        if first or (worth and not (level > self.best and self._too_slow(latency))):
            self._best = level
        elif level > self.best:
            self._too_high = level  # throughput has one peak: what lies beyond is no better
        else:
            self._too_low = level
        self._try_next()

    def _try_next(self) -> None:
        level, best = self._candidate(), self.best
        if level is None:
            self._settle()
        elif level > best:
            self._measure(level, self._rates[best] * (1 + _GAIN_OF_DOUBLING * math.log2(level / best)))
        else:
            self._measure(level, _TOP_SHARE * max(self._rates.values()))

    def _candidate(self) -> int | None:
        """Returns the next level worth trying; None when the steps have become too small."""
        best = self.best
        while self._step >= self._last_step:
            up = min(self._highest(), max(best + 1, round(best * self._step)))
            down = max(1, min(best - 1, round(best / self._step)))
            for level in (up, down):
                new = all(abs(level - tried) > _SAME_LEVEL * level for tried in self._rates)
                if new and self._too_low < level < self._too_high:
                    return level
            self._step = math.sqrt(self._step)
        return None

    def _highest(self) -> int:
        """The highest level that may be tried at present."""
        return self._wall if self._now < self._wall_until else self._most

    # -- resting -----------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        self._rest = min(_LONGEST_REST, 2 * self._rest) if self._rested_at == self._best else _SHORTEST_REST
        if self.best > self._wall:
            self._wall_s = _FIRST_WALL_S  # what was a wall is none any more
        self._rested_at = self._best
        self._phase = "rest"
        self._rested = self._surprises = 0
        self._reference = self._rates[self.best]
        self._measure(self.best)

    def _stay(self, window: _Window, latency: float) -> None:
        self._rested += len(window.ends)
        change = window.throughput / self._reference
        self._surprises = self._surprises + 1 if not 1 / _DRIFT <= change <= _DRIFT else 0
        if self._surprises >= _SURPRISES:
            self._rested_at = None
            self._latency = latency
            self._look_around(2.0)
            return
        if not self._surprises:
            self._reference += (window.throughput - self._reference) / 4
        if self._rested < self._rest:
            self._measure(self.level)
            return
        self._begin_search(_LOOK_AROUND_STEP, _ONE_LOOK)
        self._rates = {self.best: self._reference}
        self._try_next()

    # -- falling back ------------------------------------------------------------------------------------------------

    def _fall(self, now: float, wall: int) -> None:
        self._cut_at = now
        half = max(1, self.level // 2)
        if self._answered_since_cut:  # else it is down, and says nothing about how many it holds
            again = now >= self._wall_until > -math.inf
            self._wall_s = min(_LONGEST_WALL_S, 2 * self._wall_s) if again else self._wall_s
            self._wall_until = now + self._wall_s
            self._wall = max(half, wall)
        self._answered_since_cut = False
        self._phase = "recover"
        self._measure(half)

    def _recover(self, window: _Window, latency: float) -> None:
        del latency
        goal = min(self._wall, self._best or self._wall)
        if window.level < goal:
            self._measure(min(goal, 2 * window.level))
        elif goal == self._rested_at and goal in self._rates:
            self._settle()
        else:
            self._best = goal
            self._look_around(_FIRST_STEP if self._rested_at is None else _LOOK_AROUND_STEP)

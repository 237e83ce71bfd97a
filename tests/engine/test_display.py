"""What is shown of a run: figures, lines, and when."""

from __future__ import annotations

import io
import logging

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from eyechart.engine.auto_gate import AutoGate
from eyechart.engine.display import LiveScreen, PlainLines, show_progress
from eyechart.engine.limits import Gate, Limits
from eyechart.engine.plain_text import LogLines, clean, duration, figure
from eyechart.engine.progress import JobProgress, RunProgress
from eyechart.engine.progress_lines import sentence, table, totals
from eyechart.engine.progress_view import Meter


def run(*benchmarks, model="m", nproc=4, **limits):
    progress = RunProgress()
    progress.gates[model] = Gate(Limits(nproc, **limits))
    for name in benchmarks or ("Shapes",):
        progress.jobs.append(JobProgress(model, name, total=100, state="asking"))
    return progress


def answer(job, number=1, tokens=0):
    job.requests += number
    job.answered += number
    job.completion_tokens += tokens


# -- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dirty", "shown"),
    [
        ("plain [red]text[/red]", "plain [red]text[/red]"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("a\nb\tc\rd", "a b c d"),
        ("a\u202eb", "a b"),
        ("x" * 600, "x" * 499 + "…"),
        ("图表", "图表"),
    ],
)
def test_clean(dirty, shown):
    assert clean(dirty) == shown


@given(st.text())
def test_what_is_cleaned_can_be_printed(text):
    assert all(c.isprintable() for c in clean(text))
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (7.4, "0:07"), (760, "12:40"), (11100, "3:05:00"), (187_200, "2d 4h"), (float("inf"), "?")],
)
def test_duration(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0.0"), (0.417, "0.42"), (7.26, "7.3"), (9.96, "10"), (41.2, "41"), (12345, "12.3k"), (123456, "123k")],
)
def test_figure(value, shown):
    assert figure(value) == shown


@given(st.floats(0, 9e7))
def test_a_figure_is_short(value):
    assert len(figure(value)) <= 6


@pytest.mark.parametrize("said", ["A\n2026-01-01 00:00:00,000 ERROR forged", "\x1b[2Ja\x9b31m\u202eb\r\nc", "%s %d"])
def test_nothing_that_is_logged_begins_a_line_of_its_own(said):
    def lines(fault=None):
        record = logging.LogRecord("eyechart", logging.WARNING, "", 0, "said: %s", (said,), fault)
        return LogLines().format(record).split("\n")

    (line,) = lines()
    assert line.isprintable()
    assert " WARNING said: " in line
    error = ValueError(f"\x1b[2J{said}")
    first, *further = lines((ValueError, error, None))
    assert first == line
    assert all(part.startswith("  ") and part.isprintable() for part in further)


# -- rates ------------------------------------------------------------------------------------------------------------


def test_rates_and_what_remains():
    progress = run()
    (job,) = progress.jobs
    job.in_flight = job.requests = 4
    meter = Meter(progress, 0.0)
    meter.read(0.0)
    for second in range(1, 21):
        answer(job, 2, tokens=30)
        view = meter.read(float(second))
    (shown,) = view.jobs
    assert (shown.req_s, shown.tok_s) == (2.0, 30.0)
    assert (shown.done, shown.total, shown.eta_s) == (40, 100, 30.0)
    assert (view.req_s, view.eta_s, view.elapsed_s) == (2.0, 30.0, 20.0)


def test_rates_are_those_of_the_last_ten_seconds():
    progress = run()
    (job,) = progress.jobs
    meter = Meter(progress, 0.0)
    for second in range(60):
        answer(job, 1 if second < 45 else 0)
        view = meter.read(float(second))
    assert view.jobs[0].req_s == 0.0


def test_a_job_that_begins_later_is_measured_from_its_own_beginning():
    progress = run("A", "B")
    first, second = progress.jobs
    meter = Meter(progress, 0.0)
    for now in range(10):
        answer(first, 5)
        meter.read(float(now))
    for now in range(10, 15):
        answer(second, 5)
        view = meter.read(float(now))
    assert view.jobs[1].req_s == 5.0


def test_reused_answers_are_no_speed():
    progress = run()
    (job,) = progress.jobs
    answer(job)
    meter = Meter(progress, 0.0)
    meter.read(0.0)
    job.reused = 50
    view = meter.read(5.0)
    assert (view.done, view.req_s) == (51, 0.0)


def test_without_a_total_there_is_no_time_left_to_tell():
    progress = run("A", "B")
    progress.jobs[1].total = None
    meter = Meter(progress, 0.0)
    for now in range(5):
        answer(progress.jobs[0])
        view = meter.read(float(now))
    assert view.jobs[0].eta_s is not None
    assert (view.total, view.eta_s) == (None, None)


def test_models_are_asked_side_by_side_so_the_slowest_counts():
    progress = run("A", model="fast")
    slow = run("A", model="slow")
    progress.jobs += slow.jobs
    progress.gates |= slow.gates
    meter = Meter(progress, 0.0)
    for now in range(11):
        answer(progress.jobs[0], 5)
        answer(progress.jobs[1], 1)
        view = meter.read(float(now))
    assert view.eta_s == pytest.approx(89.0)


# -- limits -----------------------------------------------------------------------------------------------------------


def limit(progress, now=0.0):
    return Meter(progress, now).read(now).limit


def test_what_limits_the_run():
    progress = run(nproc=2)
    gate = progress.gates["m"]
    assert limit(progress) == "preparing samples"
    gate.leave(0.0)
    gate.leave(0.0)
    assert limit(progress) == "nproc 2"
    gate.refused(0.0, 0.0, 7.0)
    assert limit(progress) == "the server, pause of 7 s"
    assert limit(progress, 8.0) == "the server, takes 1 of nproc 2"


def test_limits_of_ones_own():
    progress = run(rpm=6)
    progress.gates["m"].leave(0.0)
    assert limit(progress) == "rpm 6"


def test_the_end_of_a_run():
    progress = run(nproc=8)
    (job,) = progress.jobs
    answer(job, 96)
    for _ in range(2):
        progress.gates["m"].leave(0.0)
    job.retrying = 2
    assert limit(progress) == "pauses between tries"
    answer(job, 2)
    assert limit(progress) == "the last answers"
    answer(job, 2)
    assert limit(progress) == ""


def test_a_model_that_was_given_up_limits_nothing():
    progress = run(model="a")
    progress.jobs[0].state = "stopped"
    assert limit(progress) == ""


def test_limits_that_differ_are_told_by_model():
    progress = run(model="a", nproc=1)
    other = run(model="b")
    progress.jobs += other.jobs
    progress.gates |= other.gates
    progress.gates["a"].leave(0.0)
    assert limit(progress) == "a: nproc 1; b: preparing samples"


# -- lines ------------------------------------------------------------------------------------------------------------

NAMES = st.text(min_size=1, max_size=60)


@given(
    st.lists(NAMES, min_size=1, max_size=30),
    st.integers(1, 200),
    st.integers(1, 60),
    st.integers(0, 10**7),
    st.none() | st.integers(0, 10**7),
)
def test_a_table_fits_its_terminal(names, width, height, answered, total):
    progress = run(*names)
    for job in progress.jobs:
        job.total, job.in_flight, job.points, job.scored = total, 3, 2.0, 3
        job.retrying, job.last_error = 1, "Timeout: " + job.benchmark
        answer(job, answered)
    meter = Meter(progress, 0.0)
    meter.read(0.0)
    shown = table(meter.read(2.0), width, height).plain.split("\n")
    assert all(cell_len(line) <= width for line in shown)
    assert len(shown) <= max(height, 6)


def test_what_limits_the_run_stays_in_eighty_columns():
    progress = run("SEEDBench_IMG", model="qwen-vl-chat")
    progress.gates["qwen-vl-chat"] = gate = AutoGate(Limits(64))
    (job,) = progress.jobs
    meter = Meter(progress, 0.0)
    job.requests = job.in_flight = 4
    meter.read(0.0)
    answer(job, 50, tokens=400)
    job.failed = 1
    for _ in range(4):
        gate.leave(0.0)
    assert totals(meter.read(10.0), 80).plain == (
        "51/100 in 0:10 · 1 failed · ETA 0:10 · limit: nproc auto 4, still growing"
    )


def begun():
    """Returns a run whose first job has begun and whose second waits, the first job, and a meter that has seen that."""
    progress = run("SEEDBench_IMG", "ChartQA_TEST", model="qwen-vl-chat")
    first, second = progress.jobs
    second.state = "waiting"
    meter = Meter(progress, 0.0)
    first.requests = first.in_flight = 4
    meter.read(0.0)
    return progress, first, meter


def test_a_table_in_eighty_columns():
    progress, first, meter = begun()
    answer(first, 50, tokens=400)
    first.failed, first.retrying, first.points, first.scored = 1, 2, 31.0, 50
    for _ in range(4):
        progress.gates["qwen-vl-chat"].leave(0.0)
    assert table(meter.read(10.0), 80, 24).plain.split("\n") == [
        "qwen-vl-chat                 done fail retry open req/s tok/s    score     ETA",
        " SEEDBench_IMG ━━━━────    51/100    1     2    4   5.0    40    62±13    0:10",
        " ChartQA_TEST  ────────     0/100                                      waiting",
        "51/200 in 0:10 · 1 failed · 5.0 req/s · 40 tok/s · ETA 0:29 · limit: nproc 4",
    ]


def test_a_judge_is_shown_where_there_is_one():
    _, first, meter = begun()
    answer(first, 50)
    assert "judge" not in table(meter.read(10.0), 200, 24).plain
    first.judged, first.to_judge, first.judge_in_flight = 12, 20, 3
    view = meter.read(10.0)
    assert table(view, 80, 24).plain.split("\n") == [
        "qwen-vl-chat                 done fail retry open  judged req/s    score     ETA",
        " SEEDBench_IMG ━━━━────    50/100    0     0    4   12/20   5.0             0:10",
        " ChartQA_TEST  ────────     0/100                                        waiting",
        "50/200 in 0:10 · 3 at the judge · ETA 0:30 · limit: preparing samples",
    ]
    assert "12/20 judged, 3 at the judge" in sentence(view.jobs[0])
    assert "judged" not in sentence(view.jobs[1])
    assert (view.jobs[0].judged, view.jobs[0].to_judge, view.jobs[1].judged, view.judge_in_flight) == (12, 20, None, 3)


def test_judging_after_the_last_answer_is_a_state_that_is_told():
    progress = run()
    (job,) = progress.jobs
    job.answered, job.state, job.judged, job.to_judge, job.judge_in_flight = 100, "judging", 40, 60, 4
    stream = io.StringIO()
    lines, meter = PlainLines(stream), Meter(progress, 0.0)
    for now in range(25):
        lines.paint(meter.read(float(now)))
    told = stream.getvalue().splitlines()
    assert told[0] == "m Shapes: judging, 100/100 done, 0 failed, 40/60 judged, 4 at the judge"
    assert len(told) == 3
    progress.stopping = lambda: True
    assert totals(meter.read(30.0)).plain.startswith("stopping: waiting for 4 requests in flight")


def test_an_old_terminal_gets_plain_characters():
    progress = run("图")
    answer(progress.jobs[0], 50)
    text = table(Meter(progress, 0.0).read(0.0), 80, 24, ascii_only=True).plain
    assert not set("━╸─·…") & set(text)


def test_jobs_at_work_are_shown_first_where_there_is_no_room():
    progress = run(*(f"b{n}" for n in range(40)))
    for n, job in enumerate(progress.jobs):
        job.state = "done" if n < 20 else "asking" if n == 20 else "waiting"
        answer(job, 100 if n < 20 else 0)
    text = table(Meter(progress, 0.0).read(0.0), 80, 10).plain
    assert " b20 " in text
    assert "more" in text
    assert len(text.split("\n")) <= 10


def test_stopping():
    progress = run()
    progress.stopping = lambda: True
    progress.jobs[0].in_flight = 3
    view = Meter(progress, 0.0).read(0.0)
    assert totals(view).plain == "stopping: waiting for 3 requests in flight, Ctrl-C again stops at once"
    progress.jobs[0].in_flight, progress.jobs[0].state = 0, "done"
    view = Meter(progress, 0.0).read(0.0)
    assert not totals(view).plain.startswith("stopping")
    assert view.jobs[0].state == "stopped"


def test_samples_that_wait_for_another_try_say_why():
    progress = run("A", "B")
    job = progress.jobs[1]
    job.last_error = "Overloaded: HTTP 503\x1b[0m"
    meter = Meter(progress, 0.0)
    assert "503" not in table(meter.read(0.0), 80, 24).plain
    job.retrying = 3
    view = meter.read(1.0)
    assert table(view, 80, 24).plain.split("\n")[-1] == "retrying after Overloaded: HTTP 503"
    assert sentence(view.jobs[1]).endswith("retrying after Overloaded: HTTP 503")


def test_a_sentence():
    progress = run()
    job = progress.jobs[0]
    job.reused, job.retrying, job.in_flight = 10, 1, 4
    answer(job, 5)
    view = Meter(progress, 0.0).read(0.0)
    assert sentence(view.jobs[0], "nproc 4") == (
        "m Shapes: asking, 15/100 done, 10 of them from before, 0 failed, 1 retrying, 4 in flight, limit: nproc 4"
    )


# -- showing ----------------------------------------------------------------------------------------------------------


class Recorder:
    def __init__(self):
        self.notes, self.views, self.closed = [], [], False

    def note(self, text):
        self.notes.append(text)

    def paint(self, view):
        self.views.append(view)

    def close(self):
        self.closed = True


@pytest.mark.virtual_time
class TestShowing:
    @pytest.mark.anyio
    async def test_four_times_a_second_until_the_end(self):
        progress, screen = run(), Recorder()
        async with show_progress(progress, screen):
            await anyio.sleep(10.1)
            answer(progress.jobs[0], 7)
        assert len(screen.views) == 42
        assert screen.views[-1].done == 7
        assert screen.closed

    @pytest.mark.anyio
    async def test_notes_and_errors_once(self):
        progress, screen = run(), Recorder()
        progress.notes.append("continuing x")
        async with show_progress(progress, screen):
            await anyio.sleep(3)
            progress.jobs[0].error = "row 7 is torn"
            progress.notes.append("more")
            await anyio.sleep(3)
            progress.problems.append("m: refused")
            await anyio.sleep(3)
        assert screen.notes == ["note: continuing x", "note: more", "m Shapes: row 7 is torn", "m: refused"]

    @pytest.mark.anyio
    @pytest.mark.parametrize("error", [OSError(5, "terminal gone"), ValueError("I/O operation on closed file")])
    async def test_a_screen_that_breaks_leaves_the_run_alone(self, error):
        class Broken(Recorder):
            def paint(self, view):
                raise error

            def close(self):
                raise error

        done = False
        async with show_progress(run(), Broken()):
            await anyio.sleep(5)
            done = True
        assert done

    @pytest.mark.anyio
    async def test_plain_lines_every_ten_seconds_and_at_changes(self):
        progress, stream = run("A", "B"), io.StringIO()
        first, second = progress.jobs
        first.state = second.state = "waiting"
        async with show_progress(progress, PlainLines(stream)):
            first.state = "asking"
            await anyio.sleep(25)
            answer(first, 100)
            first.state, second.state = "done", "asking"
            await anyio.sleep(1)
            progress.stopping = lambda: True
            await anyio.sleep(3)
        said = [line.split(",")[0] for line in stream.getvalue().splitlines()]
        assert said == [
            "m A: asking",
            "m A: asking",
            "m A: asking",
            "m A: done",
            "m B: asking",
            "stopping: writing what has been answered",
        ]


def test_a_live_table_is_drawn_over_itself():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=24, color_system=None, legacy_windows=False)
    screen = LiveScreen(console)
    progress = run("[red]Shapes")
    meter = Meter(progress, 0.0)
    screen.paint(meter.read(0.0))
    screen.note("note: a\x1b[2Jb [bold]c")
    screen.close()
    assert "[red]Shapes" in stream.getvalue()
    assert "note: ab [bold]c" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[?25h")


def test_a_model_that_counts_no_tokens_has_no_rate_of_them() -> None:
    progress = RunProgress(jobs=[JobProgress("m", "B", total=10, state="asking", requests=1)])
    meter = Meter(progress, 0.0)
    meter.read(0.0)
    progress.jobs[0].answered = progress.jobs[0].requests = 6
    shown = meter.read(3.0)
    assert shown.req_s is not None
    assert (shown.tok_s, shown.jobs[0].tok_s) == (None, None)

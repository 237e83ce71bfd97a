"""Documents on their way into a prompt: pages rendered, shared, named; broken files told."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pdf_files
import PIL.Image
import pytest

from eyechart.engine.documents import Documents, PageSettings, page_settings
from eyechart.engine.media import load_image
from eyechart.engine.sheets import SheetLayout
from eyechart.errors import MediaError
from eyechart.messages import Document, Image, Message, Text
from eyechart.scoring.protocol import EYECHART, VLMEVAL

Make = Callable[..., Documents]


@pytest.fixture
def documents() -> Iterator[Make]:
    made: list[Documents] = []

    def make(settings: PageSettings | None = None, **fields: Any) -> Documents:
        made.append(Documents(settings or PageSettings(), **fields))
        return made[-1]

    yield make
    for each in made:
        each.close()


def pdf(raw: bytes, *names: str, name: str = "report") -> Document:
    return Document(name, pdf=Image("report.pdf", base64=base64.b64encode(raw)), page_names=names)


def picture(size: tuple[int, int] = (40, 30), colour: str = "red", name: str = "s_0.png", **fields: Any) -> Image:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", size, colour).save(buffer, "PNG")
    return Image(name, base64=base64.b64encode(buffer.getvalue()), **fields)


def shown(using: Documents, document: Document) -> list[Image]:
    (message,) = using.shown([Message("user", (Text("before"), document, Text("after")))])
    first, *pictures, last = message.parts
    assert (first, last) == (Text("before"), Text("after"))
    assert all(isinstance(part, Image) for part in pictures)
    return pictures  # type: ignore[return-value]


def sizes(pictures: list[Image]) -> list[tuple[int, int]]:
    return [load_image(part).size for part in pictures]


def test_pages_are_rendered_at_144_dots_per_inch(documents: Make) -> None:
    pictures = shown(documents(), pdf(pdf_files.pdf_of([(50, 70), (80, 60)]), "a_0.jpg", "a_1.jpg"))
    assert [part.name for part in pictures] == ["a_0.jpg", "a_1.jpg"]
    assert sizes(pictures) == [(100, 140), (160, 120)]
    pixel = load_image(pictures[1]).convert("RGB").getpixel((80, 60))
    assert pixel == pytest.approx((11, 120, 200), abs=3)  # the PDF holds a JPEG
    assert [part.stored_as for part in pictures] == [None, None]


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        (pdf_files.simple("0 0 50.1 70.3"), (101, 141)),
        (pdf_files.simple("0 0 50.0004 70.0006"), (100, 141)),  # what hardly touches a pixel has none, as in MuPDF
        (pdf_files.simple("10 10 60 80"), (100, 140)),
        (pdf_files.simple("50 70 0 0"), (100, 140)),
        (pdf_files.simple(page="/Rotate 90"), (140, 100)),
        (pdf_files.simple(page="/CropBox [10 10 30 30]"), (40, 40)),
    ],
)
def test_sizes_of_pages(documents: Make, raw: bytes, size: tuple[int, int]) -> None:
    assert sizes(shown(documents(), pdf(raw))) == [size]


def test_plain_pages_are_exact_and_noisy_ones_small(documents: Make) -> None:
    plain, noisy = pdf_files.pdf_of([(300, 300)], (200, 10, 10)), io.BytesIO()
    PIL.Image.effect_noise((300, 300), 90).convert("RGB").save(noisy, "PDF", quality=95)
    colours = PIL.Image.merge("RGB", [PIL.Image.effect_noise((300, 300), 90) for _ in range(3)])
    coloured = io.BytesIO()
    colours.save(coloured, "PDF", quality=95)
    using = documents()
    formats = []
    for raw in (plain, noisy.getvalue(), coloured.getvalue()):
        (part,) = shown(using, pdf(raw))
        found = load_image(part)
        formats.append((found.format, found.mode))
    assert formats == [("PNG", "RGB"), ("PNG", "L"), ("JPEG", "RGB")]


def test_only_the_first_pages_are_shown(documents: Make) -> None:
    using = documents(PageSettings(max_pages=3))
    names = [f"a_{k}.jpg" for k in range(5)]
    assert [p.name for p in shown(using, pdf(pdf_files.pdf_of([(9, 9)] * 5), *names))] == names[:3]
    slides = Document("deck", pages=tuple(picture(name=f"s_{k}.png") for k in range(5)))
    assert [p.name for p in shown(using, slides)] == ["s_0.png", "s_1.png", "s_2.png"]


def test_a_document_of_more_than_a_hundred_pages(documents: Make) -> None:
    raw = pdf_files.pdf_of([(20 + k, 20) for k in range(130)])
    pictures = shown(documents(), pdf(raw, *(f"a_{k}.jpg" for k in range(130))))
    assert sizes(pictures) == [(2 * (20 + k), 40) for k in range(120)]


def noted(using: Documents, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tasks that its processes are given."""
    tasks: list[Any] = []
    run = using._sandbox.run
    monkeypatch.setattr(using._sandbox, "run", lambda *a, **k: tasks.append(a[0]) or run(*a, **k))
    return tasks


@pytest.mark.parametrize("count", [15, 16, 17, 40])
def test_processes_take_turns_with_the_pages_of_a_long_document(
    documents: Make, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    using = documents(PageSettings(max_pages=38), processes=3)
    tasks = noted(using, monkeypatch)
    raw = pdf_files.pdf_of([(20 + k, 20) for k in range(count)])
    pictures = shown(using, pdf(raw, *(f"a_{k}.jpg" for k in range(count))))
    assert sizes(pictures) == [(2 * (20 + k), 40) for k in range(min(38, count))]
    assert sorted(task["first"] for task in tasks) == ([0] if count < 16 else [0, 1, 2])


def test_the_first_of_several_broken_pages_is_told(documents: Make) -> None:
    kids = " ".join(f"{3 if page not in (4, 5) else 9} 0 R" for page in range(20))
    using = documents(processes=3)
    with pytest.raises(MediaError, match="its page 5 is damaged or missing"):
        shown(using, pdf(pdf_files.simple(kids=kids, count=20), *map(str, range(20))))


def test_pages_that_come_to_too_much_are_told(documents: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyechart.engine.documents._MOST_BYTES", 10_000)
    using = documents(processes=3)
    raw = pdf_files.pdf_of([(200, 200)] * 30)
    with pytest.raises(MediaError, match=r"^document report: it comes to more than 0 MB$"):
        shown(using, pdf(raw, *map(str, range(30))))
    assert len(shown(using, pdf(pdf_files.pdf_of([(50, 50)] * 2)))) == 2


def test_pages_without_a_name_are_shown_all_the_same_but_not_by_the_reference(documents: Make) -> None:
    raw = pdf_files.pdf_of([(9, 9)] * 3)
    assert [p.name for p in shown(documents(), pdf(raw, "a_7.jpg"))] == ["a_7.jpg", "a_1.png", "a_2.png"]
    assert [p.name for p in shown(documents(), pdf(raw))] == ["report_0.png", "report_1.png", "report_2.png"]
    reference = page_settings(VLMEVAL)
    assert [p.name for p in shown(documents(reference), pdf(raw, "a_7.jpg"))] == ["a_7.jpg"]
    assert [p.name for p in shown(documents(reference), pdf(raw, *"abcd"))] == ["a", "b", "c"]


def test_the_reference_stores_pages_as_small_jpegs_with_no_short_edge(documents: Make) -> None:
    pictures = shown(documents(page_settings(VLMEVAL)), pdf(pdf_files.pdf_of([(20, 30)]), "a_0.jpg"))
    assert [part.stored_as for part in pictures] == ["jpeg"]
    assert sizes(pictures) == [(100, 150)]
    named_png = shown(documents(page_settings(VLMEVAL)), pdf(pdf_files.pdf_of([(20, 30)]), "a_0.png"))
    assert [part.stored_as for part in named_png] == ["png"]


def test_a_pdf_that_is_a_file(documents: Make, tmp_path: Path) -> None:
    path = tmp_path / "minutes.pdf"
    document = Document("minutes", pdf=Image("minutes.pdf", path=path))
    with pytest.raises(MediaError, match=r"^document minutes: .*minutes\.pdf does not exist$"):
        shown(documents(), document)
    path.write_bytes(pdf_files.pdf_of([(9, 9)]))
    assert [p.name for p in shown(documents(), document)] == ["minutes_0.png"]


REAL = pdf_files.pdf_of([(50, 70)] * 5)
BROKEN = {
    "a page of the web": (b"<html>Not found</html>", "it is no PDF"),
    "nothing": (b"", "it is empty"),
    "the first third": (REAL[: len(REAL) // 3], "it is damaged, or no PDF"),
    "all but the end": (REAL[:-200], "it is damaged, or no PDF"),
    "a head": (pdf_files.HEAD, "it is damaged, or no PDF"),
    "a locked one": (pdf_files.encrypted(), "it is encrypted and opens only with a password"),
    "one without pages": (pdf_files.simple(kids="", count=0), "it has no pages"),
    "one that lacks a page": (
        pdf_files.simple(kids="3 0 R 9 0 R", count=2),
        r"its page 2 is damaged or missing \(Failed to load page\.\)",
    ),
    "a hall of mirrors": (pdf_files.endless(), "it was given up after 1 s without any result"),
    "the side of a house": (
        pdf_files.simple("0 0 200000 200000"),
        "its page 1 would have 400000 x 400000 pixels; more than 178956970 are refused",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_pdf_is_told_by_name_and_the_next_is_shown(documents: Make, kind: str) -> None:
    raw, reason = BROKEN[kind]
    using = documents(page_s=1.0)
    shown(using, pdf(pdf_files.simple()))  # from here on a page takes no second
    with pytest.raises(MediaError, match=rf"^document report: {reason}$"):
        shown(using, pdf(raw))
    assert sizes(shown(using, pdf(REAL))) == [(100, 140)] * 5


def test_base64_that_is_none_is_told_by_name(documents: Make) -> None:
    with pytest.raises(MediaError, match=r"^document report: its base64 text holds '\*'"):
        shown(documents(), Document("report", pdf=Image("r.pdf", base64=b"JVBERi0***")))


def test_a_pdf_that_hangs_is_waited_for_once(documents: Make) -> None:
    using = documents(page_s=1.0)
    failures = []
    began = time.monotonic()
    for name in ("one", "two", "three"):
        with pytest.raises(MediaError) as found:
            shown(using, pdf(pdf_files.endless(), name=name))
        failures.append(str(found.value).partition(":")[0])
    assert failures == ["document one", "document two", "document three"]
    assert time.monotonic() - began < 2.5


def test_questions_on_one_document_share_its_pages(documents: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    using = documents(processes=2)
    rendered = noted(using, monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda k: shown(using, pdf(REAL, name=f"q{k}")), range(16)))
    assert len(rendered) == 1
    assert all(one.base64 is other.base64 for one, other in zip(found[0], found[-1], strict=True))
    shown(using, pdf(pdf_files.pdf_of([(50, 70)] * 4)))
    assert len(rendered) == 2


def test_what_is_kept_has_a_bound(documents: Make) -> None:
    using = documents(cache_bytes=3000)
    for k in range(12):
        shown(using, pdf(pdf_files.pdf_of([(50 + k, 70)] * 2)))
    assert 0 < using._cache.held_bytes <= 3000
    using = documents(cache_bytes=1)
    assert len(shown(using, pdf(REAL))) == 5
    assert using._cache.held_bytes == 0


def test_closing_lets_go_of_a_thread_that_waits_for_pages(documents: Make) -> None:
    using, told = documents(), []

    def wait() -> None:
        with pytest.raises(MediaError) as found:
            shown(using, pdf(pdf_files.endless()))
        told.append(str(found.value))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.5)
    using.close()
    thread.join(10)
    assert told == ["document report: the run is being stopped"]


def test_messages_without_documents_stay_as_they_are(documents: Make) -> None:
    messages = [Message("system", (Text("s"),)), Message("user", (picture(), Text("q")))]
    assert documents().shown(messages) == messages


@pytest.mark.parametrize("protocol", [EYECHART, VLMEVAL])
def test_what_a_configuration_asks_for(protocol: Any) -> None:
    reference = protocol is VLMEVAL
    assert page_settings(protocol) == PageSettings(120, None, reference)
    assert page_settings(protocol, max_pages=9, concat_num=5, column_num=2) == PageSettings(
        9, SheetLayout(5, 2, reference), reference
    )


# Sheets.


def test_sheets_of_a_pdf_have_the_name_that_its_pages_share(documents: Make) -> None:
    using = documents(page_settings(EYECHART, concat_num=2, column_num=2))
    pictures = shown(using, pdf(REAL, *(f"an_other_{k}.jpg" for k in range(5))))
    assert [p.name for p in pictures] == ["an_other_concat2_0.jpg", "an_other_concat2_1.jpg"]
    assert sizes(pictures) == [(200, 280), (200, 140)]
    assert [p.name for p in shown(using, pdf(REAL, "page.jpg"))][:1] == ["page_concat2_0.jpg"]


def test_sheets_are_made_once(documents: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    using = documents(page_settings(EYECHART, concat_num=1, column_num=5))
    slides = tuple(picture(colour=colour) for colour in ("red", "green", "blue"))
    (first,) = shown(using, Document("deck", pages=slides))
    monkeypatch.setattr("eyechart.engine.documents.sheets", None)
    (again,) = shown(using, Document("deck again", pages=slides))
    assert again.base64 is first.base64
    with pytest.raises(MediaError, match="not callable"):
        shown(using, Document("another deck", pages=slides[:2]))


def test_only_the_first_strip_where_the_reference_shows_no_other(documents: Make) -> None:
    slides = tuple(picture((20, 10), name=f"s_{k}.png") for k in range(45))
    using = documents(page_settings(VLMEVAL, concat_num=1, column_num=-1))
    alone = shown(using, Document("deck", pages=slides, first_strip_only=True))
    assert [p.name for p in alone] == ["s_concat_all.jpg"]
    every = shown(using, Document("deck", pages=slides))
    assert [p.name for p in every] == [f"s_concat_all_{k}.jpg" for k in range(3)]
    assert sizes(every) == [(1120, 15 * (560 + 50))] * 3
    assert sizes(alone) == sizes(every[:1])


def test_a_slide_that_is_no_picture_is_told(documents: Make) -> None:
    slides = (picture(), Image("s_1.png", base64=base64.b64encode(b"no picture at all")))
    using = documents(page_settings(EYECHART, concat_num=1))
    with pytest.raises(MediaError, match=r"^document deck: picture s_1\.png: it is no picture"):
        shown(using, Document("deck", pages=slides))
    cut = Image("s_2.png", base64=base64.b64encode(base64.b64decode(picture((300, 300)).base64 or b"")[:-60]))
    with pytest.raises(MediaError, match=r"^document deck: .+"):
        shown(using, Document("deck", pages=(cut,)))


def test_a_sheet_that_would_be_too_large_is_told(documents: Make) -> None:
    using = documents(page_settings(EYECHART, concat_num=1, column_num=1))
    slides = tuple(picture((8000, 500), colour) for colour in ("red", "green")) * 30
    with pytest.raises(MediaError, match=r"8000 x 30000 pixels; more than 178956970 are refused\. Set concat_num"):
        shown(using, Document("deck", pages=slides))


def test_a_document_has_a_pdf_or_pages() -> None:
    with pytest.raises(ValueError, match="either a PDF or pictures"):
        Document("none")
    with pytest.raises(ValueError, match="either a PDF or pictures"):
        Document("both", pdf=picture(), pages=(picture(),))

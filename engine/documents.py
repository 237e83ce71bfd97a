"""Documents in prompts become pictures of their pages, rendered once for all questions about the same document."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import PurePosixPath
from types import TracebackType
from typing import Final, Self

import xxhash

from ..benchmarks.pictures import stored_format
from ..errors import MediaError
from ..messages import Document, Image, Message
from ..scoring.protocol import Protocol
from .config_plan import MAX_PAGES, RunPlan
from .media import DECODER_ERRORS, MAX_PIXELS, file_bytes
from .page_pictures import page_encoder
from .sandbox import Sandbox, SandboxError
from .shared_cache import SharedCache
from .sheets import STRIPS, SheetLayout, sheets

__all__ = ["Documents", "PageSettings", "page_settings", "page_settings_of"]

_TASK: Final = f"{__package__}.pdf:pages"
_PAGE_S: Final = 30.0
_DOCUMENT_S: Final = 300.0
_MEMORY: Final = 3_000_000_000
_MOST_BYTES: Final = 1 << 29
_CACHE_BYTES: Final = 1 << 28
_SHARED_FROM: Final = 16
_MEGABYTE: Final = 1_000_000
_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class PageSettings:
    """How documents are shown.

    Attributes:
        max_pages: most pages of a document, the first ones.
        layout: how pages are put together on sheets; None shows every page by itself.
        reference: pages are encoded and named as the reference's image cache has them, and pages for which the
            benchmark has no name are left out.
    """

    max_pages: int = MAX_PAGES
    layout: SheetLayout | None = None
    reference: bool = False


def page_settings(
    protocol: Protocol, *, max_pages: int = MAX_PAGES, concat_num: int | None = None, column_num: int = 1
) -> PageSettings:
    """Returns the settings that a protocol and a configuration's fields ask for.

    Args:
        protocol: the protocol.
        max_pages: most pages of a document.
        concat_num: most sheets of a document; None for none.
        column_num: columns of a sheet; -1 for strips.
    """
    layout = None if concat_num is None else SheetLayout(concat_num, column_num, protocol.first_page_cells)
    return PageSettings(max_pages, layout, protocol.cached_images)


def page_settings_of(plan: RunPlan) -> PageSettings:
    """Returns how a run shows documents."""
    return page_settings(
        plan.protocol, max_pages=plan.max_pages, concat_num=plan.concat_num, column_num=plan.column_num
    )


class Documents:
    """Renders the documents of prompts. Thread-safe; a context that ends the processes it has started.

    PDF files are rendered in processes of their own, which are started when the first one comes. A file that makes
    them crash, hang or grow costs the samples that show it a `MediaError` and nothing else. What was rendered is kept,
    by content and up to `cache_bytes`, for further questions; and so is that it cannot be rendered.

    Args:
        settings: how documents are shown.
        processes: pages that are rendered at the same time; of one document only where its pages have enough names to
            be worth it.
        cache_bytes: base64 text of pages that is kept.
        page_s: seconds that one page may take.
        document_s: seconds that all pages of a document may take.
    """

    def __init__(
        self,
        settings: PageSettings,
        *,
        processes: int = 1,
        cache_bytes: int = _CACHE_BYTES,
        page_s: float = _PAGE_S,
        document_s: float = _DOCUMENT_S,
    ) -> None:
        self.settings = settings
        self._processes = processes
        self._page_s = page_s
        self._document_s = document_s
        self._sandbox = Sandbox(_TASK, processes=processes, memory=_MEMORY)
        self._cache: SharedCache[str, tuple[bytes, ...]] = SharedCache(
            cache_bytes, lambda texts: sum(len(text) for text in texts)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all processes; documents that are being rendered fail, and so do further PDF files."""
        self._sandbox.close()

    def shown(self, messages: Sequence[Message]) -> list[Message]:
        """Returns the messages with pictures of pages, or of sheets of them, in the place of documents. Blocking.

        Raises:
            MediaError: a document cannot be shown; the text names it and says why.
        """
        return [self._shown(message) for message in messages]

    def _shown(self, message: Message) -> Message:
        if not any(isinstance(part, Document) for part in message.parts):
            return message
        parts = (self._pictures(part) if isinstance(part, Document) else (part,) for part in message.parts)
        return Message(message.role, tuple(chain.from_iterable(parts)))

    def _pictures(self, document: Document) -> Sequence[Image]:
        layout = self.settings.layout
        if document.pdf is None and layout is None:
            return document.pages[: self.settings.max_pages]
        try:
            key = _key(document)
            return self._pages(document, key) if layout is None else self._sheets(document, key, layout)
        except (MediaError, *DECODER_ERRORS) as error:
            raise MediaError(f"document {document.name}: {_reason(error)}") from None

    def _pages(self, document: Document, key: str) -> Sequence[Image]:
        if document.pdf is None:
            return document.pages[: self.settings.max_pages]
        pdf, names, reference = document.pdf, document.page_names, self.settings.reference
        most = self.settings.max_pages
        if reference and names:
            most = min(most, len(names))
        together = self._processes if min(most, len(names)) >= _SHARED_FROM else 1
        texts = self._cache.get(f"{key}:{most}", lambda: self._render(pdf, most, together))
        stem = _stem(_first_name(document))
        called = [*names[: len(texts)], *(f"{stem}_{number}.png" for number in range(len(names), len(texts)))]
        return [
            Image(name, base64=text, stored_as=stored_format(name) if reference else None)
            for name, text in zip(called, texts, strict=True)
        ]

    def _render(self, pdf: Image, most: int, together: int) -> tuple[bytes, ...]:
        """Renders a PDF; several processes take turns with its pages."""
        request = {"step": together, "max_pages": most, "max_pixels": MAX_PIXELS, "reference": self.settings.reference}

        def share(first: int) -> list[bytes]:
            return self._sandbox.run(
                {**request, "first": first}, raw, step_s=self._page_s, total_s=self._document_s, most_bytes=_MOST_BYTES
            )

        try:
            raw = file_bytes(pdf)
            with ThreadPoolExecutor(together) as pool:
                shares = list(pool.map(share, range(together)))
        except (SandboxError, *DECODER_ERRORS) as error:
            raise MediaError(_reason(error)) from None
        pages = tuple(shares[number % together][number // together] for number in range(sum(map(len, shares))))
        if sum(map(len, pages)) > _MOST_BYTES:
            raise MediaError(f"it comes to more than {_MOST_BYTES // _MEGABYTE:,} MB")
        return pages

    def _sheets(self, document: Document, key: str, layout: SheetLayout) -> Sequence[Image]:
        strips = layout.columns == STRIPS
        only_first = strips and document.first_strip_only

        def make() -> tuple[bytes, ...]:
            encode = page_encoder(reference=self.settings.reference)
            try:
                found = sheets(self._pages(document, key), layout)
                return tuple(map(encode, islice(found, 1 if only_first else None)))
            except DECODER_ERRORS as error:
                raise MediaError(_reason(error)) from None

        texts = self._cache.get(f"{key}:sheets:{only_first}:{len(document.page_names)}", make)
        stem = _stem(_first_name(document))
        name = f"{stem}_concat_all" if strips else f"{stem}_concat{layout.sheets}"
        return [
            Image(
                f"{name}.jpg" if only_first else f"{name}_{number}.jpg",
                base64=text,
                stored_as="jpeg" if self.settings.reference else None,
            )
            for number, text in enumerate(texts)
        ]


def _key(document: Document) -> str:
    """Returns a hash of what a document shows."""
    digest = xxhash.xxh3_128()
    for image in (document.pdf,) if document.pdf is not None else document.pages:
        content = file_bytes(image) if image.base64 is None else image.base64
        digest.update(f"{len(content)}:{image.stored_as}:".encode())
        digest.update(content)
    return digest.hexdigest()


def _first_name(document: Document) -> str:
    if document.pdf is None:
        return document.pages[0].name
    return document.page_names[0] if document.page_names else document.pdf.name


def _stem(name: str) -> str:
    """Returns what the pages of a document have in common in their names."""
    before, found, _ = name.rpartition("_")
    return before if found else PurePosixPath(name).stem


def _reason(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:_SHOWN]

"""A short part of the fuzz campaign, and every input that it or a reader of the code ever found a defect with."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.inputs import edited, inputs
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, given, settings

CORPUS = Path(__file__).with_name("corpus")


@pytest.mark.parametrize("name", TARGETS)
def test_any_input_is_read_or_refused(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    for folder in ("made", "work"):
        (tmp_path / folder).mkdir()
    seeds = target.seeds(tmp_path / "made")
    assert seeds
    assert all(seeds), "an empty input is no seed"
    with target.open(tmp_path / "work") as check:
        for found in sorted((CORPUS / name).glob("*")):
            check(found.read_bytes())
        for seed in seeds[:: max(1, len(seeds) // target.examples)]:
            check(seed)

        @settings(max_examples=target.examples, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(inputs(seeds, target.words))
        def some(data: bytes) -> None:
            check(data)

        some()


def test_every_input_that_was_kept_has_its_target() -> None:
    kept = {path.name for path in CORPUS.iterdir() if path.is_dir()}
    assert kept <= set(TARGETS)
    assert all(path.stat().st_size <= 20_000 for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("kind", "which", "result"),
    [
        (0, 0, b"01234WORD56789"),
        (1, 255, b"01234\x03\xff56789"),
        (2, 0, b"01234WORD9"),
        (4, 0, b"0123489"),
        (5, 2, b"0123456756756789"),
        (6, 0, b"01234=6789"),
        (7, 0, b"01234"),
    ],
)
def test_a_script_tells_a_seed_and_what_is_done_to_it(kind: int, which: int, result: bytes) -> None:
    seeds, words = [b"0123456789"], [b"WORD"]
    assert edited(seeds, words, bytes((0, 1, kind, 0x80, 0, 3, which))) == result
    assert edited(seeds, words, bytes((0, 1))) == seeds[0]
    assert edited(seeds, words, b"") == b""

"""Tiny random models through transformers: what is asked beside a question, and how it is loaded, changes no answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra local is not installed")
pytest.importorskip("transformers", reason="the extra local is not installed")

from tiny_models import CONTEXT, WRITERS  # noqa: E402

from eyechart.adapters.local.answerer import Answer, Fatal  # noqa: E402
from eyechart.adapters.local.sampling import GumbelNoise, drawing, seed_of  # noqa: E402
from eyechart.adapters.local.settings import Generation, LocalSettings  # noqa: E402
from eyechart.adapters.local.transformers_model import load_transformers_model  # noqa: E402
from eyechart.adapters.local.worker import Worker  # noqa: E402
from eyechart.adapters.payload import ChatOptions, encode_chat  # noqa: E402
from eyechart.messages import InlineMedia, Message, Part, Text, Video  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # of torch and transformers, about themselves


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each model."""
    home = tmp_path_factory.mktemp("models")
    return {name: write(home / name) for name, write in WRITERS.items()}


@pytest.fixture(scope="session")
def worker(folders: dict[str, Path]) -> Callable[..., Worker]:
    """Makes the inside of a worker: ``worker("qwen2_5_vl", temperature=1.0)``; the same ones are loaded once."""
    made: dict[tuple[Any, ...], Worker] = {}

    def make(name: str, **generation: Any) -> Worker:
        key = (name, *sorted(generation.items()))
        if key not in made:
            settings = LocalSettings(str(folders[name]), generation=Generation(**{"max_new_tokens": 12, **generation}))
            made[key] = Worker(load_transformers_model(settings, None).answerer)
        return made[key]

    return make


def shown(colour: str, width: int = 40, height: int = 30) -> InlineMedia:
    import base64
    import io

    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return InlineMedia("image", "image/png", base64.b64encode(file.getvalue()), "")


def asked(*parts: Part | str, before: tuple[Message, ...] = (), system: str | None = None) -> bytes:
    said = tuple(Text(part) if isinstance(part, str) else part for part in parts)
    options = ChatOptions("m", temperature=None, max_tokens=None, detail=None, system_prompt=system)
    return b"".join(encode_chat([*before, Message("user", said)], options).chunks)


def answers(worker: Worker, *questions: bytes) -> list[Answer]:
    found, fitted = worker.answer(worker.prepare(1, questions))
    assert fitted == len(questions)
    return found


def texts(worker: Worker, *questions: bytes) -> list[str]:
    return [answer["text"] for answer in answers(worker, *questions)]


EIGHT = [
    asked(shown(colour, 28 + 9 * number, 90 - 8 * number), "What is it? " * (1 + number % 3) + str(number))
    for number, colour in enumerate(["red", "lime", "blue", "white", "black", "gray", "pink", "navy"])
]


@pytest.mark.parametrize("name", WRITERS)
def test_a_batch_is_answered_as_each_would_be_alone(name: str, worker: Callable[..., Worker]) -> None:
    model = worker(name, max_new_tokens=24)
    alone = [answers(model, question)[0] for question in EIGHT]
    assert answers(model, *EIGHT) == alone
    assert answers(model, *reversed(EIGHT)) == alone[::-1]
    assert len({answer["text"] for answer in alone}) > 5
    assert len({answer["prompt_tokens"] for answer in alone}) >= 3


def test_answers_end_by_themselves_or_at_the_longest(worker: Callable[..., Worker]) -> None:
    long = answers(worker("qwen2_5_vl", max_new_tokens=200), *EIGHT)
    short = answers(worker("qwen2_5_vl", max_new_tokens=3), *EIGHT)
    assert any(answer["finish"] == "stop" and answer["completion_tokens"] < 200 for answer in long)
    for brief, full in zip(short, long, strict=True):
        assert brief["completion_tokens"] <= 3
        assert full["text"].startswith(brief["text"])
        if full["completion_tokens"] > 3:
            assert (brief["finish"], brief["completion_tokens"]) == ("length", 3)


@pytest.mark.parametrize("name", WRITERS)
def test_pixels_words_and_their_order_count(name: str, worker: Callable[..., Worker]) -> None:
    red, blue = shown("red"), shown("blue")
    before = (Message("user", (Text("first"),)), Message("assistant", (Text("said"),)))
    variants = [
        asked(red, "what?"),
        asked(blue, "what?"),
        asked(red, "which?"),
        asked(red, blue, "what?"),
        asked(blue, red, "what?"),
        asked("what?", red),
        asked(red, "what?", before=before),
        asked(red, "what?", before=(before[0], Message("assistant", (Text("other"),)))),
        asked("what?", before=(Message("user", (red, Text("first"))), before[1])),
        asked(red, "what?", system="Be brief."),
        asked("what?"),
    ]
    found = [texts(worker(name), variant)[0] for variant in variants]
    assert len(set(found)) == len(variants)
    assert found == [texts(worker(name), variant)[0] for variant in variants]


def test_what_a_video_shows_counts(worker: Callable[..., Worker], tmp_path: Path) -> None:
    files = [
        write_clip(tmp_path / "a.mp4", frames=20),
        write_clip(tmp_path / "b.mp4", frames=20, size=(80, 60)),
        write_clip(tmp_path / "c.mp4", frames=40),
    ]
    questions = [asked(Video(str(file)), "what happens?") for file in files]
    model = worker("qwen2_5_vl")
    found = [texts(model, question)[0] for question in questions]
    assert len(set(found)) == 3
    assert texts(model, *questions) == found
    assert texts(model, asked(Video(files[0].as_uri()), "what happens?")) == found[:1]


def test_a_broken_video_fails_alone(worker: Callable[..., Worker], tmp_path: Path) -> None:
    whole, broken = write_clip(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    broken.write_bytes(whole.read_bytes()[:500])
    found = answers(
        worker("qwen2_5_vl"), *(asked(Video(str(file)), "?") for file in (whole, broken, tmp_path / "none.mp4"))
    )
    assert "text" in found[0]
    assert [answer["kind"] for answer in found[1:]] == ["BadRequest"] * 2
    assert all("a video cannot be decoded" in answer["failure"] for answer in found[1:])


def test_a_model_without_videos_says_so(worker: Callable[..., Worker]) -> None:
    (found,) = answers(worker("llava"), asked(Video("a.mp4"), "?"))
    assert found["failure"] == "this model takes no videos; leave video_llm out, and it is shown frames"


@pytest.mark.parametrize("name", WRITERS)
def test_a_prompt_beyond_the_context_fails_alone(name: str, worker: Callable[..., Worker]) -> None:
    model = worker(name)
    good = [asked("a"), asked("b")]
    found = answers(model, good[0], asked("x" * CONTEXT), good[1])
    assert [found[0], found[2]] == answers(model, *good)
    assert found[1]["kind"] == "ContextOverflow"
    assert f"the model's context is {CONTEXT}" in found[1]["failure"]


def test_an_answer_ends_with_the_context(worker: Callable[..., Worker]) -> None:
    model = worker("qwen2_5_vl", max_new_tokens=40)
    (found,) = answers(model, asked("x" * (CONTEXT - 40)))
    assert found["prompt_tokens"] + found["completion_tokens"] <= CONTEXT
    assert found["finish"] == "length" or found["prompt_tokens"] + found["completion_tokens"] < CONTEXT


def test_words_that_stand_for_pictures_and_half_characters_fail_alone_or_are_answered(
    worker: Callable[..., Worker],
) -> None:
    for name, placeholder in (("qwen2_5_vl", "<|image_pad|>"), ("llava", "<image>")):
        found = answers(worker(name), asked("a"), asked(f"say {placeholder}"), asked("\ud800"), asked("b"))
        assert [found[0], found[3]] == answers(worker(name), asked("a"), asked("b"))
        assert all(("text" in answer) != ("failure" in answer) for answer in found)
        json.dumps(found).encode()


# -- drawing ---------------------------------------------------------------------------------------------------------


def test_drawn_answers_depend_on_the_seed_and_not_on_what_is_beside(worker: Callable[..., Worker]) -> None:
    model = worker("qwen2_5_vl", temperature=1.0, seed=5)
    alone = [texts(model, question)[0] for question in EIGHT]
    assert texts(model, *EIGHT) == alone
    assert texts(model, *EIGHT) == alone
    assert texts(worker("qwen2_5_vl", temperature=1.0, seed=6), *EIGHT) != alone
    assert texts(worker("qwen2_5_vl"), *EIGHT) != alone


def test_the_same_question_on_different_pictures_is_drawn_independently(worker: Callable[..., Worker]) -> None:
    model = worker("qwen2_5_vl", temperature=1.0)
    one, other = asked(shown("red"), "?"), asked(shown("blue"), "?")
    batch = model.prepare(1, [one, other, one])
    assert batch.prepared.prompt_tokens[0] == batch.prepared.prompt_tokens[1]
    seeds = batch.prepared.seeds
    assert seeds[0] == seeds[2] != seeds[1]


def test_noise_draws_from_the_distribution() -> None:
    """Chi-square against the softmax: 6 words, 6,000 seeds; 20.5 is passed once in a thousand."""
    scores = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -2.0])
    count = 6000
    noise = GumbelNoise([seed_of(1, str(number).encode()) for number in range(count)])
    drawn = noise(None, scores.expand(count, -1)).argmax(-1)
    seen = torch.bincount(drawn, minlength=6).double()
    expected = torch.softmax(scores.double(), -1) * count
    assert float(((seen - expected) ** 2 / expected).sum()) < 20.5


def test_temperature_top_k_and_top_p_are_kept() -> None:
    scores = torch.tensor([3.0, 2.9, 2.8, 0.0, -1.0])
    count = 2000

    def drawn(**fields: Any) -> list[float]:
        found = scores.expand(count, -1)
        seeds = [seed_of(2, str(number).encode()) for number in range(count)]
        for step in drawing(Generation(**fields), seeds):
            found = step(None, found)
        return [round(share, 3) for share in (torch.bincount(found.argmax(-1), minlength=5) / count).tolist()]

    assert drawing(Generation(), []) == []
    assert drawn(temperature=1.0, top_k=2)[2:] == [0, 0, 0]
    assert min(drawn(temperature=1.0, top_k=2)[:2]) > 0.4
    assert drawn(temperature=1.0, top_p=0.5)[2:] == [0, 0, 0]
    assert drawn(temperature=0.001)[0] == 1
    assert min(drawn(temperature=100.0)) > 0.15


def test_every_step_draws_anew() -> None:
    noise = GumbelNoise([1, 2])
    first, second = (noise(None, torch.zeros(2, 5)) for _ in range(2))
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(GumbelNoise([2])(None, torch.zeros(1, 5))[0], first[1])


# -- loading ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a model, to be damaged."""
    return shutil.copytree(folders["llava"], tmp_path / "copy")


def fatal(folder: Path, **fields: Any) -> str:
    with pytest.raises(Fatal) as caught:
        load_transformers_model(LocalSettings(str(folder), **fields), None)
    return str(caught.value)


def test_what_it_tells_of_itself(folders: dict[str, Path]) -> None:
    model = load_transformers_model(LocalSettings(str(folders["qwen2_5_vl"]), workers=3), None)
    if torch.accelerator.is_available():
        pytest.skip("there is an accelerator here")
    assert (model.device, model.more_devices) == ("cpu", ("cpu", "cpu"))
    assert model.notes == ("no accelerator found: the model runs on the processor",)
    assert model.about is not None
    assert model.about["architecture"] == "Qwen2_5_VLForConditionalGeneration"
    assert model.about["dtype"] == "float32"


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_weights_that_are_cut_short(copy: Path, kept: float) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * kept)])
    assert "its weights are damaged" in fatal(copy)


def test_weights_with_a_damaged_header(copy: Path) -> None:
    file = copy / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[20] ^= 0xFF
    file.write_bytes(data)
    assert str(copy) in fatal(copy)


def test_a_tensor_that_is_missing_is_named(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    left_out = next(name for name in weights if "layers.1.mlp.down_proj" in name)
    del weights[left_out]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    said = fatal(copy)
    assert "1 weights are in none of its files" in said
    assert "layers.1.mlp.down_proj" in said


def test_a_tensor_of_another_shape(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["text_config"]["intermediate_size"] = 96
    (copy / "config.json").write_text(json.dumps(config))
    assert "it cannot be loaded" in fatal(copy)


@pytest.mark.parametrize("kind", ["internvl_chat_of_its_own", "bert", None])
def test_an_architecture_that_is_not_served_names_the_other_way(copy: Path, kind: str | None) -> None:
    config = json.loads((copy / "config.json").read_text())
    config.pop("model_type")
    (copy / "config.json").write_text(json.dumps(config if kind is None else {**config, "model_type": kind}))
    said = fatal(copy)
    assert "does not serve this architecture" in said
    assert "api_base" in said


def test_a_folder_without_a_chat_template(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    assert "holds no chat template" in fatal(copy)


def test_a_device_that_is_not_there(copy: Path) -> None:
    if torch.accelerator.is_available():
        pytest.skip("there is an accelerator here")
    said = fatal(copy, devices=(0,))
    assert "devices: 0 is asked for, but torch finds none here" in said
    assert "Leave devices out" in said


def test_settings_of_the_processor_are_its_own(folders: dict[str, Path]) -> None:
    question = asked(shown("red", 280, 280), "?")

    def tokens(**processor: Any) -> int:
        settings = LocalSettings(
            str(folders["qwen2_5_vl"]), processor=processor, generation=Generation(max_new_tokens=1)
        )
        (found,) = answers(Worker(load_transformers_model(settings, None).answerer), question)
        count: int = found["prompt_tokens"]
        return count

    assert tokens() - tokens(max_pixels=4 * 28 * 28) == 16 - 4


def test_what_was_prepared_stays_where_it_was_and_as_it_was(folders: dict[str, Path]) -> None:
    settings = LocalSettings(str(folders["qwen2_5_vl"]), dtype="bfloat16", generation=Generation(max_new_tokens=1))
    worker = Worker(load_transformers_model(settings, None).answerer)
    batch = worker.prepare(1, [asked(shown("red"), "?")])
    (found,), _ = worker.answer(batch)
    assert "text" in found
    assert str(batch.prepared.inputs["pixel_values"].dtype) == "torch.float32"


@pytest.mark.parametrize(
    ("name", "hint"), [("max_pixls", "did you mean max_pixels"), ("temperature", "it has do_resize, fps, max_pixels")]
)
def test_settings_that_a_processor_does_not_have_are_refused(folders: dict[str, Path], name: str, hint: str) -> None:
    said = fatal(folders["qwen2_5_vl"], processor={"fps": 2, name: 3})
    assert said.startswith(f"processor.{name}: Qwen2_5_VLProcessor has no such setting; {hint}")


def test_a_repetition_penalty_changes_answers(worker: Callable[..., Worker]) -> None:
    assert texts(worker("llava", repetition_penalty=1.5), *EIGHT) != texts(worker("llava"), *EIGHT)

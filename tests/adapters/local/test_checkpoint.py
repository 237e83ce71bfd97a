"""A model's folder, looked at without torch."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from eyechart.adapters.local.checkpoint import Checkpoint, is_folder, read_checkpoint
from eyechart.errors import ConfigError

CONFIG = {"model_type": "qwen2_5_vl", "architectures": ["Qwen2_5_VLForConditionalGeneration"]}
INDEX = "model.safetensors.index.json"


def write_tensors(file: Path, **tensors: bytes) -> Path:
    """Writes a safetensors file of 8-bit numbers."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, data in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(tensors.values()))
    return file


def write_index(folder: Path, **places: str) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with one file of weights."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(CONFIG))
    (model / "chat_template.jinja").write_text("{{ messages }}")
    write_tensors(model / "model.safetensors", a=bytes(range(256)) * 1000, b=b"b" * 50)
    return model


def problem(folder: Path | str, **how: bool) -> str:
    with pytest.raises(ConfigError) as caught:
        read_checkpoint(str(folder), **how)
    return str(caught.value)


def test_what_a_folder_holds(folder: Path) -> None:
    file = folder / "model.safetensors"
    found = read_checkpoint(str(folder))
    assert found == Checkpoint(
        folder, "qwen2_5_vl", CONFIG["architectures"][0], (file,), file.stat().st_size, False, found.digest
    )
    assert len(found.digest) == 64


def test_weights_in_several_files_are_those_of_the_index(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    files = [write_tensors(folder / f"model-{n}-of-2.safetensors", **{f"t{n}": b"x" * 9}) for n in (1, 2)]
    write_tensors(folder / "other.safetensors", left_over=b"y")
    write_index(folder, t1=files[0].name, t2=files[1].name, tied=files[1].name)
    assert read_checkpoint(str(folder)).weights == tuple(files)


@pytest.mark.parametrize("config", [{}, {"architectures": []}, {"architectures": None}, {"architectures": "Name"}])
def test_a_configuration_may_say_little(folder: Path, config: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    found = read_checkpoint(str(folder))
    assert (found.model_type, found.architecture, found.own_code) == ("", "", False)


def test_own_code_is_seen(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, "auto_map": {"AutoModel": "modeling.Own"}}))
    assert read_checkpoint(str(folder)).own_code


def test_home_is_looked_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert read_checkpoint("~/model").path == folder


# -- what is wrong ---------------------------------------------------------------------------------------------------


def test_no_folder(tmp_path: Path) -> None:
    assert "does not exist; expected the folder" in problem(tmp_path / "nowhere")


def test_a_file_in_place_of_a_folder(folder: Path) -> None:
    assert "is a file; expected the folder" in problem(folder / "config.json")


def test_no_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert problem(folder).endswith(f"{folder}: it holds no config.json, so it is no model's folder")


def test_the_folder_above_is_given(folder: Path) -> None:
    assert problem(folder.parent).endswith(f"; did you mean {folder}?")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is no JSON"), (b'{"model_type": "q', "is no JSON"), (b"\xff", "is no JSON"), (b"[]", "expected a mapping")],
)
@pytest.mark.parametrize("name", ["config.json", INDEX])
def test_broken_json(folder: Path, name: str, content: bytes, words: str) -> None:
    (folder / name).write_bytes(content)
    said = problem(folder)
    assert words in said
    assert str(folder / name) in said


@pytest.mark.parametrize("index", [{}, {"weight_map": []}, {"weight_map": {"a": 1}}])
def test_an_index_that_is_none(folder: Path, index: dict[str, Any]) -> None:
    (folder / INDEX).write_text(json.dumps(index))
    assert "has no weight_map" in problem(folder)


def test_a_file_of_several_is_missing(folder: Path) -> None:
    write_index(folder, a="model.safetensors", b="model-2.safetensors", c="model-3.safetensors")
    assert "2 of 3 files of weights are missing, first model-2.safetensors" in problem(folder)


def test_an_index_leads_nowhere_outside_the_folder(folder: Path) -> None:
    write_tensors(folder.parent / "outside.safetensors", a=b"x")
    write_index(folder, a="../outside.safetensors")
    assert "first outside.safetensors" in problem(folder)


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "it holds no weights" in problem(folder)


@pytest.mark.parametrize("change", [-1, -1000, 1, 4096])
def test_a_file_of_another_length(folder: Path, change: int) -> None:
    file = folder / "model.safetensors"
    right = file.stat().st_size
    os.truncate(file, right + change)
    assert problem(folder).endswith(
        f"{file}: has {right + change:,} bytes and should have {right:,}; copy the model again"
    )


@pytest.mark.parametrize("kept", [0, 4, 8, 60])
def test_a_file_cut_in_its_header(folder: Path, kept: int) -> None:
    os.truncate(folder / "model.safetensors", kept)
    assert "is no safetensors file, or a damaged one" in problem(folder)


@pytest.mark.parametrize("at", [0, 7, 8, 30])
def test_a_damaged_header(folder: Path, at: int) -> None:
    file = folder / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[at] ^= 0xFF
    file.write_bytes(data)
    assert "is no safetensors file, or a damaged one" in problem(folder)


@pytest.mark.parametrize(
    "header",
    [
        "[]",
        '"text"',
        "3",
        '{"a": 1}',
        '{"a": {}}',
        '{"a": {"data_offsets": [0]}}',
        '{"a": {"data_offsets": ["0", "9"]}}',
        '{"a": {"data_offsets": null}}',
    ],
)
def test_a_header_that_says_nothing_of_tensors(folder: Path, header: str) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode())
    assert "is no safetensors file, or a damaged one" in problem(folder)


def test_a_header_of_absurd_length_is_not_read(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    assert "is no safetensors file, or a damaged one" in problem(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.pt", "model.pth"])
def test_pickled_weights_are_taken_only_where_it_is_said(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    said = problem(folder)
    assert f"stored as pickle ({name})" in said
    assert "trust_remote_code: true" in said
    assert read_checkpoint(str(folder), allow_pickled=True).weights == (folder / name,)


def test_pickled_weights_beside_others_are_not_looked_at(folder: Path) -> None:
    before = read_checkpoint(str(folder))
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    assert read_checkpoint(str(folder), allow_pickled=True) == before


# -- would the answers be the same? ----------------------------------------------------------------------------------


def digest(folder: Path) -> str:
    return read_checkpoint(str(folder)).digest


def test_where_a_model_lies_and_when_it_was_copied_is_nothing_to_its_answers(folder: Path, tmp_path: Path) -> None:
    before = digest(folder)
    other = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(folder, other)
    for file in other.iterdir():
        os.utime(file, (1, 1))
    (other / "README.md").write_text("about")
    (other / ".gitattributes").write_text("lfs")
    assert digest(other) == before


@pytest.mark.parametrize("name", ["config.json", "chat_template.jinja"])
def test_a_changed_small_file_changes_the_digest(folder: Path, name: str) -> None:
    before = digest(folder)
    (folder / name).write_text((folder / name).read_text() + " ")
    assert digest(folder) != before


@pytest.mark.parametrize("name", ["tokenizer.json", "merges.txt", "tokenizer.model", "modeling_own.py"])
def test_a_new_small_file_changes_the_digest(folder: Path, name: str) -> None:
    before = digest(folder)
    (folder / name).write_text("{}")
    assert digest(folder) != before


def test_other_numbers_change_the_digest(folder: Path) -> None:
    before = digest(folder)
    write_tensors(folder / "model.safetensors", a=bytes(reversed(range(256))) * 1000, b=b"b" * 50)
    assert digest(folder) != before


def test_training_a_large_tensor_changes_the_digest(folder: Path) -> None:
    """Of large files samples are read: every part of a tensor larger than the gaps between them is seen."""
    size = 64 * 4096 * 16
    write_tensors(folder / "model.safetensors", a=b"a" * size, b=b"b" * size)
    before = digest(folder)
    write_tensors(folder / "model.safetensors", a=b"a" * size, b=b"b" * (size // 2) + b"c" * (size // 2))
    assert digest(folder) != before


@pytest.mark.parametrize("name", ["./model", "/models/q", "~/q", "model", "a/b/c"])
def test_what_looks_like_a_path_is_no_hub_name(name: str) -> None:
    assert is_folder(name)


def test_a_hub_name_is_one_unless_there_is_such_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not is_folder("Qwen/Qwen2-VL-2B-Instruct")
    (tmp_path / "Qwen" / "Qwen2-VL-2B-Instruct").mkdir(parents=True)
    assert is_folder("Qwen/Qwen2-VL-2B-Instruct")

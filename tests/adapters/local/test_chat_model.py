"""Models with a method ``chat`` of their own: a stand-in whose code lies in its folder and answers with what it got."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra local is not installed")
pytest.importorskip("transformers", reason="the extra local is not installed")

from tiny_models import write_llava, write_words_only  # noqa: E402

from eyechart.adapters.local.answerer import Fatal  # noqa: E402
from eyechart.adapters.local.bodies import Turn, Words  # noqa: E402
from eyechart.adapters.local.chat_model import ChatModel, load_chat_model  # noqa: E402
from eyechart.adapters.local.pool import Pool  # noqa: E402
from eyechart.adapters.local.settings import Generation, LocalSettings  # noqa: E402
from eyechart.adapters.payload import ChatOptions, encode_chat  # noqa: E402
from eyechart.errors import BadRequest, EndpointUnusable  # noqa: E402
from eyechart.messages import InlineMedia, Message, Part, Text, Video  # noqa: E402

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("default")]

TOKENIZER = '''
from transformers import PreTrainedTokenizer


class OwnTokenizer(PreTrainedTokenizer):
    """A word for every byte."""

    @property
    def vocab_size(self):
        return 256

    def get_vocab(self):
        return {chr(number): number for number in range(256)}

    def _tokenize(self, text, **_):
        return [chr(byte) for byte in text.encode()]

    def _convert_token_to_id(self, token):
        return ord(token)

    def _convert_id_to_token(self, index):
        return chr(index)

    def save_vocabulary(self, *_, **__):
        return ()

    def from_list_format(self, listed):
        pictures = [part for part in listed if "image" in part]
        return "".join(
            f"Picture {1 + pictures.index(part)}: <img>{part['image']}</img>\\n" if "image" in part else part["text"]
            for part in listed
        )
'''
MODEL = '''
import json
import re

import torch
from PIL import Image
from transformers import PretrainedConfig, PreTrainedModel


class OwnConfig(PretrainedConfig):
    model_type = "chatty"


class OwnModel(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.weight = torch.nn.Parameter(torch.zeros(2))
        self.post_init()

    def chat(self, tokenizer, query, history, system="You are a helpful assistant.", **fields):
        if "confuse" in query:
            raise KeyError("confused")
        said = {"query": see(query), "history": [[see(text) for text in pair] for pair in history or []]}
        said |= {"system": system, "fields": fields}
        if fields["do_sample"]:
            said["drawn"] = int(torch.randint(1 << 30, ()))
        text = " " + json.dumps(said) + " "
        return text[: fields["max_new_tokens"]], history


def see(text):
    """Puts colours into the places of pictures."""
    return re.sub("<img>(.*?)</img>", lambda found: "#%02x%02x%02x" % Image.open(found[1]).getpixel((0, 0)), text)
'''


def write_chatty(folder: Path) -> Path:
    from safetensors.torch import save_file

    folder.mkdir()
    own = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnModel"}
    config = {"model_type": "chatty", "architectures": ["OwnModel"], "auto_map": own, "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config))
    names = {"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": ["tokenization_own.OwnTokenizer", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    (folder / "modeling_own.py").write_text(MODEL)
    (folder / "tokenization_own.py").write_text(TOKENIZER)
    save_file({"weight": torch.zeros(2)}, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))  # where copies of the code are put
    return write_chatty(tmp_path / "chatty")


def shown(colour: str) -> InlineMedia:
    file = io.BytesIO()
    Image.new("RGB", (3, 2), colour).save(file, "PNG")
    return InlineMedia("image", "image/png", base64.b64encode(file.getvalue()), "")


def user(*parts: Part) -> Message:
    return Message("user", parts)


async def ask_all(folder: Path, *talks: list[Message], trust: bool = True, **generation: Any) -> list[Any]:
    """Asks through a pool; returns what the model got, and failures."""
    drawn = Generation(**{"max_new_tokens": 500, **generation})
    settings = LocalSettings(str(folder), "chat", trust_remote_code=trust, generation=drawn)
    pool = Pool(settings, tell=lambda note: None)
    options = ChatOptions("m", temperature=None, max_tokens=None, detail=None)
    asked = [pool.ask(encode_chat(talk, options).chunks, tokens=1, kind="") for talk in talks]
    try:
        return await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await pool.aclose()


async def test_what_a_model_gets(folder: Path) -> None:
    replies = await ask_all(
        folder,
        [user(shown("red"), Text("what?"))],
        [user(Text("which?"), shown("lime"), shown("blue"), Text("or?"))],
        [
            Message("system", (Text("Be brief."),)),
            user(shown("white"), Text("first?"), shown("black")),
            Message("assistant", (Text("said"),)),
            user(Text("second?")),
            Message("assistant", (Text("said too"),)),
            user(shown("red"), Text("third?")),
        ],
        [user(Text("confuse"))],
        [user(Video("a.mp4"), Text("what?"))],
    )
    got = [json.loads(reply.text) for reply in replies[:3]]
    fields = {"max_new_tokens": 500, "do_sample": False}
    default = {"history": [], "system": "You are a helpful assistant.", "fields": fields}
    assert got[0] == {"query": "Picture 1: #ff0000\nwhat?", **default}
    assert got[1] == {"query": "which?Picture 1: #00ff00\nPicture 2: #0000ff\nor?", **default}
    assert got[2] == {
        "query": "Picture 1: #ff0000\nthird?",
        "history": [["Picture 1: #ffffff\nfirst?Picture 2: #000000\n", "said"], ["second?", "said too"]],
        "system": "Be brief.",
        "fields": fields,
    }
    assert replies[0].finish_reason == "stop"
    assert replies[0].usage.completion_tokens == len(replies[0].text) + 2
    assert isinstance(replies[3], BadRequest)
    assert "KeyError: 'confused'" in str(replies[3])
    assert isinstance(replies[4], BadRequest)
    assert "takes no videos" in str(replies[4])


async def test_drawing_depends_on_the_seed_and_the_question_only(folder: Path) -> None:
    red, blue = [user(shown("red"), Text("?"))], [user(shown("blue"), Text("?"))]
    fields = {"temperature": 0.5, "top_p": 0.9, "repetition_penalty": 1.1}
    first = [json.loads(reply.text) for reply in await ask_all(folder, red, blue, red, **fields)]
    again = [json.loads(reply.text) for reply in await ask_all(folder, blue, red, **fields, seed=0)]
    assert first[0]["fields"] == {"max_new_tokens": 500, "do_sample": True, **fields}
    assert first[0] == first[2] == again[1]
    assert first[1] == again[0]
    assert first[0]["drawn"] != first[1]["drawn"]


class Brief:
    """A model and its tokenizer that say one thing."""

    def from_list_format(self, listed: list[dict[str, str]]) -> str:
        return listed[0]["text"]

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def chat(self, tokenizer: object, *, query: str, **_: object) -> tuple[str, None]:
        return query, None


@pytest.mark.parametrize(("most", "finish"), [(5, "length"), (6, "stop")])
def test_an_answer_that_is_cut_says_so(most: int, finish: str) -> None:
    settings = LocalSettings("brief", "chat", generation=Generation(max_new_tokens=most))
    model = ChatModel(settings, Brief(), Brief(), "cpu")
    (answer,) = model.answer(model.prepare([[Turn("user", (Words("12345"),))]]))
    assert answer == {"text": "12345", "finish": finish, "prompt_tokens": None, "completion_tokens": 5}


async def test_a_folder_s_code_is_not_run_unless_it_is_trusted(folder: Path) -> None:
    ran = folder / "ran"
    for name in ("modeling_own.py", "tokenization_own.py"):
        code = (folder / name).read_text()
        (folder / name).write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n{code}")
    (refusal,) = await ask_all(folder, [user(Text("?"))], trust=False)
    assert isinstance(refusal, EndpointUnusable)
    assert "trust_remote_code" in str(refusal)
    assert not ran.exists()


def test_a_model_without_the_methods(tmp_path: Path) -> None:
    words_only = write_words_only(tmp_path / "words")
    with pytest.raises(Fatal, match="its tokenizer has no method from_list_format, so it is no model of the kind of"):
        load_chat_model(LocalSettings(str(words_only), "chat"), None)


def test_a_model_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="it cannot be loaded: ValueError: Unrecognized configuration class"):
        load_chat_model(LocalSettings(str(write_llava(tmp_path / "llava")), "chat"), None)

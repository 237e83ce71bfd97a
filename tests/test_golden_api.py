"""Request bodies equal the reference's: golden folder ``_api``, one test per case.

The ``retry_*`` cases describe a run's retry policy; what belongs here is how one reply of each is classed.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import PIL.features
import PIL.Image
import pytest

from eyechart.adapters.errors_http import classify
from eyechart.adapters.errors_transport import explain
from eyechart.adapters.openai_chat import completions_url
from eyechart.adapters.payload import ChatOptions, carried_system, encode_chat
from eyechart.adapters.reply import parse_reply
from eyechart.engine.media import MediaSettings, media_settings, prepare_messages
from eyechart.engine.media_video import VideoSettings
from eyechart.errors import EmptyAnswer, EndpointError, ServerFault, Transport
from eyechart.messages import Image, Message, Text, Video
from eyechart.scoring.protocol import FAILED_TEXT, VLMEVAL

FOLDER = Path(os.environ.get("EYECHART_GOLDEN", Path(__file__).parent / "golden")) / "_api"
CASES: dict[str, dict[str, Any]] = (
    json.loads((FOLDER / "payloads.json").read_text()) if (FOLDER / "payloads.json").exists() else {}
)


def _image(name: str) -> Image:
    return Image(name, path=FOLDER / "media" / name)


def _user(*parts: Image | Text | Video) -> Message:
    return Message("user", parts)


SYSTEM = Message("system", (Text("Be careful."),))
ROLES = [SYSTEM, _user(_image("small.png"), Text("Q")), Message("assistant", (Text("Best option:("),))]
# The video's address is a placeholder in the expectation: only its base name counts.
SCENARIOS: dict[str, list[list[Message]]] = {
    "text_only": [[_user(Text("Hello"), Text("second part"))]],
    "one_image": [[_user(_image("big.jpg"), Text("What is it?"))]],
    "interleaved": [
        [_user(Text("A:"), _image("small.png"), Text(""), _image("rgba.png"), _image("grey.png"), Text("Which?"))]
    ],
    "video": [[_user(Video(str(FOLDER / "media" / "clip.mp4")), Text("What happens?"))]],
    "roles": [ROLES],
    "system_persist": [
        ROLES,
        [_user(Text("next dataset"))],
        [Message("system", (Text("Other system"),)), _user(Text("third"))],
    ],
    "chat": [
        [_user(Text("u1"), _image("small.png")), Message("assistant", (Text("a1"),)), _user(Text("u2"))],
    ],
}
FAMILIES: dict[str, tuple[ChatOptions, MediaSettings]] = {
    "custom_default": (ChatOptions("srv/model-1"), media_settings(VLMEVAL, videos=VideoSettings("path"))),
    "custom_opts": (
        ChatOptions(
            "m2",
            temperature=0.3,
            max_tokens=77,
            detail="low",
            system_prompt="SYS",
            extra={"top_p": 0.5, "seed": 1, "stop": None},
        ),
        media_settings(VLMEVAL, img_size=128, videos=VideoSettings("path")),
    ),
    "lmdeploy": (
        ChatOptions("m3", style="lmdeploy", temperature=0.2, max_tokens=16384, extra={"top_k": 3}),
        media_settings(VLMEVAL),
    ),
}


def _described(url: str) -> Any:
    """Describes a data URL as the golden file does, any other address by its placeholder."""
    if not url.startswith("data:"):
        return f"<MEDIA>/{Path(url).name}"
    head, _, text = url.partition(";base64,")
    raw = base64.b64decode(text, validate=True)
    told: dict[str, Any] = {"_data_url": head, "bytes_sha256": hashlib.sha256(raw).hexdigest()}
    if head.startswith("data:image/"):
        with PIL.Image.open(io.BytesIO(raw)) as picture:
            told |= {"format": picture.format, "mode": picture.mode, "size": list(picture.size)}
            told["rgb_sha256"] = hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()
    return told


def _without_media_bytes(node: Any, *, exact: bool) -> Any:
    """Drops the hash of encoded bytes where the encoder is another one than the reference's."""
    if isinstance(node, list):
        return [_without_media_bytes(item, exact=exact) for item in node]
    if not isinstance(node, dict):
        return node
    dropped = () if exact or "rgb_sha256" not in node else ("bytes_sha256",)
    return {name: _without_media_bytes(item, exact=exact) for name, item in node.items() if name not in dropped}


def _sent(messages: list[Message], options: ChatOptions, settings: MediaSettings) -> Any:
    request = encode_chat(prepare_messages(messages, settings), options)
    body = b"".join(request.chunks)
    assert len(body) == request.size
    payload = json.loads(body)
    for message in payload["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else ():
            for kind in ("image_url", "video_url"):
                if kind in part:
                    part[kind]["url"] = _described(part[kind]["url"])
    return payload


@pytest.mark.parametrize("case", [name for name in CASES if "/retry_" not in name])
def test_requests_equal_the_references(case: str) -> None:
    family, _, scenario = case.partition("/")
    assert family in FAMILIES, f"no options are known for {family}"
    assert scenario in SCENARIOS, f"no messages are known for {scenario}"
    options, settings = FAMILIES[family]
    turbo = PIL.features.check_feature("libjpeg_turbo") or False
    expected = CASES[case]["requests"]
    assert len(expected) == len(SCENARIOS[scenario])
    carried: tuple[Message, ...] = ()
    for messages, request in zip(SCENARIOS[scenario], expected, strict=True):
        payload = _sent([*carried, *messages], options, settings)
        carried = carried_system(carried, messages)
        assert _without_media_bytes(payload, exact=turbo) == _without_media_bytes(request["payload"], exact=turbo)
        assert completions_url("http://h:1") == request["url"]


def _reply(content: str | None) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}).encode()


ONE_REPLY: dict[str, type[EndpointError] | str] = {
    "retry_all_500": ServerFault,
    "retry_http500_then_ok": ServerFault,
    "retry_exception_then_500": ServerFault,
    "retry_empty_text": EmptyAnswer,
    "retry_null_content": EmptyAnswer,
    # An answer like any other; taking it for a failed request is the reference's policy, not a fault of the reply.
    "retry_fail_text": FAILED_TEXT,
    "retry_spaces": "B",
}


@pytest.mark.parametrize("case", [name for name in CASES if "/retry_" in name])
def test_one_reply_of_each_retry_case(case: str) -> None:
    scenario = case.partition("/")[2]
    if scenario == "retry_exception":
        broken = explain(ConnectionResetError("reset"), "http://h:1", total_s=330, connect_s=30)
        assert type(broken) is Transport
        return
    expected = ONE_REPLY[scenario]
    if expected is ServerFault:
        error = classify(500, {}, b'{"error": "boom"}')
        assert type(error) is ServerFault
        assert error.retryable
    elif expected is EmptyAnswer:
        with pytest.raises(EmptyAnswer) as caught:
            parse_reply(_reply("" if scenario == "retry_empty_text" else None))
        assert caught.value.retryable
    else:
        assert parse_reply(_reply(f"  {expected} \n")).text == expected


def test_the_golden_cases_are_there() -> None:
    assert len(CASES) >= 20

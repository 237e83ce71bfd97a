"""The mock server as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest


@contextmanager
def process(*arguments):
    command = [sys.executable, "-m", "eyechart.mockserver", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def post(url, text):
    body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
    request = urllib.request.Request(url, data=body)  # noqa: S310 - the address is the server's own
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return json.load(response)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_on_a_signal(number):
    with process("--set", "mode=fixed", "--set", "text=here") as running:
        line = json.loads(running.stdout.readline())
        assert line["pid"] == running.pid
        assert line["url"] == line["base_url"] + "/chat/completions"
        assert post(line["url"], "Q") == "here"
        running.send_signal(number)
        assert running.wait(10) == 0
        assert running.stderr.read() == ""


def test_it_ends_with_its_standard_input():
    with process("--stop-with-stdin") as running:
        assert running.stdout.readline()
        running.stdin.close()
        assert running.wait(10) == 0
        assert running.stderr.read() == ""


def test_a_wrong_setting_is_told_without_a_traceback():
    with process("--set", "latencie=1") as running:
        assert running.wait(10) == 1
        assert running.stderr.read() == "mock server: unknown setting 'latencie' (did you mean 'latency'?)\n"

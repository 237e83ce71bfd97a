"""llama.cpp's own HTTP server as a process: ``python llamacpp_process.py TEXT.gguf EYE.gguf PORT NAME``.

Prints its address once it listens; ends when its standard input does, so that it never outlives the test that began it.
"""

from __future__ import annotations

import os
import sys

import xllamacpp


def main() -> None:
    """Serves until standard input ends."""
    text, eye, port, name = sys.argv[1:]
    settings = xllamacpp.CommonParams()
    settings.model.path = text
    settings.mmproj.path = eye
    settings.hostnames = ["127.0.0.1"]
    settings.port = int(port)
    settings.model_alias = {name}
    settings.use_jinja = True
    settings.n_parallel = 4
    settings.n_ctx = 4 * 4096  # shared by the four
    settings.cpuparams.n_threads = 1  # more would only wait for each other, the model is so small
    settings.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(settings)
    sys.stdout.write(f"READY {server.listening_address}\n")
    sys.stdout.flush()
    while os.read(0, 1024):
        pass


if __name__ == "__main__":
    main()

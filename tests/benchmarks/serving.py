"""A `flowshelf serve` of its own process, or another server, and how quickly it answers."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

WAIT_SECONDS = 30.0


@contextmanager
def flowshelf(data_dir: Path, **environ: str) -> Iterator[tuple[str, int]]:
    """Its address and process id."""
    port = free_port()
    command = [sys.executable, "-m", "webapp", "serve", "--data-dir", str(data_dir), "--port", str(port)]
    with running(command, port, **environ) as process:
        yield f"http://127.0.0.1:{port}", process.pid


@contextmanager
def running(command: list[str], port: int, **environ: str) -> Iterator[subprocess.Popen]:
    """A server's process, from the moment it answers until it is ended."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=os.environ | environ, **quiet)
    try:
        wait_for_answer(process, port)
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for_answer(process: subprocess.Popen, port: int) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with Browser(f"http://127.0.0.1:{port}") as browser:
                return browser.get("/")
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"{process.args} does not answer")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def beside(program: str) -> str | None:
    """A program of this Python's own folder, or of the machine."""
    own = Path(sys.executable).with_name(program)
    return str(own) if own.exists() else shutil.which(program)


class Browser:
    """One connection that stays open, as a browser's does."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WAIT_SECONDS)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def get(self, path: str, **headers: str) -> bytes:
        return self._asked("GET", path, None, {"Accept-Encoding": "gzip", **headers})

    def post(self, path: str, **fields: str) -> bytes:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._asked("POST", path, urlencode(fields), form)

    def get_json(self, path: str):
        return json.loads(self._asked("GET", path, None, {}))

    def post_json(self, path: str, value: object):
        form = {"Content-Type": "application/json"}
        return json.loads(self._asked("POST", path, json.dumps(value), form))

    def _asked(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> bytes:
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path} was answered with {response.status}: {content[:200]!r}")
        return content

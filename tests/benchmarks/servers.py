"""Starts servers, each in its own process: installed programs and Python functions; and asks them."""

import http.client
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from .measuring import PEAKS, memory_mb

WAIT_SECONDS = 30.0
MAX_REQUEST_BYTES = 64 * 1024
TABLE = "veo3_image_generations"


@dataclass(frozen=True, slots=True)
class Program:
    """A program that shows a data folder; `page` is 60 rows, newest first. It may need a `config` in it."""

    name: str
    command: str
    page: str
    config: str = ""


FLOWSHELF = Program("Flowshelf", "python -m webapp serve --data-dir {folder} --port {port}", "/grid")
DEMO = Program("Flowshelf demo", "python -m webapp demo --port {port}", "/grid")
PEERS = (
    Program("sqlite-web", "sqlite_web -p {port} -x -r {file}", f"/{TABLE}/content/?ordering=-created_at"),
    Program(
        "datasette", "datasette serve {file} -p {port}", f"/flowshelf/{TABLE}?_sort_desc=created_at&_size=60"
    ),
)
# `user root` counts for root alone, whose workers could not read the folder otherwise.
NGINX_CONFIG = """
user root; worker_processes auto; daemon off; pid {folder}/nginx.pid; events {{}}
http {{
    client_body_temp_path {folder}/nginx; proxy_temp_path {folder}/nginx; fastcgi_temp_path {folder}/nginx;
    uwsgi_temp_path {folder}/nginx; scgi_temp_path {folder}/nginx;
    access_log off; sendfile on; tcp_nopush on;
    server {{ listen 127.0.0.1:{port}; root {folder}; location = / {{ return 204; }} }}
}}"""
NGINX = Program("nginx", "nginx -c {folder}/nginx.conf -p {folder} -e stderr", "/", NGINX_CONFIG)


@contextmanager
def serving(program: Program, data_dir: Path, **environ: str) -> Iterator[tuple[str, int] | None]:
    """The URL and process id of a program from its first response on; None when it is not installed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    places = {"folder": data_dir, "file": data_dir / "flowshelf.sqlite3", "port": port}
    name, *arguments = (word.format(**places) for word in program.command.split())
    path = find_program(name)
    if path is None:
        yield None
        return
    if program.config:
        (data_dir / f"{name}.conf").write_text(program.config.format(**places))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([path, *arguments], env=os.environ | environ, **quiet)
    try:
        _wait_for_response(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", process.pid
        if program is FLOWSHELF:
            PEAKS.append(memory_mb(process.pid, peak=True))
    finally:
        process.terminate()
        process.wait()


def find_program(name: str) -> str | None:
    """A program in the folder of this Python, on the PATH, or where Debian keeps nginx."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin")


def _wait_for_response(process: subprocess.Popen, url: str) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), Browser(url) as browser:
            browser.get("/")
            return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args} does not respond")


@contextmanager
def spawned(serve: Callable, *arguments: object) -> Iterator:
    """What `serve(connection, *arguments)` sends through its connection; its process ends with the block."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, *arguments), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def serve_bodies(ready, body_of: Callable[..., tuple[bytes, ...]], *arguments: object) -> None:
    """A server faster than its clients: `body_of(head of the request, *arguments)` is the JSON, in chunks."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        ready.send("http://127.0.0.1:{1}".format(*listening.getsockname()))
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_respond, args=(connection, body_of, arguments), daemon=True).start()


def _respond(connection: socket.socket, body_of: Callable, arguments: tuple) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, suppress(OSError):
        while head := _next_request(connection):
            first, *others = body_of(head, *arguments)
            length = len(first) + sum(map(len, others))
            status = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            connection.sendall(status.encode() + first)
            for chunk in others:
                connection.sendall(chunk)


def _next_request(connection: socket.socket) -> bytes:
    """The head of the next request; empty when the client has closed the connection."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < MAX_REQUEST_BYTES:
        chunk = connection.recv(MAX_REQUEST_BYTES)
        if not chunk:
            return b""
        head += chunk
    return head


@contextmanager
def temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder:
        yield Path(folder)


class Browser:
    """One connection that stays open, like a browser's."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WAIT_SECONDS)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def get(self, path: str) -> bytes:
        return self._ask("GET", path, None, {"Accept-Encoding": "gzip"})

    def post(self, path: str, **fields: str) -> bytes:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(fields), form)

    def api(self, method: str, path: str, value: object = None):
        json_type = {"Content-Type": "application/json"}
        return json.loads(self._ask(method, path, value and json.dumps(value), json_type))

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> bytes:
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {content[:200]!r}")
        return content

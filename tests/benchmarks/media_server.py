"""A media service that is faster than everybody who asks it: each answer lies ready in memory.

It knows nothing but the way an answer looks; what may be asked and by whom is the simulated Flow's to say.
"""

import base64
import json
import multiprocessing
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from urllib.parse import unquote

from PIL import Image

PICTURE_BYTES = 465_000
PICTURE_SIZE = (1376, 768)
MAX_REQUEST_BYTES = 64 * 1024


def picture(size_bytes: int = PICTURE_BYTES) -> bytes:
    """A JPEG of Flow's usual size in pixels, as near below `size_bytes` as its quality allows."""
    bands = [Image.effect_noise(PICTURE_SIZE, 40) for _ in range(3)]
    for quality in range(95, 0, -1):
        encoded = BytesIO()
        Image.merge("RGB", bands).save(encoded, "JPEG", quality=quality)
        if encoded.tell() <= size_bytes:
            return encoded.getvalue()
    raise ValueError("no JPEG is that small")


def serving(content: bytes) -> AbstractContextManager[str]:
    """The address of a service, in a process of its own, that shows `content` for every name."""
    return responding(_response, base64.b64encode(content))


@contextmanager
def responding(response: Callable[..., None], *given: object) -> Iterator[str]:
    """The address of a process of its own that hands each connection, and what is `given`, to `answer`."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_listen, args=(there, response, given), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def _listen(ready, response: Callable[..., None], given: tuple) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        ready.send(listening.getsockname()[1])
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=response, args=(connection, *given), daemon=True).start()


def _response(connection: socket.socket, encoded: bytes) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while asked := request_of(connection):
            name = json.dumps(unquote(asked.split(b" ")[1].decode().split("?")[0].removeprefix("/v1/media/")))
            before = f'{{"name":{name},"userUploadedImage":{{"image":"'.encode()
            after = b'","aspectRatio":"IMAGE_ASPECT_RATIO_LANDSCAPE"}}'
            length = len(before) + len(encoded) + len(after)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            try:
                connection.sendall(head.encode() + before)
                connection.sendall(encoded)
                connection.sendall(after)
            except OSError:
                return


def request_of(connection: socket.socket) -> bytes:
    """The head of the next request on a connection; empty when there is none any more."""
    kept = b""
    while b"\r\n\r\n" not in kept and len(kept) < MAX_REQUEST_BYTES:
        try:
            chunk = connection.recv(MAX_REQUEST_BYTES)
        except OSError:
            return b""
        if not chunk:
            return b""
        kept += chunk
    return kept

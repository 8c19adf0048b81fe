"""Download throughput: whole images from a server that is never the slowest part.

The other programs fetch the same JSON and do not decode it.
"""

import base64
import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from statistics import median
from urllib.parse import unquote

from webapp.demo import FlowServer, World

from .measuring import PEAKS, Row, in_own_process, memory_mb, seconds_of
from .phases import download_seconds, opened, sync
from .servers import find_program, serve_bodies, spawned, temporary_folder
from .shelves import jpeg

WORKERS = 8
# A peer's command, its list of URLs line by line, and the ratio aimed at.
ARIA2C = f"aria2c -i urls -j{WORKERS} -x1 --file-allocation=none -q", "{url}\n out={n}.out\n", ">= 1.3x"
CURL = f"curl -s -Z --parallel-max {WORKERS} -K urls", 'url = "{url}"\noutput = "{n}.out"\n', ">= 0.4x"
# It knows an image by the end of its URL.
GALLERY_DL = "gallery-dl --config-ignore -q -D . -f {filename}.out -i urls", "{url}.jpg\n", ""
PEERS = {
    f"aria2c -j{WORKERS}": ARIA2C,
    f"curl -Z --parallel-max {WORKERS}": CURL,
    "gallery-dl, one at a time": GALLERY_DL,
}


def measure(quick: bool) -> Iterator[Row]:
    count, content = 100 if quick else 400, jpeg()
    seconds, peaks = defaultdict(list), []
    with media_service(content) as media_url, FlowServer(World(uploaded=count)) as flow:
        urls = [f"{media_url}/v1/media/{name}" for name in flow.world.names()]
        for _ in range(1 if quick else 5):
            ours, peak = in_own_process(_ours, flow.url, media_url, flow.world.cookie_header())
            seconds["ours"].append(ours)
            peaks.append(peak)
            for name, (command, line, _) in PEERS.items():
                seconds[name].append(peer_seconds(command.split(), line, urls))
    rates = {name: count / median(values) for name, values in seconds.items() if None not in values}
    what = f"{count} images of {len(content) // 1000} KB, {WORKERS} workers"
    for name, (*_, target) in PEERS.items():
        yield Row(what, rates["ours"], "/s", target, name, rates.get(name))
    PEAKS.append(max(peaks))
    yield Row("peak memory of that", max(peaks), "MB", "<= 150 MB")


def media_service(content: bytes):
    """The URL of a media service that delivers `content` under every name."""
    return spawned(serve_bodies, _media, base64.b64encode(content))


def _media(head: bytes, encoded: bytes) -> tuple[bytes, ...]:
    name = json.dumps(unquote(head.split(b" ")[1].decode().split("?")[0].removeprefix("/v1/media/")))
    before = f'{{"name":{name},"userUploadedImage":{{"image":"'.encode()
    return before, encoded, b'","aspectRatio":"IMAGE_ASPECT_RATIO_LANDSCAPE"}}'


def _ours(labs_url: str, media_url: str, cookies: str) -> tuple[float, float]:
    settings = {"media_url": media_url, "download_workers": WORKERS, "page_size": 200}
    with opened(labs_url, cookies, **settings) as shelf:
        sync(*shelf)
        return download_seconds(*shelf), memory_mb(peak=True)


def peer_seconds(command: list[str], line: str, urls: list[str]) -> float | None:
    """The time a peer takes to fetch all URLs into files; None when it is not installed."""
    path = find_program(command[0])
    if path is None:
        return None
    with temporary_folder() as folder:
        (folder / "urls").write_text("".join(line.format(url=url, n=n) for n, url in enumerate(urls)))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        seconds = seconds_of(lambda: subprocess.run([path, *command[1:]], check=True, cwd=folder, **quiet))
        assert sum(path.stat().st_size > 0 for path in folder.glob("*.out")) == len(urls), command
        return seconds

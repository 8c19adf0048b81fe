"""Download throughput: whole images from a server that is never the slow one.

aria2c and curl fetch the same JSON and decode nothing; the shell pipeline is what people script.
"""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks import media_server, working
from tests.benchmarks.measuring import (
    Row,
    Scale,
    at_most,
    faster_than,
    in_own_process,
    median,
    peak_mb,
    seconds_of,
)
from webapp.demo import FlowServer, World

WORKERS = 8


def measure(scale: Scale) -> Iterator[Row]:
    count = scale.of(400, 100)
    content = media_server.picture()
    rates: dict[str, list[float | None]] = {}
    peaks = []
    with media_server.serving(content) as media_url, FlowServer(World(uploaded=count)) as flow:
        urls = [f"{media_url}/v1/media/{name}" for name in flow.world.names()]
        cookies = flow.world.cookie_header()
        for _ in range(scale.of(5, 1)):
            seconds, peak = in_own_process(_ours, flow.url, media_url, cookies)
            rates.setdefault("ours", []).append(count / seconds)
            peaks.append(peak)
            for name, peer in PEERS.items():
                rates.setdefault(name, []).append(_rate(peer, urls))
            rates.setdefault("disk", []).append(count / _write_seconds(content, count))
    ours = median(rates["ours"])
    what = f"{count} images of {len(content) // 1000} KB, {WORKERS} workers"
    for (name, _), times in zip(PEERS.items(), (1.5, 1 / 3, 8), strict=True):
        yield faster_than(what, ours, name, _median(rates[name]), times)
    yield faster_than(what, ours, "the same bytes written to disk", median(rates["disk"]))
    yield at_most("peak memory of that", max(peaks), "MB", 200)


def _ours(labs_url: str, media_url: str, cookies: str) -> tuple[float, float]:
    settings = {"media_url": media_url, "download_workers": WORKERS, "page_size": 200}
    with working.working(labs_url, cookies, **settings) as (work, profile_id):
        working.sync(work, profile_id)
        return working.download(work, profile_id), peak_mb()


def _rate(peer: Callable[[list[str], Path], list[str] | None], urls: list[str]) -> float | None:
    with tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder:
        command = peer(urls, Path(folder))
        if command is None:
            return None
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        seconds = seconds_of(lambda: subprocess.run(command, check=True, cwd=folder, **quiet))
        files = [path for path in Path(folder).glob("*.out") if path.stat().st_size]
        assert len(files) == len(urls), f"{command[0]} left {len(files)} files"
        return len(urls) / seconds


def _aria2c(urls: list[str], folder: Path) -> list[str] | None:
    listed = folder / "urls.txt"
    listed.write_text("".join(f"{url}\n out={place}.out\n" for place, url in enumerate(urls)))
    return _there("aria2c", "-i", str(listed), f"-j{WORKERS}", "-x1", "--file-allocation=none", "-q")


def _curl(urls: list[str], folder: Path) -> list[str] | None:
    listed = folder / "urls.txt"
    listed.write_text("".join(f'url = "{url}"\noutput = "{place}.out"\n' for place, url in enumerate(urls)))
    return _there("curl", "-s", "-Z", "--parallel-max", str(WORKERS), "-K", str(listed))


def _shell(urls: list[str], folder: Path) -> list[str] | None:
    if not all(map(shutil.which, ("curl", "jq", "base64", "xargs"))):
        return None
    listed = folder / "urls.txt"
    listed.write_text("".join(f"{place} {url}\n" for place, url in enumerate(urls)))
    one = 'curl -s "$2" | jq -r .userUploadedImage.image | base64 -d > "$1.out"'
    return ["sh", "-c", f"xargs -P{WORKERS} -L1 sh -c {shlex.quote(one)} one < urls.txt"]


PEERS = {
    f"aria2c -j{WORKERS}": _aria2c,
    f"curl -Z --parallel-max {WORKERS}": _curl,
    f"xargs -P{WORKERS}: curl | jq | base64": _shell,
}


def _there(*command: str) -> list[str] | None:
    return list(command) if shutil.which(command[0]) else None


def _write_seconds(content: bytes, count: int) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="flowshelf-bench-") as folder,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        places = [Path(folder, str(place)) for place in range(count)]
        return seconds_of(lambda: list(pool.map(lambda path: path.write_bytes(content), places)))


def _median(values: list[float | None]) -> float | None:
    return median(values) if None not in values else None

"""Few file descriptors: connections wait, and the server neither spins nor floods its log."""

import json
import os
import resource
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from webapp import store
from webapp.cli.descriptors import max_connections, max_threads
from webapp.demo import World


@pytest.mark.parametrize(("descriptors", "expected"), [(64, 8), (256, 64), (1024, 448), (4096, 500)])
def test_the_number_of_connections_follows_from_the_descriptors(descriptors, expected):
    assert max_connections(descriptors, wanted=500) == expected


@pytest.mark.parametrize(
    ("descriptors", "wanted", "expected"),
    [(64, 12, 3), (20, 12, 2), (256, 12, 12), (256, 64, 12), (4096, 64, 64)],
)
def test_the_number_of_threads_follows_from_the_descriptors(descriptors, wanted, expected):
    assert max_threads(descriptors, wanted) == expected


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def serve(config, tmp_path):
    """Starts `flowshelf serve` with limits of open files; returns the process, its port and its log."""
    processes = []

    def start(soft, hard):
        environ = os.environ | {"FLOWSHELF_DATA_DIR": str(config.data_dir), "FLOWSHELF_PORT": "0"}
        command = [sys.executable, "-m", "webapp", "serve"]
        log = tmp_path / "log"
        with log.open("w") as file:
            process = subprocess.Popen(
                ["sh", "-c", f'ulimit -Sn {soft}; ulimit -Hn {hard}; exec "$@"', "sh", *command],
                env=environ,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        processes.append(process)
        port = int(process.stdout.readline().split("/  (")[0].rpartition(":")[2])
        return process, port, log

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=20)


def test_the_soft_limit_of_open_files_is_raised(serve):
    process, _, _ = serve(256, 2048)
    assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (2048, 2048)


def test_without_a_descriptor_connections_wait_and_the_server_rests(serve, wait_until):
    process, port, log = serve(64, 64)
    # The rest of its descriptors is taken away, as by many threads.
    used = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 2, 64))
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        wait_until(lambda: "have to wait" in log.read_text())
        before = cpu_seconds(process.pid)
        with pytest.raises(TimeoutError):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 2)).recv(1)
        assert cpu_seconds(process.pid) - before < 0.5
    assert log.read_text().count("have to wait") == 1
    assert "Traceback" not in log.read_text()
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (64, 64))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=20) as response:
        assert response.status == 200


def post(port, path, **body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["data"]


def test_with_few_descriptors_as_many_downloads_as_asked_for_share_few_threads(
    serve, flow, world, monkeypatch
):
    for name, value in {
        "FLOWSHELF_LABS_URL": flow.url,
        "FLOWSHELF_MEDIA_URL": flow.url,
        "FLOWSHELF_PICTURE_HOSTS": flow.picture_host,
        "FLOWSHELF_PAGE_DELAY": "0",
        "FLOWSHELF_DOWNLOAD_WORKERS": "40",
    }.items():
        monkeypatch.setenv(name, value)
    process, port, log = serve(64, 64)
    profile_id = post(port, "/api/profiles", name="Ada", cookies=world.cookie_header())["profileId"]
    post(port, "/api/image-veo3/sync-metadata", profileId=profile_id)
    with flow.holding("media"):
        run_id = post(port, "/api/image-veo3/download-batch", profileId=profile_id, pending=True, wait=False)[
            "runId"
        ]
        assert threads(process.pid) < 24
    done = post(port, "/api/image-veo3/download-batch", profileId=profile_id, pending=True)
    assert (run_id is not None, done["failed"]) == (True, 0)
    assert flow.max_parallel("media") <= max_threads(64, 40)
    assert "Too many open files" not in log.read_text()


def threads(pid):
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_each_profile_downloads_and_a_free_thread_goes_to_the_next(work, flow, world, wait_until):
    """Two profiles, and threads for one of them."""
    work.downloads.max_threads = 1
    other = World(uploaded=10, tiny_pictures=True, seed=7, email="grace@example.com")
    flow.add_world(other)
    with store.connection():
        ids = [
            work.accounts.add(name, each.cookie_header()).id
            for name, each in (("Ada", world), ("Grace", other))
        ]
        for profile_id in ids:
            work.syncs.wait(work.syncs.start(profile_id, histories=("ASSET_MANAGER",)).id)
        with flow.holding("media") as gate:
            runs = [work.downloads.request_pending(profile_id, 5).id for profile_id in ids]
            wait_until(lambda: all(work.downloads.is_working(profile_id) for profile_id in ids))
            assert gate
        assert [work.downloads.wait_for_run(run_id).done_count for run_id in runs] == [5, 5]
    assert flow.max_parallel("media") <= 2

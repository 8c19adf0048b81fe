"""Few file descriptors: connections wait, and the server neither spins nor floods its log."""

import os
import resource
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from webapp.cli.server import max_connections


@pytest.mark.parametrize(("descriptors", "expected"), [(64, 8), (256, 128), (1024, 896), (4096, 2000)])
def test_the_number_of_connections_follows_from_the_descriptors(descriptors, expected):
    assert max_connections(descriptors) == expected


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

"""Visitors of another machine, which a network namespace stands for. Only root can make one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST, VISITORS = "10.123.7.1", [f"10.123.7.{number}" for number in range(11, 17)]
OWNER_ELSEWHERE = "10.123.7.20"
PORT = "8765"
# Opens a hundred connections from each address, half of them in the middle of a header, and holds them.
HOLD = f"""
import socket, sys
held = []
for address in {VISITORS!r}:
    for number in range(100):
        held.append(socket.create_connection(("{HOST}", {PORT}), 10, source_address=(address, 0)))
        if number % 2:
            held[-1].sendall(b"GET / HTTP/1.1\\r\\nX-Slow: ")
print(len(held), flush=True)
sys.stdin.read()
"""
# The status of a request with the owner's code, from one address to another.
ASK = """
import http.client, sys
source, host, code = sys.argv[1:]
connection = http.client.HTTPConnection(host, 8765, timeout=10, source_address=(source, 0))
connection.request("GET", "/share", headers={"Authorization": f"Bearer {code}"})
print(connection.getresponse().status)
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def inside(namespace, *arguments, **options):
    command = ["ip", "netns", "exec", namespace, sys.executable, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


@pytest.fixture
def two_machines():
    """The names of two namespaces that a cable connects, and that nothing else can reach."""
    here, there = (f"flowshelf-{name}-{os.getpid()}" for name in ("here", "there"))
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("only root can make a network namespace")
    try:
        for name in (here, there):
            try:
                ip("netns", "add", name)
            except subprocess.CalledProcessError:
                pytest.skip("no network namespaces on this machine")
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "cable", "netns", here, "type", "veth", "peer", "name", "cable", "netns", there)
        for name, addresses in ((here, [HOST]), (there, [*VISITORS, OWNER_ELSEWHERE])):
            for address in addresses:
                ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
        yield here, there
    finally:
        for name in (here, there):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@pytest.mark.proof
def test_six_hundred_held_connections_shut_the_owner_out_neither_here_nor_elsewhere(two_machines, tmp_path):
    here, there = two_machines
    options = ("--share", "--host", "0.0.0.0", "--port", PORT, "--data-dir", str(tmp_path / "data"))
    server = inside(here, "-m", "webapp", "serve", *options, stderr=subprocess.DEVNULL)
    holding = None
    try:
        while b"/enter?code=" not in server.stdout.readline():
            assert server.poll() is None
        code = json.loads((tmp_path / "data" / "share.json").read_text())["owner"]
        assert ask(here, "127.0.0.1", "127.0.0.1", code) == b"200"
        holding = inside(there, "-c", HOLD)
        assert holding.stdout.readline() == b"600\n"
        assert ask(here, "127.0.0.1", "127.0.0.1", code) == b"200"
        assert ask(there, OWNER_ELSEWHERE, HOST, code) == b"200"
    finally:
        for process in filter(None, (holding, server)):
            process.kill()
            process.communicate()


def ask(namespace, source, host, code):
    return inside(namespace, "-c", ASK, source, host, code, stderr=subprocess.PIPE).communicate()[0].strip()

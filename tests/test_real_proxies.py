"""tinyproxy and microsocks between a shelf and the simulated Flow.

Loopback is never proxied, so Flow has a name that only a hosts file knows. A network namespace has a hosts
file of its own. Only root can make one.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from networks import Authority

HOST = "flow.example"
ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "Tr0ub4dor3"  # tinyproxy takes letters and digits only
# Asks the doctor, and if all is well syncs and downloads everything. Prints what came of it.
SHELF = """
import json, ssl, sys
from urllib.parse import urlsplit
from webapp import create_app, store
from webapp.config import read_config
from webapp.demo import FlowServer, World
from webapp.maintenance.doctor import check_services
from webapp.web.services import background_of

certificate, key = sys.argv[1:]
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
config = read_config()
world = World(uploaded=20, generated=0, tiny_pictures=True)
with FlowServer(world, urlsplit(config.flow_url).port, tls=tls) as flow:
    flow.service.urls.base = config.flow_url
    checks = list(check_services(config))
    result = {"doctor": [check.sentence for check in checks]}
    if all(check.is_well for check in checks):
        work = background_of(create_app(config))
        work.start()
        with store.connection():
            profile = work.accounts.add("Ada", world.cookie_header())
            result["sync"] = work.syncs.wait(work.syncs.start(profile.id).id).state
            run = work.downloads.wait_for_run(work.downloads.request_pending(profile.id).id)
            result |= {"done": run.done_count, "failed": run.failed_count}
        work.stop()
    print(json.dumps(result))
"""

pytestmark = pytest.mark.proof


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def namespace(tmp_path_factory):
    """The name of a network namespace with a loopback and a hosts file of its own."""
    name = f"flowshelf-proxy-{os.getpid()}"
    files = Path("/etc/netns") / name
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("only root can make a network namespace")
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError:
        pytest.skip("no network namespaces on this machine")
    try:
        ip("-n", name, "link", "set", "lo", "up")
        files.mkdir(parents=True)
        (files / "hosts").write_text(f"127.0.0.1 localhost {HOST}\n")
        yield name
    finally:
        shutil.rmtree(files, ignore_errors=True)
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def program(name: str) -> str:
    """The path of a program. Without it the test is skipped, or fails in CI."""
    if found := shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin"):
        return found
    if os.environ.get("FLOWSHELF_REQUIRE_BROWSER"):
        pytest.fail(f"{name} is missing")
    pytest.skip(f"needs {name} (Debian: apt-get install {name})")


def tinyproxy(folder: Path, port: int) -> list[str]:
    settings = folder / "tinyproxy.conf"
    lines = [f"Port {port}", "Listen 127.0.0.1", f"BasicAuth ada {PASSWORD}", "LogLevel Critical"]
    settings.write_text("\n".join(lines) + "\n")
    return [program("tinyproxy"), "-d", "-c", str(settings)]


def microsocks(folder: Path, port: int) -> list[str]:
    return [program("microsocks"), "-i", "127.0.0.1", "-p", str(port), "-u", "ada", "-P", PASSWORD]


PROXIES = {"http": tinyproxy, "socks5": microsocks, "socks5h": microsocks}


@contextmanager
def listening_in(namespace: str, command: list[str], port: int):
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(namespace, port)
        yield
    finally:
        process.terminate()
        process.wait(10)


def wait_for(namespace: str, port: int) -> None:
    ask = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1).close()"
    until = time.monotonic() + 15
    while subprocess.run(
        ["ip", "netns", "exec", namespace, sys.executable, "-c", ask], check=False, capture_output=True
    ).returncode:
        assert time.monotonic() < until, f"nothing listens on port {port}"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return free.getsockname()[1]


def shelf(namespace: str, folder: Path, authority: Authority, proxy: str, variable: str) -> dict:
    url = f"https://{HOST}:{free_port()}"
    environ = os.environ | {
        **dict.fromkeys(("FLOWSHELF_LABS_URL", "FLOWSHELF_MEDIA_URL", "FLOWSHELF_FLOW_URL"), url),
        "FLOWSHELF_PICTURE_HOSTS": url.removeprefix("https://"),
        "FLOWSHELF_DATA_DIR": str(folder / "data"),
        "FLOWSHELF_PAGE_DELAY": "0",
        "FLOWSHELF_CA_BUNDLE": str(authority.certificate),
        variable: proxy,
    }
    files = authority.server_files(HOST)
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", SHELF, *map(str, files)]
    done = subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("variable", ["FLOWSHELF_PROXY", "HTTPS_PROXY"])
@pytest.mark.parametrize("scheme", PROXIES)
def test_a_shelf_behind_a_real_proxy_syncs_and_downloads(namespace, tmp_path, scheme, variable):
    port = free_port()
    with ExitStack() as stack:
        stack.enter_context(listening_in(namespace, PROXIES[scheme](tmp_path, port), port))
        url = f"{scheme}://ada:{PASSWORD}@127.0.0.1:{port}"
        found = shelf(namespace, tmp_path, Authority(tmp_path / "authority"), url, variable)
    assert (found["sync"], found["done"], found["failed"]) == ("done", 20, 0), found
    assert all(f"by the proxy 127.0.0.1:{port}" in sentence for sentence in found["doctor"][:3])


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_real_proxy_that_wants_a_password_is_named(namespace, tmp_path, scheme):
    port = free_port()
    with listening_in(namespace, PROXIES[scheme](tmp_path, port), port):
        url = f"{scheme}://127.0.0.1:{port}"
        found = shelf(namespace, tmp_path, Authority(tmp_path / "authority"), url, "FLOWSHELF_PROXY")
    assert f"The proxy 127.0.0.1:{port} asks for a name and password" in found["doctor"][0]
    assert "sync" not in found

"""The password of a proxy goes to the proxy, and is found nowhere else, whatever fails."""

import json
import re
import shutil
import signal
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from networks import Authority, SmallProxy
from test_process import Shelf

from webapp.demo import FlowServer

HOST = "flow.example"
PASSWORD = "Tr0ub4dor&3"
IN_URL = "Tr0ub4dor%263"
IN_HEADER = "bGlicjRyeTpUcjB1YjRkb3ImMw"  # base64 of libr4ry:Tr0ub4dor&3, as the proxy gets it
SECRETS = (PASSWORD, IN_URL, IN_HEADER, "libr4ry")
PAGES = ("/", "/overview", "/activity", "/activity/messages", "/profiles", "/settings", "/share", "/healthz")

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificates")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def flow(world, authority):
    with FlowServer(world, tls=authority.server_context(HOST)) as server:
        server.service.urls.base = f"https://{HOST}"
        yield server
        assert server.violations == []


@pytest.fixture
def proxy(flow):
    with closing(SmallProxy({HOST: int(flow.url.rpartition(":")[2])})) as proxy:
        proxy.password = f"libr4ry:{PASSWORD}"
        yield proxy


@pytest.fixture
def shelf(config, proxy, authority):
    shelf = Shelf(config)
    shelf._environ |= {
        **dict.fromkeys(
            ("FLOWSHELF_LABS_URL", "FLOWSHELF_MEDIA_URL", "FLOWSHELF_FLOW_URL"), f"https://{HOST}"
        ),
        "FLOWSHELF_PICTURE_HOSTS": HOST,
        "FLOWSHELF_PROXY": f"http://libr4ry:{IN_URL}@localhost:{proxy.port}",
        "FLOWSHELF_CA_BUNDLE": str(authority.certificate),
    }
    yield shelf
    if shelf.process and shelf.process.poll() is None:
        shelf.kill()


def read(shelf, path):
    request = Request(shelf.url.rstrip("/") + path, headers={"Accept": "text/html"})
    try:
        with urlopen(request, timeout=30) as response:
            return response.read().decode()
    except HTTPError as error:
        with error:
            return error.read().decode()


def check(text, where):
    assert not [secret for secret in SECRETS if secret in text], where


@pytest.mark.proof  # the retries of a sync take long
def test_a_shelf_behind_a_proxy_works_and_shows_its_password_nowhere(shelf, proxy, world):
    shelf.serve("-v")
    shelf.ask("/api/profiles", {"name": "Ada", "cookies": world.cookie_header()})
    profile_id = shelf.state()["profileId"]
    synced = shelf.ask("/api/image-veo3/sync-metadata", {"profileId": profile_id})
    assert (synced["synced"], synced["hasMore"]) == (3, False)
    body = {"profileId": profile_id, "imageNames": world.names()}
    assert shelf.ask("/api/image-veo3/download-batch", body)["downloaded"] == 3
    assert set(proxy.names) == {HOST}
    well = shelf.json("doctor")
    assert well["data"]["isWell"], well
    assert f"by the proxy localhost:{proxy.port}" in json.dumps(well)
    proxy.password = "another"  # from here on each request of the shelf is refused
    proxy_says = f"proxy localhost:{proxy.port} did not accept"
    shelf.kill(signal.SIGTERM)
    shelf.serve("-v")
    failed = shelf.json("doctor", code=1)
    assert proxy_says in json.dumps(failed)
    for text in (json.dumps(well), json.dumps(failed), shelf.run("doctor", code=1)):
        check(text, "doctor")
    with pytest.raises(AssertionError, match=proxy_says) as caught:
        shelf.ask("/api/image-veo3/sync-metadata", {"profileId": profile_id})
    check(str(caught.value), "the API")
    pages = {*PAGES, f"/profiles/{profile_id}", "/api/profiles", "/help/settings"}
    for path in pages | set(re.findall(r'href="(/activity[^"]*)"', read(shelf, "/activity"))):
        check(read(shelf, path), path)
    check(Path(f"/proc/{shelf.process.pid}/cmdline").read_text(), "the list of processes")
    shelf.process.send_signal(signal.SIGTERM)
    out, err = shelf.process.communicate(timeout=15)
    check(out + err, "the log")
    for path in shelf.data_dir.rglob("*"):
        if path.is_file():
            check(path.read_bytes().decode("latin-1"), path)


@pytest.mark.parametrize(
    "url",
    [
        f"http://libr4ry:{IN_URL}@localhost:99999",
        f"ftp://libr4ry:{IN_URL}@localhost",
        f"libr4ry:{PASSWORD}@x",
    ],
)
def test_a_start_with_an_invalid_url_does_not_print_it(shelf, url):
    shelf._environ["FLOWSHELF_PROXY"] = url
    for command in (["serve"], ["doctor"], ["-v", "profiles"]):
        said = shelf.run(*command, code=1)
        assert "FLOWSHELF_PROXY is not valid" in said
        check(said, command)

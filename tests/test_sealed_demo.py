"""The demo is sealed: it follows no setting that leads elsewhere, takes no real cookies, and says so."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from urllib.request import urlopen

import pytest
from bs4 import BeautifulSoup

from webapp.config import SETTINGS
from webapp.database.states import Role
from webapp.web.services import background_of, sharing_of

REAL = "; ".join(
    f"{name}=g.a000real{number}"
    for number, name in enumerate(
        (
            "SID",
            "HSID",
            "SSID",
            "APISID",
            "SAPISID",
            "__Secure-1PSID",
            "__Secure-3PSID",
            "OSID",
            "__Secure-1PSIDTS",
        )
    )
)


def test_the_demo_follows_no_setting_but_host_port_and_share_and_takes_a_free_port(tmp_path):
    followed = {"host", "port", "share", "log_level"}
    environ = os.environ | {
        # Also what is added later. Most of these would stop the start of Flowshelf with a sentence.
        **{setting.variable: "invalid" for setting in SETTINGS if setting.field not in followed},
        "FLOWSHELF_DATA_DIR": str(tmp_path / "real"),
        "FLOWSHELF_FLOW_URL": "https://flow.google.com",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
        "PYTHONUNBUFFERED": "1",
    }
    with socket.socket() as usual:
        with suppress(OSError):  # something else has the port already
            usual.bind(("127.0.0.1", 8765))
            usual.listen()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen([sys.executable, "-m", "webapp", "demo"], env=environ, **pipes) as process:
            lines = iter(process.stdout.readline, "")
            url = next((found[0] for line in lines if (found := re.search(r"http://127\S+", line))), None)
            assert url, process.stderr.read()
            assert not url.endswith(":8765/")
            with urlopen(url, timeout=30) as response:
                assert "This is a demo" in response.read().decode()
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
    assert not (tmp_path / "real").exists()


def test_the_demo_keeps_to_a_port_that_was_asked_for():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "webapp", "demo"]
        for given in ({"FLOWSHELF_PORT": port}, {}):
            option = [] if given else ["--port", port]
            done = subprocess.run(
                [*command, *option],
                env=os.environ | given,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 1
            assert f"Port {port} of 127.0.0.1 cannot be used" in done.stderr


@pytest.fixture
def demo(running):
    return running(is_sealed=True)


def test_the_demo_refuses_real_cookies_and_stores_nothing_of_them(demo, world, config):
    client = demo.test_client()
    for cookies in (REAL, f"__Secure-next-auth.session-token={'x' * 700}"):
        response = client.post("/api/profiles", json={"name": "Me", "cookies": cookies})
        assert (response.status_code, response.get_json()["code"]) == (400, "bad_cookies")
        assert "This is the demo" in response.get_json()["error"]
        assert "start “flowshelf”" in response.get_json()["error"]
    assert client.get("/api/profiles").get_json()["data"] == []
    background_of(demo).stop()
    stored = b"".join(path.read_bytes() for path in config.data_dir.rglob("*") if path.is_file())
    assert b"g.a000real" not in stored


def test_the_demo_takes_its_own_accounts(demo, world):
    response = demo.test_client().post(
        "/api/profiles", json={"name": "Ada", "cookies": world.cookie_header()}
    )
    assert response.status_code == 201


@pytest.mark.parametrize(
    "path", ["/", "/overview", "/activity", "/profiles", "/settings", "/help", "/nothing"]
)
def test_every_page_of_the_demo_says_that_it_is_one(demo, client, path):
    notes = [
        BeautifulSoup(
            each.get(path, headers={"Accept": "text/html"}, follow_redirects=True).text, "html.parser"
        ).select(".demo")
        for each in (demo.test_client(), client)
    ]
    assert [len(found) for found in notes] == [1, 0]


def test_guests_and_anonymous_visitors_of_a_demo_are_told_too(running):
    app = running(is_sealed=True, share=True, host="127.0.0.1")
    visitor = app.test_client()
    assert "This is a demo" in visitor.get("/").text
    visitor.get("/enter", query_string={"code": sharing_of(app).codes.code_of(Role.GUEST)})
    assert "This is a demo" in visitor.get("/").text

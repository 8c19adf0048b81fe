"""A real Firefox without a window, and the few commands of its remote protocol that the tests need."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

START_SECONDS = 90
# Firefox's own telemetry and updates off, so that it talks to nobody; cookies are written at once.
PREFERENCES = {
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
    "browser.sessionstore.interval": 500,
    "privacy.userContext.enabled": True,
}

_ADD = """
const [rows] = arguments;
for (const row of rows) {
  const lasts = Date.now() + 86400000 * 365;
  const origin = row.container ? {userContextId: row.container} : {};
  const scheme = Ci.nsICookie.SCHEME_HTTPS;
  Services.cookies.add(row.host, "/", row.name, row.value, true, true, row.isSession, lasts, origin,
    Ci.nsICookie.SAMESITE_UNSET, scheme);
}
return Services.cookies.cookies.length;
"""

_SAVE = """
ChromeUtils.importESModule("resource:///modules/sessionstore/SessionSaver.sys.mjs").SessionSaver.run();
"""


def find_firefox() -> str:
    """The program. Without it the test is skipped, or fails in CI."""
    found = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
    if found is None:
        missing = "no Firefox on this machine (Debian: apt-get install firefox-esr)"
        if os.environ.get("FLOWSHELF_REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


class Firefox:
    """A running Firefox with a profile folder of its own."""

    def __init__(self, folder: Path, port: int, process: subprocess.Popen) -> None:
        self.folder = folder
        self._process = process
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._buffer = b""
        self._number = 0
        self._receive()
        self.command("WebDriver:NewSession", {"capabilities": {}})
        self.command("Marionette:SetContext", {"value": "chrome"})

    def command(self, name: str, parameters: dict) -> object:
        self._number += 1
        text = json.dumps([0, self._number, name, parameters])
        self._socket.sendall(f"{len(text.encode())}:{text}".encode())
        _, _, error, result = self._receive()
        if error:
            raise AssertionError(error)
        return result

    def script(self, text: str, *arguments: object) -> object:
        return self.command("WebDriver:ExecuteScript", {"script": text, "args": list(arguments)})["value"]

    def set_cookies(
        self, cookies: dict[str, str], *, container: int | None = None, is_session: bool = False
    ) -> None:
        """Store Google's sign-in cookies under the hosts that Google sets them for."""
        rows = [
            {
                "host": "flow.google.com" if name.endswith("OSID") else ".google.com",
                "name": name,
                "value": value,
                "container": container,
                "isSession": is_session,
            }
            for name, value in cookies.items()
        ]
        self.script(_ADD, rows)

    def sign_out(self) -> None:
        """Remove all cookies."""
        self.script("Services.cookies.removeAll();")

    def save_session(self) -> None:
        """Write the open windows with their session cookies now. Otherwise it waits until something happens
        in a window."""
        self.script(_SAVE)

    def quit(self) -> None:
        """End it as a person does."""
        with_flags = {"flags": ["eForceQuit"]}
        with suppress(OSError):
            self.command("Marionette:Quit", with_flags)
        self._process.wait(30)

    def close(self) -> None:
        self._socket.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def _receive(self) -> list:
        while b":" not in self._buffer:
            self._buffer += self._read()
        length, _, self._buffer = self._buffer.partition(b":")
        while len(self._buffer) < int(length):
            self._buffer += self._read()
        message, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
        return json.loads(message)

    def _read(self) -> bytes:
        if chunk := self._socket.recv(65536):
            return chunk
        raise ConnectionError("Firefox has closed the connection")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_firefox(folder: Path) -> Iterator[Firefox]:
    """Start Firefox on a profile folder, which is made if it does not exist."""
    program, port = find_firefox(), _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'user_pref("{name}", {json.dumps(value)});' for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join([*lines, f'user_pref("marionette.port", {port});']))
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [program, "--headless", "--no-remote", "--profile", folder, "--marionette",
         "-remote-allow-system-access"],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "MOZ_HEADLESS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    firefox = None
    try:
        _wait_for_port(port, process)
        firefox = Firefox(folder, port, process)
        yield firefox
    finally:
        if firefox:
            firefox.close()
        elif process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def _wait_for_port(port: int, process: subprocess.Popen) -> None:
    pause = threading.Event()
    for _ in range(START_SECONDS * 10):
        assert process.poll() is None, "Firefox ended at its start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            pause.wait(0.1)
    raise AssertionError(f"Firefox does not listen after {START_SECONDS} seconds")

"""A Chromium with the companion loaded, driven over a pipe. No debugger is ever attached to the worker.

Playwright attaches to every target, and a worker that is debugged never ends. Here only pages are attached.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

EXTENSION_ID = "jmcllanfikigfajfbdknppfbllapgpjl"
POPUP = f"chrome-extension://{EXTENSION_ID}/popup.html"
WAIT_SECONDS = 30
# The browser reads the descriptor 3 and writes to 4.
START = """import fcntl, os, sys
pipes = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for target, pipe in enumerate(pipes, 3):
    os.dup2(pipe, target)
os.execvp(sys.argv[3], sys.argv[3:])
"""
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--remote-debugging-pipe",
    "--enable-unsafe-extension-debugging",
)


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class ExtensionHost:
    """One run of the browser on a profile folder. `close` ends it as a person does."""

    def __init__(self, program: str, profile: Path, extension: Path) -> None:
        from_browser, to_us = os.pipe()
        from_us, to_browser = os.pipe()
        command = [
            program,
            *OPTIONS,
            f"--user-data-dir={profile}",
            f"--load-extension={extension}",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(from_us), str(to_us), *command],
            pass_fds=(from_us, to_us),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        self._write = os.fdopen(to_browser, "wb", buffering=0)
        self._read = os.fdopen(from_browser, "rb")
        self._replies: dict[int, dict] = {}
        self._arrived = threading.Condition()
        self._last_id = 0
        self.tabs: list[Tab] = []
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        rest = b""
        while chunk := self._read.read1(1 << 16):
            *messages, rest = (rest + chunk).split(b"\0")
            with self._arrived:
                for message in map(json.loads, messages):
                    if "id" in message:
                        self._replies[message["id"]] = message
                self._arrived.notify_all()

    def send(self, method: str, session: str | None = None, **params: object) -> dict:
        with self._arrived:
            self._last_id += 1
            number = self._last_id
            message = {"id": number, "method": method, "params": params}
            self._write.write(
                json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
            )
            if not self._arrived.wait_for(lambda: number in self._replies, WAIT_SECONDS):
                raise TimeoutError(method)
            reply = self._replies.pop(number)
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']}")
        return reply["result"]

    def open(self, url: str) -> "Tab":
        target = self.send("Target.createTarget", url=url)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.tabs.append(Tab(self, target, session))
        return self.tabs[-1]

    def targets(self, kind: str) -> list[str]:
        """The URLs of all targets of a kind: "page", or "service_worker" while the worker lives."""
        infos = self.send("Target.getTargets")["targetInfos"]
        return [info["url"] for info in infos if info["type"] == kind]

    def close(self) -> None:
        if self._process.poll() is None:
            self.send("Browser.close")
        self._process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        self._write.close()
        self._read.close()


class Tab:
    """A page that the test looks at."""

    def __init__(self, host: ExtensionHost, target: str, session: str) -> None:
        self._host, self._target, self._session = host, target, session

    def evaluate(self, script: str) -> object:
        reply = self._host.send(
            "Runtime.evaluate", self._session, expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in reply:
            raise RuntimeError(reply["exceptionDetails"].get("exception", {}).get("description", script))
        return reply["result"].get("value")

    def wait_for(self, script: str, seconds: float = 12) -> object:
        """The first truthy value of an expression. It may fail while a page loads."""
        return eventually(lambda: self._evaluate_or_none(script), script, seconds)

    def _evaluate_or_none(self, script: str) -> object:
        try:
            # An element cannot be sent here.
            return self.evaluate(f"((found) => found instanceof Element || found)({script})")
        except RuntimeError:
            return None

    def text(self) -> str:
        return str(self.evaluate("document.body.innerText"))

    def go(self, url: str) -> None:
        self._host.send("Page.navigate", self._session, url=url)

    def screenshot(self, path: Path, width: int, height: int, scheme: str = "light") -> None:
        import base64

        media = [{"name": "prefers-color-scheme", "value": scheme}]
        self._host.send("Emulation.setEmulatedMedia", self._session, features=media)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._host.send("Emulation.setDeviceMetricsOverride", self._session, **size)
        picture = self._host.send("Page.captureScreenshot", self._session, format="png")["data"]
        path.write_bytes(base64.b64decode(picture))

    def show(self) -> None:
        """Bring the tab to the front: pages that nobody sees do not refresh themselves."""
        self._host.send("Target.activateTarget", targetId=self._target)

    def stop_workers(self) -> None:
        """End the workers of the page's origin, as the browser does to those that do nothing."""
        self._host.send("ServiceWorker.enable", self._session)
        self._host.send("ServiceWorker.stopAllWorkers", self._session)

    def close(self) -> None:
        """Idempotent."""
        if self in self._host.tabs:
            self._host.tabs.remove(self)
            self._host.send("Target.closeTarget", targetId=self._target)


def eventually(value: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> object:
    """Looks every 20 ms until a value is truthy, and returns it."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < end:
        if found := value():
            return found
        pause.wait(0.02)
    raise AssertionError(f"not in {seconds} seconds: {what}")

"""A stand-in of the extension that speaks the protocol over real sockets, in a browser that is signed in to
the simulated Flow."""

import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

ORIGIN = "chrome-extension://jmcllanfikigfajfbdknppfbllapgpjl"
CALL_PATH = "/_/AiSandboxAngularFrontend/data/batchexecute"
PART = 2_000_000


def cut(text: str, units: int) -> list[str]:
    """Text in parts as JavaScript cuts it: by UTF-16 units, through the middle of a character if need be."""
    encoded = text.encode("utf-16-le")
    starts = range(0, len(encoded), 2 * units)
    return [encoded[at : at + 2 * units].decode("utf-16-le", "surrogatepass") for at in starts] or [""]


class Refused(Exception):
    """Flowshelf's answer was none with 200."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(f"{answer.status_code} {answer.text}")
        self.answer = answer


class Forged(Exception):
    """The answer was not signed by the Flowshelf that the browser is paired with."""


class Channel:
    """Signed requests to a dashboard. `now` is the clock of the browser in seconds."""

    def __init__(self, url: str, pairing_id: str = "", secret: str = "") -> None:
        self.url = url
        self.pairing_id = pairing_id
        self.key = hashlib.sha256(secret.encode()).digest()
        self.now: Callable[[], float] = time.time

    def pair(self, code: str, origin: str = ORIGIN, browser: str = "Chrome on Linux") -> requests.Response:
        body = {"code": code, "browser": browser, "version": "1.0.0"}
        answer = requests.post(
            f"{self.url}/companion/pairing", json=body, headers={"Origin": origin}, timeout=10
        )
        if answer.ok:
            paired = answer.json()
            self.pairing_id = paired["pairingId"]
            self.key = hashlib.sha256(paired["secret"].encode()).digest()
        return answer

    def signed(self, path: str, body: bytes, method: str = "POST") -> dict[str, str]:
        """The headers of a request."""
        moment, nonce = str(int(self.now() * 1000)), secrets.token_hex(16)
        full_path = urlsplit(self.url + path).path
        lines = ("request", method, full_path, moment, nonce, hashlib.sha256(body).hexdigest())
        return {
            "Content-Type": "application/json",
            "Origin": ORIGIN,
            "Flowshelf-Pairing": self.pairing_id,
            "Flowshelf-Time": moment,
            "Flowshelf-Nonce": nonce,
            "Flowshelf-Signature": hmac.new(self.key, "\n".join(lines).encode(), "sha256").hexdigest(),
        }

    def send(self, path: str, **fields: object) -> Any:
        """The answer to `POST /companion/<path>`. Raises Refused and Forged."""
        path, body = f"/companion/{path}", json.dumps(fields).encode()
        headers = self.signed(path, body)
        answer = requests.post(self.url + path, body, headers=headers, timeout=10)
        if answer.status_code == 401:
            raise Refused(answer)
        lines = (
            "answer",
            str(answer.status_code),
            headers["Flowshelf-Nonce"],
            hashlib.sha256(answer.content).hexdigest(),
        )
        expected = hmac.new(self.key, "\n".join(lines).encode(), "sha256").hexdigest()
        if answer.headers.get("Flowshelf-Signature") != expected:
            raise Forged(answer.text)
        if not answer.ok:
            raise Refused(answer)
        return answer.json()

    def poll(self, **fields: object) -> Any:
        return self.send("poll", **({"version": "1.0.0", "isPaused": False, "isWatched": True} | fields))


class Browser:
    """A browser with the extension: its worker polls in a thread, and makes the calls at Flow.

    `before_call` is called with each call after it was taken, and may raise to let the worker die.
    """

    def __init__(self, flow_url: str, channel: Channel, *emails: str) -> None:
        self.flow_url = flow_url
        self.channel = channel
        self.session = requests.Session()
        self.session.headers["Sec-Fetch-Mode"] = "cors"
        self.sign_in(*emails)
        self.before_call: Callable[[dict], None] = lambda call: None
        self.part_units = PART
        self.polls = 0
        self.last_poll: dict = {}
        self.failures: list[Exception] = []
        self.is_paused, self.is_watched = False, True
        self.named: list[dict] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # What a person does

    def sign_in(self, *emails: str) -> None:
        for email in emails:
            self.session.get(f"{self.flow_url}/browser", params={"in": email}, timeout=5)

    def sign_out(self) -> None:
        self.session.get(f"{self.flow_url}/browser", params={"out": ""}, timeout=5)

    def open(self) -> "Browser":
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(self._stop,), daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Idempotent."""
        self._stop.set()
        if self._thread:
            self._thread.join(10)

    def __enter__(self) -> "Browser":
        return self.open()

    def __exit__(self, *error: object) -> None:
        self.close()

    # The worker

    def _work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                named, self.named = self.named, None
                fields = {} if named is None else {"accounts": named}
                self.last_poll = self.channel.poll(
                    isPaused=self.is_paused, isWatched=self.is_watched, **fields
                )
                self.polls += 1
                for call in self.last_poll["calls"]:
                    if stop.is_set():
                        return
                    self.carry(call)
            except Exception as error:
                self.failures.append(error)
                stop.wait(0.05)
            else:
                stop.wait(min(self.last_poll["again"], 0.1))

    def carry(self, call: dict) -> None:
        if not self.channel.send("taken", id=call["id"])["isYours"]:
            return
        self.before_call(call)
        result = self.result_of(call)
        if "error" in result:
            self.channel.send("result", id=call["id"], **result)
            return
        text = result.pop("body")
        parts = cut(text, self.part_units)
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            self.channel.send("result", id=call["id"], part=number, isLast=is_last, body=part, **result)

    def result_of(self, call: dict) -> dict:
        match call["operation"]:
            case "accounts":
                return {"status": 200, "location": None, "body": json.dumps(self.list_accounts())}
            case "account":
                found = self._start_page(call["index"])
                if not (found["cfb2h"] and found["FdrFJe"]):
                    return {"error": "signed_out"}
                fields = {name: bool(value) for name, value in found.items() if name != "oPEP7c"}
                body = {"email": found["oPEP7c"], "fields": fields}
                return {"status": 200, "location": None, "body": json.dumps(body)}
            case "call":
                return self._call(call)
        return {"error": "odd"}

    def list_accounts(self) -> list[dict]:
        found = []
        for index in range(10):
            page = self._start_page(index)
            if not page["SNlM0e"]:
                break
            found.append({"index": index, "email": page["oPEP7c"]})
        return found

    def _start_page(self, index: int) -> dict[str, str]:
        text = self.session.get(f"{self.flow_url}/u/{index}/", timeout=5).text
        names = ("SNlM0e", "cfb2h", "FdrFJe", "oPEP7c")
        found = {name: re.search(rf'"{name}":"([^"]*)"', text) for name in names}
        return {name: match[1] if match else "" for name, match in found.items()}

    def _call(self, call: dict) -> dict:
        page = self._start_page(call["index"])
        query = {"rpcids": call["rpc"], "source-path": "/", "bl": page["cfb2h"], "f.sid": page["FdrFJe"]}
        query |= {"hl": "en", "_reqid": "123456", "rt": "c"}
        request = [[[call["rpc"], json.dumps(call["arguments"]), None, "generic"]]]
        fields = {"f.req": json.dumps(request)}
        if not call["isAnonymous"]:
            fields["at"] = page["SNlM0e"]
        url = f"{self.flow_url}/u/{call['index']}{CALL_PATH}?{urlencode(query)}"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
            "X-Same-Domain": "1",
            "Origin": self.flow_url,
            "Referer": f"{self.flow_url}/",
            "x-goog-authuser": str(call["index"]),
        }
        answer = self.session.post(url, urlencode(fields), headers=headers, timeout=20)
        body = re.sub(r'(\["xsrf","|\[\\"xsrf\\",\\")[^"\\]+', r"\1-", answer.content.decode())
        return {"status": answer.status_code, "location": None, "body": body}

"""Carries the requests to flow.google.com through a paired browser (the companion).

The browser names neither its cookies nor the values of its start page: it puts them into the calls itself.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from webapp.errors import FlowChanged, FlowError, FlowUnavailable, SignedOut, SignedOutBrowser
from webapp.sources.flow_google.start_page import MAX_PAGE_BYTES, StartPage
from webapp.sources.http import HttpClient, Response, TooLarge
from webapp.sources.refusals import changed

MAX_EMAIL = 200
# In place of what stays in the browser.
_IN_BROWSER = "-"


@dataclass(frozen=True, slots=True)
class BrowserResponse:
    """What a browser returned for one call: a response of Flow, or in `error` a word why there is none."""

    status: int = 200
    location: str | None = field(default=None, repr=False)
    body: str = field(default="", repr=False)
    error: str | None = None


class Browser(Protocol):
    """A paired browser."""

    def ask(
        self, request: Mapping[str, object], max_bytes: int, check: Callable[[], None]
    ) -> BrowserResponse:
        """Let the browser make a call, and wait for its response. `check` is called again and again while
        waiting, to end that by an exception.

        Raises WaitingForBrowser when the browser does not ask for calls, FlowUnavailable when it took the
        call and never responded.
        """

    def note_signed_out(self) -> str:
        """Note that the profile's account is not signed in in the browser. Returns what to do about it."""


class CompanionTransport:
    """A `Transport` through a paired browser. `http` knows when to stop waiting, and keeps the responses of
    an examination."""

    sign_in_may_return = True

    def __init__(self, browser: Browser, http: HttpClient, flow_url: str) -> None:
        self._browser = browser
        self._http = http
        self._flow_url = flow_url

    def start_page(self, index: int | None) -> StartPage:
        response = self._ask({"operation": "account", "index": index or 0}, MAX_PAGE_BYTES)
        email, fields = _read_account(response)
        if not (fields.get("cfb2h") and fields.get("FdrFJe")):
            sample = json.dumps({name[:20]: bool(is_there) for name, is_there in list(fields.items())[:10]})
            raise changed(response, "its page lacks what calls must carry", sample=sample)
        token = _IN_BROWSER if fields.get("SNlM0e") else ""
        return StartPage(email, token, _IN_BROWSER, _IN_BROWSER, index or 0)

    def call(
        self,
        page: StartPage,
        rpc: str,
        arguments: list[object],
        max_bytes: int,
        *,
        is_anonymous: bool = False,
    ) -> Response:
        request = {
            "operation": "call",
            "index": page.index or 0,
            "rpc": rpc,
            "arguments": arguments,
            "isAnonymous": is_anonymous,
            "maxBytes": max_bytes,
        }
        return self._ask(request, max_bytes)

    def refresh(self) -> None:
        """The browser always uses its newest sign-in."""

    def generation(self) -> int:
        return 0

    def secrets(self) -> list[str]:
        return []

    def signed_out(self, error: SignedOut) -> SignedOut:
        return SignedOutBrowser(self._browser.note_signed_out())

    def _ask(self, request: Mapping[str, object], max_bytes: int) -> Response:
        self._http.check_stopping()
        result = self._browser.ask(request, max_bytes, self._http.check_stopping)
        if result.error:
            raise self._error_of(result.error)
        body = _utf8(result.body)
        if len(body) > max_bytes:
            raise TooLarge("The browser returned more than the limit of this call.")
        headers = (("Location", result.location),) if result.location else ()
        response = Response(f"{self._flow_url}/", result.status, headers, body)
        self._http.record(response)
        return response

    def _error_of(self, word: str) -> FlowError:
        match word:
            case "signed_out":
                return SignedOutBrowser(self._browser.note_signed_out())
            case "no_tab":
                return FlowUnavailable("The browser could not open a tab of Flow. Trying again is safe.")
            case "offline":
                return FlowUnavailable("The browser could not reach Flow. Trying again is safe.")
            case "too_large":
                return TooLarge("The browser was sent more than the limit of this call.")
        return FlowChanged(
            "The companion in the browser does not know a call that Flowshelf needs. Download it again on "
            "the page “Connect this browser”, and replace the old one."
        )


def _utf8(text: str) -> bytes:
    """Text of a browser as bytes. Where it was cut into parts, a character may be in two halves."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _read_account(response: Response) -> tuple[str, dict[str, object]]:
    """The e-mail of a start page (it may be empty), and which fields the page has. Raises FlowChanged."""
    try:
        match response.json():
            case {"email": str(email), "fields": dict(fields)}:
                return email.strip()[:MAX_EMAIL], fields
    except ValueError:
        """Treated like a document of another shape."""
    raise changed(response, "the browser did not describe its start page", sample="")

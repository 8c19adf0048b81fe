"""The page that flow.google.com opens with: whom the cookies sign in, and what every call has to carry."""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from webapp.errors import FlowChanged, SignedOut
from webapp.sources.http import Response
from webapp.sources.refusals import changed, check_destination, check_passing, redirect_target, same_site
from webapp.sources.signed_in import SignedInRequests
from webapp.sources.single_flight import SingleFlight

MAX_PAGE_BYTES = 16 * 1024 * 1024
KEPT_SECONDS = 600.0
RENEWAL_PAUSE_SECONDS = 60.0
MAX_REDIRECTS = 3

SIGNED_OUT_PAUSE_SECONDS = 10.0

SIGNED_OUT = (
    "Flow does not know these cookies any more: they have expired, or Google has ended the session they "
    "belong to. Sign in at https://flow.google.com and paste the cookies again; everything goes on from "
    "there."
)
ABOUT = (
    "Flow shows its page for visitors. Open https://flow.google.com in the browser and press Create there: "
    "Google may want you to confirm that it is you. Then paste the cookies again; everything goes on from "
    "there."
)
_SIGN_IN_PAGE = re.compile(r"<title>[^<]{0,100}\bsign in\b|accounts\.google\.com/", re.IGNORECASE)
_FIELDS = {"email": "oPEP7c", "token": "SNlM0e", "build": "cfb2h", "session_id": "FdrFJe"}


@dataclass(frozen=True, slots=True)
class StartPage:
    """`token` goes with every call as `at` (empty: the first refusal brings one), `build` as `bl`,
    `session_id` as `f.sid`. The page may lack token and e-mail although somebody is signed in."""

    email: str = field(repr=False)
    token: str = field(repr=False)
    build: str
    session_id: str = field(repr=False)

    @property
    def fields(self) -> dict[str, bool]:
        """Which of the page's fields were there, by the names that they have there."""
        return {key: bool(getattr(self, name)) for name, key in _FIELDS.items()}


def fields_in(text: str) -> dict[str, bool]:
    """The same of the text of a page that cannot be used."""
    return {key: bool(_said(text, key)) for key in _FIELDS.values()}


def read_start_page(response: Response) -> StartPage:
    """Raises FlowChanged for a page without what calls have to carry, SignedOut for a refused one.

    Whether somebody is signed in only a call can tell.
    """
    if response.status in (401, 403):
        raise SignedOut(SIGNED_OUT)
    text = response.text if response.status == 200 else ""
    found = {name: _said(text, key) for name, key in _FIELDS.items()}
    if not any(found.values()) and _SIGN_IN_PAGE.search(text):
        raise SignedOut(SIGNED_OUT)
    if not (found["build"] and found["session_id"]):
        shape = json.dumps(fields_in(text))
        raise changed(response, f"its page lacks what calls have to carry ({response.status})", sample=shape)
    return StartPage(**found)


def _said(text: str, key: str) -> str:
    match = re.search(rf'"{key}":("(?:[^"\\]|\\.){{1,2000}}")', text)
    try:
        said = json.loads(match[1]) if match else ""
    except ValueError:
        return ""
    return said.encode("utf-8", "replace").decode().strip()


class Start:
    """The page of one profile, shared by its threads: kept for ten minutes, or until other cookies come."""

    def __init__(
        self, requests: SignedInRequests, flow_url: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._requests = requests
        self._flow_url = flow_url
        self._clock = clock
        self._lock = threading.Lock()
        self._flight: SingleFlight[StartPage] = SingleFlight()
        self._page: StartPage | None = None
        self._signed_out: SignedOut | None = None
        self._asked_at = self._renewed_at = float("-inf")
        self._generation = 0

    def fresh(self) -> StartPage:
        """The page, asked for anew."""
        return self._flight.get(lambda: None, self._ask)

    def page(self, refused: StartPage | None = None) -> StartPage:
        """A page that is not `refused`. Raises SignedOut when there is none to be had."""
        return self._flight.get(lambda: self._usable(refused), lambda: self._renew(refused))

    def known(self) -> StartPage | None:
        """The page that is kept, if any, whether or not it is still good."""
        return self._page

    def note_signed_out(self, page: StartPage, error: SignedOut) -> None:
        """A call with a fresh page was refused: for a while nobody asks again with these cookies."""
        with self._lock:
            if self._page is page:
                self._page, self._signed_out, self._asked_at = None, error, self._clock()

    def with_token(self, page: StartPage, token: str) -> StartPage:
        """The page with the token that a refusal handed out."""
        corrected = replace(page, token=token)
        with self._lock:
            if self._page is page:
                self._page = corrected
        return corrected

    def _usable(self, refused: StartPage | None) -> StartPage | None:
        with self._lock:
            is_old = self._clock() - self._asked_at >= KEPT_SECONDS
            page = None if is_old or self._page is refused else self._page
        return page if self._generation == self._requests.generation() else None

    def _renew(self, refused: StartPage | None) -> StartPage:
        """Asks at most every ten seconds with cookies that do not sign in (a person may press Sync), and
        once a minute with those whose calls are refused anyway."""
        if self._generation == self._requests.generation():
            if self._signed_out and self._clock() - self._asked_at < SIGNED_OUT_PAUSE_SECONDS:
                raise SignedOut(str(self._signed_out))
            if refused is not None and self._clock() - self._renewed_at < RENEWAL_PAUSE_SECONDS:
                raise SignedOut(SIGNED_OUT)
        page = self._ask()
        self._renewed_at = self._asked_at if refused is not None else self._renewed_at
        return page

    def _ask(self) -> StartPage:
        try:
            page = read_start_page(self._fetch())
        except SignedOut as error:
            self._note(None, SignedOut(str(error)))
            raise
        self._note(page, None)
        return page

    def _note(self, page: StartPage | None, signed_out: SignedOut | None) -> None:
        with self._lock:
            self._page, self._signed_out, self._asked_at = page, signed_out, self._clock()
            self._generation = self._requests.generation()

    def _fetch(self) -> Response:
        url = f"{self._flow_url}/"
        for _ in range(1 + MAX_REDIRECTS):
            response = self._requests.get(url, {}, MAX_PAGE_BYTES)
            check_passing(response)
            if not is_within(response, self._flow_url):
                check_destination(response, "", SIGNED_OUT)
                return response
            url = redirect_target(response)
        raise FlowChanged(f"{urlsplit(url).hostname} sends the request for its page on and on.")


def is_within(response: Response, flow_url: str) -> bool:
    """Whether an answer leads on within Flow. Raises SignedOut when it leads to the page for strangers."""
    target = redirect_target(response)
    if response.location is None or not same_site(target, flow_url):
        return False
    if urlsplit(target).path.rstrip("/") == "/about":
        raise SignedOut(ABOUT)
    return True

"""The page at flow.google.com: who the cookies sign in, and the values that every call has to carry."""

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
MAX_AGE_SECONDS = 600.0
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
    """`token` goes with every call as `at` (if it is empty, the first refusal provides one), `build` as
    `bl`, `session_id` as `f.sid`. Token and e-mail may be missing for a signed-in account."""

    email: str = field(repr=False)
    token: str = field(repr=False)
    build: str
    session_id: str = field(repr=False)

    @property
    def fields(self) -> dict[str, bool]:
        """Which fields the page had, by their names in the page."""
        return {key: bool(getattr(self, name)) for name, key in _FIELDS.items()}


def fields_in(text: str) -> dict[str, bool]:
    """Which fields are in the text of a page that cannot be used."""
    return {key: bool(_field(text, key)) for key in _FIELDS.values()}


def read_start_page(response: Response) -> StartPage:
    """Raises FlowChanged if the page lacks a value that calls need, SignedOut if it was refused.

    A page that can be read does not prove that somebody is signed in: only a call shows that.
    """
    if response.status in (401, 403):
        raise SignedOut(SIGNED_OUT)
    text = response.text if response.status == 200 else ""
    found = {name: _field(text, key) for name, key in _FIELDS.items()}
    if not any(found.values()) and _SIGN_IN_PAGE.search(text):
        raise SignedOut(SIGNED_OUT)
    if not (found["build"] and found["session_id"]):
        shape = json.dumps(fields_in(text))
        raise changed(response, f"its page lacks what calls must carry ({response.status})", sample=shape)
    return StartPage(**found)


def _field(text: str, key: str) -> str:
    match = re.search(rf'"{key}":("(?:[^"\\]|\\.){{1,2000}}")', text)
    try:
        value = json.loads(match[1]) if match else ""
    except ValueError:
        return ""
    return value.encode("utf-8", "replace").decode().strip()


class StartPageCache:
    """The start page of one profile, shared by its threads.

    A page is used for `MAX_AGE_SECONDS`, but only with the cookies it was fetched with (the
    `generation` of the requests). One thread fetches, the others wait for its page or its error.
    """

    def __init__(
        self, requests: SignedInRequests, flow_url: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._requests = requests
        self._flow_url = flow_url
        self._clock = clock
        # `_flight` lets one thread fetch at a time. `_lock` guards the fields below, because
        # `note_signed_out` and `with_token` change them without waiting for a fetch.
        self._lock = threading.Lock()
        self._flight: SingleFlight[StartPage] = SingleFlight()
        self._page: StartPage | None = None
        self._signed_out: SignedOut | None = None
        self._fetched_at = self._renewed_at = float("-inf")
        self._generation = 0

    def fetch(self) -> StartPage:
        """Fetch the page, whether or not one is cached."""
        return self._flight.get(lambda: None, self._refetch)

    def page(self, refused: StartPage | None = None) -> StartPage:
        """A page other than `refused`, fetched if need be. Raises SignedOut if there is none."""
        return self._flight.get(lambda: self._usable(refused), lambda: self._renew(refused))

    def cached(self) -> StartPage | None:
        """The cached page, which may be too old."""
        return self._page

    def note_signed_out(self, page: StartPage, error: SignedOut) -> None:
        """A call with `page` was refused: for `SIGNED_OUT_PAUSE_SECONDS` its cookies are not tried again."""
        with self._lock:
            if self._page is page:  # otherwise another thread has replaced it, and it may be good
                self._page, self._signed_out, self._fetched_at = None, error, self._clock()

    def with_token(self, page: StartPage, token: str) -> StartPage:
        """The page with the token from a refusal, which later calls use as well."""
        corrected = replace(page, token=token)
        with self._lock:
            if self._page is page:  # the token belongs to this page and to no newer one
                self._page = corrected
        return corrected

    def _usable(self, refused: StartPage | None) -> StartPage | None:
        with self._lock:
            is_old = self._clock() - self._fetched_at >= MAX_AGE_SECONDS
            page = None if is_old or self._page is refused else self._page
        return page if self._generation == self._requests.generation() else None

    def _renew(self, refused: StartPage | None) -> StartPage:
        """Fetch another page, unless one was fetched with the same cookies a moment ago.

        The pause is ten seconds for cookies that do not sign in (a person may press Sync again), and a
        minute for cookies that give a page with which calls are refused.
        """
        self._requests.refresh()
        if self._generation == self._requests.generation():
            if self._signed_out and self._clock() - self._fetched_at < SIGNED_OUT_PAUSE_SECONDS:
                raise SignedOut(str(self._signed_out))
            if refused is not None and self._clock() - self._renewed_at < RENEWAL_PAUSE_SECONDS:
                raise SignedOut(SIGNED_OUT)
        page = self._fetch()
        self._renewed_at = self._fetched_at if refused is not None else self._renewed_at
        return page

    def _refetch(self) -> StartPage:
        self._requests.refresh()
        return self._fetch()

    def _fetch(self) -> StartPage:
        try:
            page = read_start_page(self._response())
        except SignedOut as error:
            self._store(None, SignedOut(str(error)))
            raise
        self._store(page, None)
        return page

    def _store(self, page: StartPage | None, signed_out: SignedOut | None) -> None:
        with self._lock:
            self._page, self._signed_out, self._fetched_at = page, signed_out, self._clock()
            # Read after the response has renewed the cookies: they are no other cookies.
            self._generation = self._requests.generation()

    def _response(self) -> Response:
        url = f"{self._flow_url}/"
        for _ in range(1 + MAX_REDIRECTS):
            response = self._requests.get(url, {}, MAX_PAGE_BYTES)
            check_passing(response)
            if not redirects_within(response, self._flow_url):
                check_destination(response, "", SIGNED_OUT)
                return response
            url = redirect_target(response)
        raise FlowChanged(f"{urlsplit(url).hostname} redirects the request for its page again and again.")


def redirects_within(response: Response, flow_url: str) -> bool:
    """Whether a response redirects to another page of Flow. Raises SignedOut for the page for visitors."""
    target = redirect_target(response)
    if response.location is None or not same_site(target, flow_url):
        return False
    if urlsplit(target).path.rstrip("/") == "/about":
        raise SignedOut(ABOUT)
    return True

"""Keeps the start page of one profile, and fetches another one when it is too old or was refused."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from webapp.errors import SignedOut, WaitingForBrowser
from webapp.sources.flow_google.start_page import SIGNED_OUT, StartPage
from webapp.sources.flow_google.transport import Transport
from webapp.sources.single_flight import SingleFlight

MAX_AGE_SECONDS = 600.0
RENEWAL_PAUSE_SECONDS = 60.0
SIGNED_OUT_PAUSE_SECONDS = 10.0


class StartPageCache:
    """The start page of one profile, shared by its threads.

    A page is used for `MAX_AGE_SECONDS`, but only with the sign-in that it was fetched with (the
    `generation` of the transport). One thread fetches, the others wait for its page or its error.
    `find_page` fetches the page of the profile's account.
    """

    def __init__(
        self,
        transport: Transport,
        find_page: Callable[[], StartPage],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._find_page = find_page
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
        """A call with `page` was refused: for `SIGNED_OUT_PAUSE_SECONDS` its cookies are not tried again.

        A browser that is away says nothing about the page, and one that is signed out may be tried at once.
        """
        if isinstance(error, WaitingForBrowser):
            return
        remembered = None if self._transport.sign_in_may_return else error
        with self._lock:
            if self._page is page:  # otherwise another thread has replaced it, and it may be good
                self._page, self._signed_out, self._fetched_at = None, remembered, self._clock()

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
        return page if self._generation == self._transport.generation() else None

    def _renew(self, refused: StartPage | None) -> StartPage:
        """Fetch another page, unless one was fetched with the same cookies a moment ago.

        The pause is ten seconds for cookies that do not sign in (a person may press Sync again), and a
        minute for cookies that give a page with which calls are refused.
        """
        self._transport.refresh()
        if self._generation == self._transport.generation():
            if self._signed_out and self._clock() - self._fetched_at < SIGNED_OUT_PAUSE_SECONDS:
                raise SignedOut(str(self._signed_out))
            if refused is not None and self._clock() - self._renewed_at < RENEWAL_PAUSE_SECONDS:
                raise SignedOut(SIGNED_OUT)
        page = self._fetch()
        self._renewed_at = self._fetched_at if refused is not None else self._renewed_at
        return page

    def _refetch(self) -> StartPage:
        self._transport.refresh()
        return self._fetch()

    def _fetch(self) -> StartPage:
        try:
            page = self._find_page()
        except SignedOut as error:
            self._store(None, None if self._transport.sign_in_may_return else SignedOut(str(error)))
            raise
        self._store(page, None)
        return page

    def _store(self, page: StartPage | None, signed_out: SignedOut | None) -> None:
        with self._lock:
            self._page, self._signed_out, self._fetched_at = page, signed_out, self._clock()
            # Read after the response has renewed the cookies: they are no other cookies.
            self._generation = self._transport.generation()

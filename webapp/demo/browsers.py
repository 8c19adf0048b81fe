"""Who is signed in at the simulated flow.google.com: browsers with a session of their own, and cookies.

As at Google, one session may hold several accounts. `/u/1/` is the second one; without a number the first
one answers.
"""

import secrets
import threading
from collections.abc import Sequence
from html import escape

from webapp.demo.journal import Request
from webapp.demo.responses import Response
from webapp.demo.world import World

SIGN_IN_PATH = "/browser"
# The browser keeps it from scripts and from pages of other sites, and no program may use a copy of it.
_COOKIE = "FLOW_BROWSER"
_ATTRIBUTES = "Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict"


class Browsers:
    """The sessions of browsers, and which accounts share the session of pasted cookies. Thread-safe.

    shared: the accounts of each shared session, in the order of signing in. Tests change that order.
    """

    def __init__(self, worlds: Sequence[World]) -> None:
        self._worlds = worlds
        self._lock = threading.Lock()
        self._sessions: dict[str, list[World]] = {}
        self.shared: list[list[World]] = []

    def share_session(self, first: World, *others: World) -> None:
        """Let the cookies of the first account sign in the others as well, as accounts 1, 2, and so on."""
        with self._lock:
            self.shared.append([first, *others])

    def find_world(self, request: Request) -> World | None:
        """The account that a request is signed in to; None if it is not, or if there is no such number."""
        accounts = self._accounts_of_browser(request) or self._accounts_of_cookies(request)
        index = request.account_index
        return accounts[index] if index < len(accounts) else None

    def sign_out_everywhere(self) -> None:
        with self._lock:
            self._sessions.clear()

    def page(self, request: Request) -> Response:
        """The page where a browser signs in with an account, with one more, or out."""
        session_id = request.cookies.get(_COOKIE, "")
        headers: tuple[tuple[str, str], ...] = ()
        with self._lock:
            if (email := request.query.get("in")) is not None:
                session_id = session_id if session_id in self._sessions else secrets.token_hex(16)
                self._sign_in(self._sessions.setdefault(session_id, []), email)
                headers = (("Set-Cookie", f"{_COOKIE}={session_id}; {_ATTRIBUTES}"),)
            elif "out" in request.query:
                self._sessions.pop(session_id, None)
            accounts = list(self._sessions.get(session_id, ()))
        return _page(self._worlds, accounts, headers)

    def _sign_in(self, accounts: list[World], email: str) -> None:
        accounts.extend(one for one in self._worlds if one.google.email == email and one not in accounts)

    def _accounts_of_browser(self, request: Request) -> list[World]:
        is_browser = "sec-fetch-mode" in request.headers
        with self._lock:
            return list(self._sessions.get(request.cookies.get(_COOKIE, ""), ())) if is_browser else []

    def _accounts_of_cookies(self, request: Request) -> list[World]:
        owner = next((one for one in self._worlds if one.google.is_owner(request.cookies)), None)
        if owner is None:
            return []
        with self._lock:
            return next((list(worlds) for worlds in self.shared if owner in worlds), [owner])


def _page(
    worlds: Sequence[World], accounts: Sequence[World], headers: tuple[tuple[str, str], ...]
) -> Response:
    links = "".join(
        f"<li>{escape(one.google.email)}: signed in as account {accounts.index(one)}"
        if one in accounts
        else f'<li><a href="?in={escape(one.google.email)}">Sign in as {escape(one.google.email)}</a>'
        for one in worlds
    )
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Simulated Flow: sign in</title>'
        "<style>body{font:1rem/1.6 system-ui;max-width:36rem;margin:3rem auto;padding:0 1rem}</style>"
        "<h1>Simulated Flow</h1><p>This is no page of Google. Here a browser signs in to the sample accounts."
        f'<ul>{links}</ul><p><a href="?out=">Sign out</a> · <a href="/">Start page</a>'
    )
    return Response(200, text.encode(), "text/html; charset=utf-8", headers)

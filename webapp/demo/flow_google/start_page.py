"""The start page of the simulated flow.google.com, and the call for the person."""

from collections.abc import Iterable

from webapp.demo.account.google_sign_in import GoogleSignIn
from webapp.demo.browsers import SIGN_IN_PATH
from webapp.demo.flow_google.frames import compact_json
from webapp.demo.json_types import Slots
from webapp.demo.responses import Response

_ANONYMOUS_SESSION_ID = "-1234567890123456789"


def start_page(session: GoogleSignIn) -> Response:
    """Return the page of somebody who is signed in."""
    values = {"EP1ykd": "/_/*", "cfb2h": session.build, "FdrFJe": session.session_id}
    if not session.hides_token:
        values["SNlM0e"] = session.token
    if not session.hides_email:
        values["oPEP7c"] = session.email
    return _page(values, session.set_cookies())


def anonymous_page(build: str) -> Response:
    """Return the page of somebody who is not signed in."""
    return _page({"cfb2h": build, "FdrFJe": _ANONYMOUS_SESSION_ID})


def person(session: GoogleSignIn) -> Slots:
    """Return the payload of the call for the person: here only the e-mail, in its true place."""
    if session.hides_person:
        return []
    return [[["me", None, [*[None] * 9, [[None, session.email]]]]]]


def _page(values: dict[str, str], set_cookies: Iterable[str] = ()) -> Response:
    text = (
        '<!doctype html><html lang="en" dir="ltr"><head><base href="/"><title>Flow</title>'
        f'<script data-id="_gd" nonce="x">window.WIZ_global_data = {compact_json(values)};</script></head>'
        f'<body><flow-root></flow-root><p><a href="{SIGN_IN_PATH}">Sign in to the simulated Flow</a></p>'
        "</body></html>"
    )
    headers = tuple(("Set-Cookie", line) for line in set_cookies)
    return Response(200, text.encode(), "text/html; charset=utf-8", headers)

"""The shapes in which the simulated flow.google.com answers; nothing here knows who asks."""

import json
from collections.abc import Iterable

from webapp.demo.account.google_sign_in import GoogleSignIn
from webapp.demo.account.projects import Project
from webapp.demo.entries import Entry, chance
from webapp.demo.labs.payloads import Response, text_response

CALLS = {"UpteDb": "projects", "Zzl0ze": "project", "as29s": "address", "o30O0e": "person"}
RPCS = {kind: rpc for rpc, kind in CALLS.items()}
_NOISE = [["di", 14], ["af.httprm", 14, "1234567890", 148]]
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14}


def framed(rows: list, status: int = 200) -> Response:
    """Rows among noise. The lengths before them count something else than what stands there."""
    chunks = [_json(rows + _NOISE), _json([["e", 4, None, None, 131]])]
    text = ")]}'\n\n" + "".join(f"{len(chunk) // 2 + 7}\n{chunk}\n" for chunk in chunks)
    return text_response(status, text, "application/json; charset=utf-8")


def result(kind: str, payload: object) -> Response:
    """The payload of a call; None is the null that stands for nothing there."""
    text = None if payload is None else _json(payload).replace("=", "\\u003d").replace("&", "\\u0026")
    return framed([["wrb.fr", RPCS[kind], text, None, None, None, "generic"]])


def call_error(kind: str, code: int, reason: str = "PUBLIC_ERROR_INTERNAL") -> Response:
    """An error of the call itself, which comes with status 200."""
    error = [code, None, [[_ERROR_INFO, [reason]]]]
    return framed([["wrb.fr", RPCS[kind], None, None, None, error, "generic"]])


def transport_error(status: int, slot: int = 5) -> Response:
    """A refusal before the call; its status stands in slot 5, or as one client saw it in 6."""
    row = ["er", *[None] * 8, _GRPC_CODES.get(status, 2)]
    row[slot] = status
    return framed([row], status)


def handshake(session: GoogleSignIn, status: int = 400) -> Response:
    """The refusal of a call without the right token; it brings that, and the account's number."""
    told = [{"48448350": ["xsrf", session.token, [session.account_number]]}]
    return framed([["er", None, None, None, None, 400, None, None, None, 3, told]], status)


def start_page(session: GoogleSignIn) -> Response:
    known = {"cfb2h": session.build, "FdrFJe": session.session_id}
    known |= {} if session.hides_token else {"SNlM0e": session.token}
    known |= {} if session.hides_email else {"oPEP7c": session.email}
    return _page({"EP1ykd": "/_/*", **known}, session.set_cookies())


def strangers_page(build: str) -> Response:
    """What somebody gets whom the cookies do not sign in."""
    return _page({"cfb2h": build, "FdrFJe": "-1234567890123456789"})


def _page(known: dict[str, str], cookies: Iterable[str] = ()) -> Response:
    text = (
        '<!doctype html><html lang="en" dir="ltr"><head><base href="/"><title>Flow</title>'
        f'<script data-id="_gd" nonce="x">window.WIZ_global_data = {_json(known)};</script></head>'
        "<body><flow-root></flow-root></body></html>"
    )
    headers = tuple(("Set-Cookie", line) for line in cookies)
    return Response(200, text.encode(), "text/html; charset=utf-8", headers)


def listing(cards: list, next_cursor: str | None) -> list:
    return [cards] + ([next_cursor] if next_cursor else []) if cards else []


def card(project: Project, cover: Entry | None, preview_url: str | None) -> list:
    """A project in the listing. One without images ends after the time, some without a cover's id."""
    made = [int(project.made_at.timestamp()), project.made_at.microsecond * 1000]
    shown = [project.title, None, made]
    if cover:
        shown += [preview_url] if chance(project.id, 4) == 0 else [preview_url, cover.media_key]
    return [project.id, shown]


def person(session: GoogleSignIn) -> list:
    """What the call for the person answers: the e-mail, among much that is left out here."""
    if session.hides_person:
        return []
    return [[["me", None, [*[None] * 9, [[None, session.email]]]]]]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

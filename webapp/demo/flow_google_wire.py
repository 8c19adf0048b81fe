"""The shapes in which the simulated flow.google.com answers; nothing here knows who asks."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime

from webapp.demo.entries import Entry, Kind
from webapp.demo.google_sign_in import GoogleSignIn
from webapp.demo.projects import Project
from webapp.demo.wire import Answer, text_answer

CALLS = {"UpteDb": "projects", "Zzl0ze": "project", "as29s": "address"}
RPCS = {kind: rpc for rpc, kind in CALLS.items()}
_NOISE = [["di", 14], ["af.httprm", 14, "1234567890", 148]]
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14}


def framed(rows: list, status: int = 200) -> Answer:
    """Rows among noise. The lengths before them count something else than what stands there."""
    chunks = [_json(rows + _NOISE), _json([["e", 4, None, None, 131]])]
    text = ")]}'\n\n" + "".join(f"{len(chunk) // 2 + 7}\n{chunk}\n" for chunk in chunks)
    return text_answer(status, text, "application/json; charset=utf-8")


def result(kind: str, payload: object) -> Answer:
    """The payload of a call; None is the null that stands for nothing there."""
    text = None if payload is None else _json(payload).replace("=", "\\u003d").replace("&", "\\u0026")
    return framed([["wrb.fr", RPCS[kind], text, None, None, None, "generic"]])


def call_error(kind: str, code: int, reason: str = "PUBLIC_ERROR_INTERNAL") -> Answer:
    """An error of the call itself, which comes with status 200."""
    error = [code, None, [[_ERROR_INFO, [reason]]]]
    return framed([["wrb.fr", RPCS[kind], None, None, None, error, "generic"]])


def transport_error(status: int) -> Answer:
    code = _GRPC_CODES.get(status, 2)
    return framed([["er", None, None, None, None, status, None, None, None, code]], status)


def handshake(token: str, status: int = 400) -> Answer:
    """The refusal of a call without the right token; it brings that."""
    told = [{"48448350": ["xsrf", token, ["100000000000000000001"]]}]
    return framed([["er", None, None, None, None, 400, None, None, None, 3, told]], status)


def start_page(session: GoogleSignIn) -> Answer:
    token = {} if session.hides_token else {"SNlM0e": session.token}
    known = {"cfb2h": session.build, "FdrFJe": session.session_id, "oPEP7c": session.email}
    return _page({"EP1ykd": "/_/*", **token, **known}, session.set_cookies())


def strangers_page(build: str) -> Answer:
    """What somebody gets whom the cookies do not sign in."""
    return _page({"cfb2h": build, "FdrFJe": "-1234567890123456789"})


def _page(known: dict[str, str], cookies: Iterable[str] = ()) -> Answer:
    text = (
        '<!doctype html><html lang="en" dir="ltr"><head><base href="/"><title>Flow</title>'
        f'<script data-id="_gd" nonce="x">window.WIZ_global_data = {_json(known)};</script></head>'
        "<body><flow-root></flow-root></body></html>"
    )
    headers = tuple(("Set-Cookie", line) for line in cookies)
    return Answer(200, text.encode(), "text/html; charset=utf-8", headers)


def listing(cards: list, next_cursor: str | None) -> list:
    return [cards] + ([next_cursor] if next_cursor else []) if cards else []


def card(project: Project, shown_at: datetime) -> list:
    return [project.id, [project.title, None, [int(shown_at.timestamp()), 0], None, None]]


def media(entries: list[Entry], preview_url: Callable[[Entry], str | None]) -> list:
    """All media of a project; an empty one has neither descriptors nor records."""
    if not entries:
        return [None, None, None]
    cards = {entry.workflow_id: entry for entry in reversed(entries) if entry.has_card}
    descriptors = [_descriptor(entry) for entry in cards.values()]
    return [None, descriptors, [record(entry, preview_url(entry)) for entry in entries], None, 1]


def _descriptor(entry: Entry) -> list:
    made = _moment(entry)
    shown = [entry.shown_title, made and [made[0], 0], True if entry.is_archived else None, None]
    shown += [entry.media_key, None, made and [made[0] + 21, 0]]
    return [entry.workflow_id, None, None, shown, entry.project_id]


def record(entry: Entry, preview_url: str | None, signed_url: str | None = None) -> list:
    """A record as projects list it; the one that is asked for alone has a signed URL as well."""
    is_video = entry.kind is Kind.VIDEO
    asked = [None, None, [[entry.shown_prompt]]] if entry.kind is Kind.GENERATED else [None, None, None]
    if is_video:
        asked[1] = [["veo_3_1_t2v_fast"]]
    details = [_moment(entry), None, None, None, None, preview_url, asked, None, [entry.state], None]
    details += [preview_url, None, None, 91234]
    whole = [entry.media_key, entry.project_id, entry.workflow_id, entry.version, None, details, [1376, 768]]
    return whole + ([["VIDEO"]] if is_video else []) + ([[None, [signed_url]]] if signed_url else [])


def _moment(entry: Entry) -> list | None:
    if entry.created_at is None:
        return None
    moment = datetime.fromisoformat(entry.created_at)
    return [int(moment.timestamp()), moment.microsecond * 1000]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

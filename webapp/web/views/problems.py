"""Error responses: a page, a fragment for HTMX, or JSON; always with a sentence, never with a traceback."""

import logging

from flask import Flask, Response, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX
from werkzeug.exceptions import HTTPException

from webapp import store
from webapp.errors import (
    Busy,
    ClockOff,
    CodeNeeded,
    FlowshelfError,
    GuestLinkOff,
    Locked,
    Overloaded,
    SignInNeeded,
)
from webapp.web import access, companion_access
from webapp.web.prefix import requested_path, root_path
from webapp.web.services import background
from webapp.web.views.return_path import return_path

log = logging.getLogger(__name__)
htmx = HTMX()

UNEXPECTED = (
    "Something went wrong inside Flowshelf. Your images are safe. Try again; if it fails again, look into "
    "the log of Flowshelf."
)
SENTENCES = {
    400: "Flowshelf did not understand this request, and nothing was changed. Reload the page and try again.",
    404: "This page does not exist. Check the address, or start again from the gallery.",
    405: "This address does not support this kind of request. Start again from the gallery.",
    413: "This request is too large, and nothing was changed. Send less at a time.",
    415: "This address accepts JSON only. Send it with “Content-Type: application/json”.",
    416: "The requested part is beyond the end of this file.",
}
CODES = {400: "bad_request", 404: "not_found", 405: "bad_request", 413: "too_large", 415: "not_json"}


def register(app: Flask) -> None:
    app.register_error_handler(FlowshelfError, show_known)
    app.register_error_handler(HTTPException, show_http)
    app.register_error_handler(Exception, show_unexpected)


def show_known(error: FlowshelfError) -> ResponseReturnValue:
    extra = {"runId": error.run_id} if isinstance(error, Busy) and error.run_id else {}
    if isinstance(error, CodeNeeded) and not _wants_json() and not htmx:
        return make_response(render_template("confirm_code.html", next=_path_of_form(), problem=None), 403)
    response = _respond(error.http_status, str(error), error.code, extra)
    if isinstance(error, GuestLinkOff) and not _wants_json() and not htmx:
        page = render_template("sign_in.html", next=next_path(), problem=str(error))
        response = make_response(page, error.http_status)
    if isinstance(error, Overloaded):
        response.headers["Retry-After"] = "5"
    if isinstance(error, Locked):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, ClockOff):
        response.headers[companion_access.TIME] = str(background().companion.guard.now_ms())
    if isinstance(error, SignInNeeded):
        response.headers["WWW-Authenticate"] = "Bearer"
        if htmx:
            response.headers["HX-Refresh"] = "true"  # the session has ended: reload, to show the sign-in page
    return response


def show_http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    sentence = SENTENCES.get(status, UNEXPECTED if status >= 500 else SENTENCES[400])
    response = _respond(status, sentence, CODES.get(status, "error" if status >= 500 else "bad_request"), {})
    for name, value in error.get_headers():
        response.headers.setdefault(name, value)  # for example Content-Range of a 416
    return response


def show_unexpected(error: Exception) -> ResponseReturnValue:
    if problem := store.problem_of(error):
        log.error("Request %s %s: %s", request.method, request.path, problem)
        return show_known(problem)
    log.exception("Request %s %s failed", request.method, request.path)
    return _respond(500, UNEXPECTED, "error", {})


def _respond(status: int, sentence: str, code: str, extra: dict[str, str]) -> Response:
    if _wants_json():
        return make_response({"success": False, "error": sentence, "code": code} | extra, status)
    if htmx:
        response = make_response(render_template("partials/problem.html", sentence=sentence), status)
        response.headers["HX-Retarget"] = "#problem"
        response.headers["HX-Reswap"] = "innerHTML"
        return response
    if code == SignInNeeded.code:
        return make_response(render_template("sign_in.html", next=next_path(), problem=None), status)
    return make_response(render_template("problem.html", sentence=sentence, status=status), status)


def _wants_json() -> bool:
    if request.path.startswith("/api/") or request.path == "/healthz":
        return True
    view = current_app.view_functions.get(request.endpoint or "")
    return companion_access.is_from_extension() or access.is_for_companion(view)


def _path_of_form() -> str:
    """The requested page, or the page of the form that was sent."""
    return requested_path() if request.method == "GET" else return_path()


def next_path() -> str:
    """The requested page, to return to after signing in."""
    return requested_path() if request.method == "GET" else root_path()

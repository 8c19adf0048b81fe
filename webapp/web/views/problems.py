"""Errors as a person, a panel or a script can read them: never a traceback, never a bare status."""

import logging

from flask import Flask, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX
from werkzeug.exceptions import HTTPException

from webapp import store
from webapp.errors import Busy, FlowshelfError, Locked, Overloaded, SignInNeeded

log = logging.getLogger(__name__)
htmx = HTMX()

UNEXPECTED = "Something went wrong inside Flowshelf. What is on the shelf is safe; the log says more."
SENTENCES = {
    400: "This request could not be understood.",
    404: "There is no such page on this shelf.",
    405: "This address cannot be used like that.",
    413: "That is too large for Flowshelf to take.",
    415: "This address takes JSON only: send it with “Content-Type: application/json”.",
    416: "This file has no such part: it ends before it.",
}
CODES = {400: "bad_request", 404: "not_found", 405: "bad_request", 413: "too_large", 415: "not_json"}


def register(app: Flask) -> None:
    app.register_error_handler(FlowshelfError, show_known)
    app.register_error_handler(HTTPException, show_http)
    app.register_error_handler(Exception, show_unexpected)


def show_known(error: FlowshelfError) -> ResponseReturnValue:
    extra = {"runId": error.run_id} if isinstance(error, Busy) and error.run_id else {}
    response = _answer(error.http_status, str(error), error.code, extra)
    if isinstance(error, Overloaded):
        response.headers["Retry-After"] = "5"
    if isinstance(error, Locked):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, SignInNeeded):
        response.headers["WWW-Authenticate"] = "Bearer"
        if htmx:
            response.headers["HX-Refresh"] = "true"  # the session ended: the page itself asks to sign in
    return response


def show_http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    sentence = SENTENCES.get(status, UNEXPECTED if status >= 500 else SENTENCES[400])
    response = _answer(status, sentence, CODES.get(status, "error" if status >= 500 else "bad_request"), {})
    for name, value in error.get_headers():
        response.headers.setdefault(name, value)  # as the length of a file whose part was not there
    return response


def show_unexpected(error: Exception) -> ResponseReturnValue:
    if problem := store.problem_of(error):
        log.error("Request %s %s: %s", request.method, request.path, problem)
        return show_known(problem)
    log.exception("Request %s %s failed", request.method, request.path)
    return _answer(500, UNEXPECTED, "error", {})


def _answer(status: int, sentence: str, code: str, extra: dict) -> Response:
    if request.path.startswith("/api/") or request.path == "/healthz":
        return make_response({"success": False, "error": sentence, "code": code} | extra, status)
    if htmx:
        response = make_response(render_template("partials/problem.html", sentence=sentence), status)
        response.headers["HX-Retarget"] = "#problem"
        response.headers["HX-Reswap"] = "innerHTML"
        return response
    if code == SignInNeeded.code:
        return make_response(render_template("sign_in.html", next=address(), problem=None), status)
    return make_response(render_template("problem.html", sentence=sentence, status=status), status)


def address() -> str:
    """The page that was asked for, to come back to after signing in."""
    return request.full_path.rstrip("?") if request.method == "GET" else "/"

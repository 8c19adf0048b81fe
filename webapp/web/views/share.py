"""Signing in by link or by code, signing out, and the page on which the owner finds and renews the links."""

from dataclasses import dataclass

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from webapp.database.states import Role
from webapp.errors import BadRequest, Locked, WrongCode
from webapp.web import access
from webapp.web.access import open_to_anonymous, open_to_guests
from webapp.web.services import sharing
from webapp.web.sharing import SESSION_DAYS, links
from webapp.web.views.filter_parameters import is_our_path

share = Blueprint("share", __name__)


@dataclass(frozen=True, slots=True)
class Way:
    """How others get in with one role: `links` from where they may be, the first also as a QR code."""

    role: Role
    code: str
    links: list[str]
    qr: Markup
    session_count: int


@share.get("/enter")
@open_to_anonymous
def enter() -> ResponseReturnValue:
    """Sign in by a link. The redirect takes the code out of the address bar and of the history.

    What only looks ahead (a HEAD, a browser that prefetches) signs nobody in.
    """
    if not sharing().is_on:
        return redirect(_next(request.args), code=303)
    code = request.args.get("code", "")
    if not code or request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", ""):
        return redirect(url_for("share.show_sign_in"), code=303)
    return _signed_in(code, _next(request.args))


@share.get("/sign-in")
@open_to_anonymous
def show_sign_in() -> ResponseReturnValue:
    if access.role() is not Role.ANONYMOUS:
        return redirect(_next(request.args), code=303)
    return render_template("sign_in.html", next=_next(request.args), problem=None)


@share.post("/sign-in")
@open_to_anonymous
def sign_in() -> ResponseReturnValue:
    if not sharing().is_on:
        return redirect(_next(request.form), code=303)
    return _signed_in(request.form.get("code", ""), _next(request.form))


@share.post("/sign-out")
@open_to_guests
def sign_out() -> ResponseReturnValue:
    if sharing().is_on:
        sharing().end_session(request.cookies.get(access.cookie_name(), ""))
    answer = redirect(url_for("share.show_sign_in"), code=303)
    answer.delete_cookie(access.cookie_name(), httponly=True, samesite="Lax")
    return answer


@share.get("/share")
def show_share() -> str:
    ways = [_way(role) for role in (Role.GUEST, Role.OWNER)] if sharing().is_on else []
    return render_template("share.html", ways=ways, days=SESSION_DAYS)


@share.post("/share/<role>/renew")
def renew(role: str) -> ResponseReturnValue:
    """Another link for a role. The browser that asked for it stays the owner's, in a new session."""
    if not sharing().is_on or role not in (Role.OWNER, Role.GUEST):
        raise BadRequest("There is no such link to renew: start Flowshelf with --share first.")
    sharing().renew(Role(role))
    answer = redirect(url_for("share.show_share"), code=303)
    return _with_session(answer, Role.OWNER) if role == Role.OWNER else answer


def _signed_in(code: str, next_path: str) -> ResponseReturnValue:
    """The page that was wanted, as whoever holds that code; else the sign-in page with what is wrong."""
    try:
        role = sharing().role_of_code(code, request.remote_addr or "")
    except (WrongCode, Locked) as error:
        page = render_template("sign_in.html", next=next_path, problem=str(error))
        answer = make_response(page, error.http_status)
        if isinstance(error, Locked):
            answer.headers["Retry-After"] = str(error.retry_after_seconds)
        return answer
    answer = redirect(next_path, code=303)
    # A guest link that a page of somebody else opens must not take the owner's role away.
    return answer if access.is_owner() else _with_session(answer, role)


def _with_session(answer: Response, role: Role) -> Response:
    name = access.cookie_name()
    sharing().end_session(request.cookies.get(name, ""))
    answer.set_cookie(
        name,
        sharing().begin_session(role),
        max_age=SESSION_DAYS * 24 * 3600,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    return answer


def _next(words) -> str:
    """The page to go on to: one of ours, never another site."""
    path = words.get("next", "")
    return path if is_our_path(path) else url_for("pages.gallery")


def _way(role: Role) -> Way:
    code = sharing().codes.code_of(role)
    ways = [links.enter_url(base, code) for base in _base_urls()]
    return Way(role, code, ways, links.qr_svg(ways[0]), sharing().count_sessions(role))


def _base_urls() -> list[str]:
    """Where others can open this shelf: the address that the owner uses comes first, unless it is for this
    machine alone."""
    here = request.host_url.rstrip("/")
    others = [] if request.is_secure else links.base_urls(sharing().host, int(request.environ["SERVER_PORT"]))
    if others and links.is_loopback(request.host):
        return others
    return list(dict.fromkeys([here, *others]))

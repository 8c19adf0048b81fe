"""Signing in with a link or a code, signing out, and the page where the owner finds and renews the links."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.wrappers import Response

from webapp.database.states import GuestView, Role
from webapp.errors import BadRequest, Locked, WrongCode
from webapp.store.choices import collections, guests
from webapp.store.gallery import counts
from webapp.store.gallery.filters import Filter
from webapp.store.gallery.scope import guest_scope
from webapp.web import access, security
from webapp.web.access import asks_for_code, open_to_anonymous, open_to_guests
from webapp.web.prefix import root_path
from webapp.web.services import sharing
from webapp.web.sharing import SESSION_DAYS, Sharing, links
from webapp.web.views.return_path import is_local_path

share = Blueprint("share", __name__)

MAX_CODE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Access:
    """How others sign in with one role. `links` has one link per address of this machine, `qr` shows the
    first link as a QR code."""

    role: Role
    code: str
    links: list[str]
    qr: Markup
    session_count: int


@share.get("/enter")
@open_to_anonymous
def enter() -> ResponseReturnValue:
    """Sign in with a link. The redirect removes the code from the address bar and from the browser's history.

    A HEAD request or a prefetch does not sign in: nobody has opened the link yet. A request that a page of
    another site may have caused gets a form to confirm, and the code is not checked. Otherwise an image there
    with a wrong code would lock this visitor's address.
    """
    if sharing() is None:
        return redirect(_next(request.args), code=303)
    code = request.args.get("code", "")
    if not code or request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", ""):
        return redirect(url_for("share.show_sign_in"), code=303)
    if not security.is_own_navigation():
        return render_template(
            "sign_in.html", next=_next(request.args), problem=None, code=code[:MAX_CODE_LENGTH]
        )
    return _sign_in_with(code, _next(request.args))


@share.get("/sign-in")
@open_to_anonymous
def show_sign_in() -> ResponseReturnValue:
    if access.role() is not Role.ANONYMOUS:
        return redirect(_next(request.args), code=303)
    return render_template("sign_in.html", next=_next(request.args), problem=None)


@share.post("/sign-in")
@open_to_anonymous
def sign_in() -> ResponseReturnValue:
    return _sign_in_with(request.form.get("code", ""), _next(request.form))


@share.post("/sign-out")
@open_to_guests
def sign_out() -> ResponseReturnValue:
    if current := sharing():
        for session_id in access.session_ids():
            current.end_session(session_id)
    response = redirect(url_for("share.show_sign_in"), code=303)
    response.delete_cookie(access.cookie_name(), path=root_path(), httponly=True, samesite="Lax")
    return response


@share.get("/confirm")
def show_confirm() -> ResponseReturnValue:
    """The owner types the code before what asks for it (`access.asks_for_code`)."""
    return render_template("confirm_code.html", next=_next(request.args), problem=None)


@share.post("/confirm")
def confirm() -> ResponseReturnValue:
    current, next_path = sharing(), _next(request.form)
    if current is None:
        return redirect(next_path, code=303)
    try:
        if current.role_of_code(request.form.get("code", ""), request.remote_addr or "") is not Role.OWNER:
            raise WrongCode("This is the code for guests. Type the owner’s.")
    except (WrongCode, Locked) as error:
        page = render_template("confirm_code.html", next=next_path, problem=str(error))
        return make_response(page, error.http_status)
    current.note_code(access.session_ids(), access.client())
    return redirect(next_path, code=303)


@share.get("/share")
@asks_for_code
def show_share() -> str:
    """The links; without sharing how to turn it on."""
    current = sharing()
    accesses = [_access(current, role) for role in (Role.GUEST, Role.OWNER)] if current else []
    return render_template(
        "share.html",
        accesses=accesses,
        days=SESSION_DAYS,
        guest_link=guests.find_guest_link(),
        seen=counts.count_first(Filter(scope=guest_scope())),
        collections=collections.list_collections(),
    )


@share.post("/share/guests")
@asks_for_code
def choose_guest_view() -> ResponseReturnValue:
    """What the guest link shows: everything, chosen collections, or nothing because it is off."""
    choice = request.form.get("shows")
    if choice == GuestView.EVERYTHING:
        guests.show_everything()
    elif choice == GuestView.COLLECTIONS:
        guests.show_collections(request.form.getlist("collection"))
    elif choice == "nothing":
        guests.turn_off()
    else:
        raise BadRequest("Choose what guests are shown: everything, collections, or nothing.")
    return redirect(url_for("share.show_share"), code=303)


@share.post("/share/<role>/renew")
@asks_for_code
def renew(role: str) -> ResponseReturnValue:
    """Replace the link of a role. The owner's own browser stays signed in, with a new session."""
    current = sharing()
    if current is None or role not in (Role.OWNER, Role.GUEST):
        raise BadRequest("There is no such link to renew. Links exist only after a start with --share.")
    current.renew(Role(role))
    response = redirect(url_for("share.show_share"), code=303)
    if role == Role.OWNER:
        _begin_session(current, response, Role.OWNER)
    return response


def _sign_in_with(code: str, next_path: str) -> ResponseReturnValue:
    """Sign in and redirect to `next_path`; the sign-in page with a message if the code is refused."""
    current = sharing()
    if current is None:
        return redirect(next_path, code=303)
    try:
        role = current.role_of_code(code, request.remote_addr or "")
    except (WrongCode, Locked) as error:
        page = render_template("sign_in.html", next=next_path, problem=str(error))
        refusal = make_response(page, error.http_status)
        if isinstance(error, Locked):
            refusal.headers["Retry-After"] = str(error.retry_after_seconds)
        return refusal
    response = redirect(next_path, code=303)
    if role is Role.GUEST and not guests.is_link_on():
        return make_response(
            render_template("sign_in.html", next=next_path, problem=security.GUESTS_OFF), 403
        )
    # An owner stays the owner: a page of somebody else could open a guest link to take that role away.
    if not access.is_owner():
        _begin_session(current, response, role)
    return response


def _begin_session(sharing: Sharing, response: Response, role: Role) -> None:
    """Replace the browser's session by a new one, whose cookie is set with `response`."""
    name = access.cookie_name()
    for session_id in access.session_ids():
        sharing.end_session(session_id)
    response.set_cookie(
        name,
        sharing.begin_session(role, access.client()),
        max_age=SESSION_DAYS * 24 * 3600,
        path=root_path(),
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )


@share.app_template_global()
def needs_code() -> bool:
    """Whether the owner has to type the code before the next form that asks for it."""
    return access.is_owner() and security.needs_code(sharing())


def _next(values: Mapping[str, str]) -> str:
    """The path to continue at, never on another site."""
    path = values.get("next", "")
    return path if is_local_path(path) else url_for("gallery.show_gallery")


def _access(sharing: Sharing, role: Role) -> Access:
    code = sharing.codes.code_of(role)
    urls = [links.enter_url(base, code) for base in _base_urls(sharing)]
    return Access(role, code, urls, links.qr_svg(urls[0]), sharing.count_sessions(role))


def _base_urls(sharing: Sharing) -> list[str]:
    """The URLs under which others can open Flowshelf. First the one that the owner uses, unless that works on
    this machine only. Behind https there is a proxy, and only its URL is known."""
    here = request.root_url.rstrip("/")
    port = int(request.environ["SERVER_PORT"])
    others = [] if request.is_secure else links.base_urls(sharing.host, port, sharing.prefix)
    if others and links.is_loopback(request.host):
        return others
    return list(dict.fromkeys([here, *others]))

"""The role of the current request, and which views each role may use.

Denied by default: only the owner may use a view that is not registered here, so a view that somebody forgot
to mark is closed to guests and to anonymous visitors.
"""

from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary, WeakSet

from flask import g, request

from webapp.database.states import Role
from webapp.web.sharing.attempts import network_of

# Where the server may put a function in the WSGI environment that is to be told the role of the request.
NOTE_ROLE = "flowshelf.note_role"

View = Callable[..., object]
ViewT = TypeVar("ViewT", bound=View)

# The lowest role that may use a view. Weak, because each app brings a view for static files of its own.
_open_to: WeakKeyDictionary[View, Role] = WeakKeyDictionary()
_asks_for_code: WeakSet[View] = WeakSet()
# The roles whose views a role may use.
_INCLUDED = {
    Role.COMPANION: (Role.COMPANION,),
    Role.OWNER: (Role.OWNER, Role.GUEST, Role.ANONYMOUS),
    Role.GUEST: (Role.GUEST, Role.ANONYMOUS),
    Role.ANONYMOUS: (Role.ANONYMOUS,),
}


def open_to_guests(view: ViewT) -> ViewT:
    """Let guests use a view. It must change nothing on the server, send no request to Flow, and show only
    what guests may see."""
    _open_to[view] = Role.GUEST
    return view


def open_to_anonymous(view: ViewT) -> ViewT:
    """Let everybody on the network use a view without signing in."""
    _open_to[view] = Role.ANONYMOUS
    return view


def open_to_companion(view: ViewT) -> ViewT:
    """Let the extension of a paired browser use a view, and nobody else: not even the owner."""
    _open_to[view] = Role.COMPANION
    return view


def is_for_companion(view: View | None) -> bool:
    return view is not None and _open_to.get(view) is Role.COMPANION


def asks_for_code(view: ViewT) -> ViewT:
    """Let an owner use a view of a shared Flowshelf only if the code was typed a moment ago: a stolen session
    must not hand out codes, change how profiles sign in, or remove them."""
    _asks_for_code.add(view)
    return view


def is_asking_for_code(view: View | None) -> bool:
    return view in _asks_for_code


def is_allowed(role: Role, view: View | None) -> bool:
    """Whether a role may use a view. `view` is None when the URL matches no route: guests get the 404, an
    anonymous visitor must not learn which URLs exist."""
    open_to = Role.GUEST if view is None else _open_to.get(view, Role.OWNER)
    return open_to in _INCLUDED[role]


def set_role(role: Role) -> None:
    """Set the role for the rest of this request."""
    g.role = role
    if note := request.environ.get(NOTE_ROLE):
        note(role)


def cookie_name() -> str:
    """The name of the session cookie. It contains the port, because browsers send cookies to every port of a
    host: two Flowshelfs on one machine would otherwise overwrite each other's session."""
    return f"flowshelf_{request.environ['SERVER_PORT']}"


def session_ids() -> list[str]:
    """The values of all session cookies of the current request.

    A program on another port of this host can set a cookie with the same name, which browsers may send
    first. It must not sign anybody out, so each value is tried.
    """
    return list(dict.fromkeys(filter(None, request.cookies.getlist(cookie_name()))))


def client() -> str | None:
    """Who sends the current request, as far as a session is tied to it: network and user agent; None over
    https, where no other port of this host gets the cookie."""
    if request.is_secure:
        return None
    return f"{network_of(request.remote_addr or '')}\n{request.headers.get('User-Agent', '')}"


def role() -> Role:
    """The role of the current request; anonymous until `security` has determined it."""
    return g.get("role", Role.ANONYMOUS)


def is_owner() -> bool:
    return role() is Role.OWNER


def is_guest() -> bool:
    return role() is Role.GUEST

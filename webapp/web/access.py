"""Who is asking, and what a view says of who may.

A view is the owner's unless it is marked: one that is new, or was forgotten, is closed to everybody else.
"""

from collections.abc import Callable

from flask import g, request

from webapp.database.states import Role

# What a role may ask for beside its own.
_BELOW = {
    Role.OWNER: (Role.OWNER, Role.GUEST, Role.ANONYMOUS),
    Role.GUEST: (Role.GUEST, Role.ANONYMOUS),
    Role.ANONYMOUS: (Role.ANONYMOUS,),
}


def open_to_guests(view: Callable) -> Callable:
    """Mark a view that may be asked by whoever holds the guest link: it changes nothing, calls nobody, and
    what it shows is for guests to see."""
    view.open_to = Role.GUEST
    return view


def open_to_anonymous(view: Callable) -> Callable:
    """Mark a view that anybody in the network may ask, without signing in."""
    view.open_to = Role.ANONYMOUS
    return view


def may_ask(role: Role, view: Callable | None) -> bool:
    """Whether a role may ask for a view. None is an address that leads nowhere: only strangers are not
    told that."""
    open_to = Role.GUEST if view is None else getattr(view, "open_to", Role.OWNER)
    return open_to in _BELOW[role]


def let_in(role: Role) -> None:
    """Note who asks, for the rest of this request."""
    g.role = role


def cookie_name() -> str:
    """Cookies know no ports: two Flowshelfs of one machine would sign each other out under one name."""
    return f"flowshelf_{request.environ['SERVER_PORT']}"


def role() -> Role:
    """Who asks; a stranger until the guard has found out."""
    return g.get("role", Role.ANONYMOUS)


def is_owner() -> bool:
    return role() is Role.OWNER


def is_guest() -> bool:
    return role() is Role.GUEST

"""The heart: marking images as favourites, and taking the mark away."""

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX

from webapp.store.choices import favourites
from webapp.web.views.filter_parameters import selection_of
from webapp.web.views.return_path import return_path

favourite_commands = Blueprint("favourites", __name__)
htmx = HTMX()


@favourite_commands.post("/selection/favourite")
def mark() -> ResponseReturnValue:
    """Of a single image its heart says it, of a selection a toast with Undo."""
    moment = favourites.mark(selection_of(request.form))
    return _done() if "only" in request.form else redirect(return_path(favoured=moment), code=303)


@favourite_commands.post("/selection/unfavourite")
def unmark() -> ResponseReturnValue:
    count = favourites.unmark(selection_of(request.form))
    return _done() if "only" in request.form else redirect(return_path(unfavoured=count), code=303)


@favourite_commands.post("/selection/favourite/undo")
def undo_marking() -> ResponseReturnValue:
    """Of what was marked at the times `favoured`: several, if a toast has merged several actions."""
    for moment in request.form.getlist("favoured"):
        favourites.undo_marking(moment)
    if htmx:
        return "", 204, {"HX-Trigger": "choices-changed"}
    return redirect(return_path(), code=303)


def _done() -> ResponseReturnValue:
    if htmx and htmx.target != "image":
        return "", 204
    return redirect(return_path(), code=303)

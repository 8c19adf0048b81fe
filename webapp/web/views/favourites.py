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
    """Of a single image its heart says it, of a selection a toast with Undo. From a selection in which all
    are favourites it takes the mark away, as the heart does."""
    moment = favourites.mark(selection_of(request.form))
    if "only" in request.form:
        return _done()
    if not favourites.count_marked_at(moment):
        return unmark()
    return redirect(return_path(favoured=moment), code=303)


@favourite_commands.post("/selection/unfavourite")
def unmark() -> ResponseReturnValue:
    moment = favourites.unmark(selection_of(request.form))
    return _done() if "only" in request.form else redirect(return_path(unfavoured=moment), code=303)


@favourite_commands.post("/selection/favourite/undo")
def undo() -> ResponseReturnValue:
    """Undo what was done at these times: several, if a toast has merged several actions."""
    for moment in request.form.getlist("favoured"):
        favourites.undo_marking(moment)
    for moment in request.form.getlist("unfavoured"):
        favourites.undo_unmarking(moment)
    if htmx:
        return "", 204, {"HX-Trigger": "choices-changed"}
    return redirect(return_path(), code=303)


def _done() -> ResponseReturnValue:
    if htmx and htmx.target != "image":
        return "", 204
    return redirect(return_path(), code=303)

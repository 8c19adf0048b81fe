"""How a browser wants to see the pages: density of the gallery, light or dark. Each browser remembers it in a
cookie."""

from flask import Blueprint, Flask, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX

from webapp.errors import BadRequest
from webapp.web.access import open_to_guests
from webapp.web.compression import ONE_YEAR_SECONDS
from webapp.web.prefix import root_path
from webapp.web.views.return_path import return_path

preferences = Blueprint("preferences", __name__)
htmx = HTMX()

# The values of each preference; the first is the default.
CHOICES = {"density": ("shelf", "compact", "wall"), "theme": ("system", "light", "dark")}


@preferences.post("/density")
@open_to_guests
def choose_density() -> ResponseReturnValue:
    """Choose how the gallery arranges its images."""
    return _remember("density")


@preferences.post("/theme")
@open_to_guests
def choose_theme() -> ResponseReturnValue:
    """Choose the theme: light, dark, or the operating system's."""
    return _remember("theme")


def _remember(name: str) -> ResponseReturnValue:
    """Store a preference in a cookie.

    Local storage would not do: the server needs the value to render the next page.
    """
    choice = request.form.get(name, "")
    if choice not in CHOICES[name]:
        raise BadRequest(f"The {name} must be one of: {', '.join(CHOICES[name])}.")
    response = make_response(("", 204)) if htmx else make_response(redirect(return_path(), code=303))
    response.set_cookie(
        name, choice, max_age=ONE_YEAR_SECONDS, path=root_path(), httponly=True, samesite="Lax"
    )
    return response


def _choice_of(name: str) -> str:
    chosen = request.cookies.get(name, "")
    return chosen if chosen in CHOICES[name] else CHOICES[name][0]


def density() -> str:
    return _choice_of("density")


def theme() -> str:
    return _choice_of("theme")


def register(app: Flask) -> None:
    app.register_blueprint(preferences)
    app.jinja_env.globals |= {"density": density, "theme": theme}

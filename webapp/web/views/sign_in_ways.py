"""The ways to sign in that this Flowshelf offers beside pasting, with the pages where they begin."""

from flask import Flask, current_app, url_for

from webapp.web.services import sharing

# The first endpoint that exists is the page.
_COMPANION = ("companion_pages.show_connect", "companion_pages.show_companion")
_FIREFOX = ("firefox.show_firefox",)


def companion_url() -> str | None:
    """Where a person connects this browser."""
    return _first_url(_COMPANION)


def firefox_url() -> str | None:
    """Where a person uses the sign-in of a Firefox on this machine; None on a shared shelf, whose owner may
    not be who runs the machine."""
    return _first_url(_FIREFOX) if sharing() is None else None


def _first_url(endpoints: tuple[str, ...]) -> str | None:
    existing = (url_for(name) for name in endpoints if name in current_app.view_functions)
    return next(existing, None)


def register(app: Flask) -> None:
    app.jinja_env.globals |= {"companion_url": companion_url, "firefox_url": firefox_url}

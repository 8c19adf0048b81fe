"""The ways to sign in that this Flowshelf offers beside pasting, with the pages where they begin."""

from flask import Flask, url_for

from webapp.web.services import background


def companion_url() -> str:
    """Where a person connects this browser."""
    return url_for("companion_pages.show_connect")


def firefox_url() -> str | None:
    """Where a person uses the sign-in of a Firefox on this machine; None where that is not offered."""
    return url_for("firefox.show_firefox") if background().firefox.is_offered else None


def register(app: Flask) -> None:
    app.jinja_env.globals |= {"companion_url": companion_url, "firefox_url": firefox_url}

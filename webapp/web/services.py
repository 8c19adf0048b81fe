"""The services of the running app that a request can reach: its background work and its sharing."""

from flask import Flask, current_app

from webapp.background import Background
from webapp.web.sharing import Sharing

_BACKGROUND, _SHARING = "flowshelf", "flowshelf.sharing"


def install(app: Flask, background: Background, sharing: Sharing) -> None:
    """Attach both to the app that is being put together."""
    app.extensions[_BACKGROUND] = background
    app.extensions[_SHARING] = sharing


def background_of(app: Flask) -> Background:
    return app.extensions[_BACKGROUND]


def sharing_of(app: Flask) -> Sharing:
    return app.extensions[_SHARING]


def background() -> Background:
    """The background work of the app that answers this request; commands go to it."""
    return background_of(current_app)


def sharing() -> Sharing:
    return sharing_of(current_app)

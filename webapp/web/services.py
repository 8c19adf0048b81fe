"""The background work and the sharing of the running app, for the views that need them."""

from flask import Flask, current_app

from webapp.background import Background
from webapp.web.sharing import Sharing

_BACKGROUND, _SHARING = "flowshelf", "flowshelf.sharing"


def install(app: Flask, background: Background, sharing: Sharing | None) -> None:
    """Attach both to an app. `sharing` is None when Flowshelf is not shared."""
    app.extensions[_BACKGROUND] = background
    app.extensions[_SHARING] = sharing


def background_of(app: Flask) -> Background:
    return app.extensions[_BACKGROUND]


def sharing_of(app: Flask) -> Sharing | None:
    return app.extensions[_SHARING]


def background() -> Background:
    """The background work of the app that handles the current request."""
    return background_of(current_app)


def is_demo() -> bool:
    """Whether the current request is for the demo, whose pictures and accounts are made up."""
    return background().settings.current.is_sealed


def sharing() -> Sharing | None:
    """The sharing of the app that handles the current request; None when it is not shared."""
    return sharing_of(current_app)

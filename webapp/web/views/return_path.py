"""The page a form was on, to return to after the form was processed without JavaScript.

Each form sends its page in the hidden field `here`.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from flask import Flask, request, url_for
from flask_htmx import HTMX
from werkzeug.exceptions import RequestEntityTooLarge

from webapp.web.prefix import requested_path, root_path

htmx = HTMX()

# Endpoints of whole pages. A fragment is always part of the gallery.
WHOLE_PAGES = (
    "gallery.show_gallery",
    "gallery.show_filters",
    "images.show_image",
    "comparison.show_comparison",
    "profiles.show_profile",
    "profiles.show_profiles",
    "companion_pages.show_connect",
    "status.show_status",
    "overview.show_overview",
    "activity.show_activity",
    "activity.show_run",
    "exports.show_exports",
    "exports.show_export",
    "collections.show_collections",
    "collections.show_edit",
    "trash.show_trash",
    "trash.confirm_emptying",
    "share.show_share",
    "share.show_confirm",
    "settings.show_settings",
    "help.list_topics",
    "help.show_topic",
)
# Query parameters with which the gallery reports the outcome of the last command.
OUTCOME_PARAMETERS = (
    *("hid", "deleted", "kept", "in_use", "undo", "restored", "aside", "stayed"),
    *("favoured", "unfavoured", "collected", "into", "uncollected", "out_of"),
)


def is_local_path(text: str) -> bool:
    """Whether a URL from outside stays in this Flowshelf: a path under the prefix, without dot segments that
    lead out of it, that no browser takes for another host."""
    if not text.startswith(root_path()) or text.startswith(("//", "/\\")) or not text.isprintable():
        return False
    # Browsers resolve `%2e` like a dot, and take a backslash for a slash.
    segments = re.split(r"[/\\]", unquote(re.split("[?#]", text)[0]))
    return not {".", ".."}.intersection(segments)


def current_path() -> str:
    """The path and query of the page that is being rendered, for the field `here` of its forms."""
    if request.endpoint in WHOLE_PAGES:
        return requested_path()
    try:
        profile_id = request.values.get("profile")
    except RequestEntityTooLarge:  # this is the page that reports it
        profile_id = None
    return url_for("gallery.show_gallery", profile=profile_id or None)


def return_path(**outcome: Any) -> str:
    """The path of the page that the submitted form was on.

    `outcome` reports what was done, as query parameters; those of an earlier command are removed. HTMX gets
    only a toast that says so, unless it asks for the next image.
    """
    if outcome and htmx and htmx.target != "image":
        return url_for("selections.show_outcome", **outcome)
    here = request.form.get("here", "")
    if not is_local_path(here):
        return url_for("gallery.show_gallery", profile=request.form.get("profile") or None, **outcome)
    path, _, query = here.partition("?")
    parameters = [(name, value) for name, value in parse_qsl(query) if name not in OUTCOME_PARAMETERS]
    parameters += [(name, str(value)) for name, value in outcome.items()]
    return f"{path}?{urlencode(parameters)}" if parameters else path


def register(app: Flask) -> None:
    app.jinja_env.globals["current_path"] = current_path

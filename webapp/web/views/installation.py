"""The web manifest, by which browsers offer to install the dashboard as an app of its own window."""

from flask import Blueprint, json, make_response, url_for
from flask.typing import ResponseReturnValue

from webapp.web.access import open_to_anonymous

installation = Blueprint("installation", __name__)

# As the tokens of app.css in the light theme. On each page a theme-color of its theme overrides it.
COLOUR = "#f7f2e8"
MAX_AGE_SECONDS = 86_400
# Where under static/icons, the size in pixels, and whether the system may cut a shape of its own out of it.
ICONS = (("icon-192.png", 192, "any"), ("icon-512.png", 512, "any"), ("maskable-512.png", 512, "maskable"))


@installation.get("/manifest.webmanifest")
@open_to_anonymous
def show_manifest() -> ResponseReturnValue:
    """Open to everybody, because browsers fetch it without cookies. It holds nothing of the shelf."""
    home = url_for("gallery.show_gallery")
    manifest = {
        "id": home,
        "name": "Flowshelf",
        "short_name": "Flowshelf",
        "description": "Your own Google Flow images on your own computer",
        "start_url": home,
        "scope": home,
        "display": "standalone",
        "theme_color": COLOUR,
        "background_color": COLOUR,
        "icons": [_icon(*icon) for icon in ICONS],
    }
    response = make_response(json.dumps(manifest))
    response.content_type = "application/manifest+json"
    response.cache_control.max_age = MAX_AGE_SECONDS
    return response


def _icon(file_name: str, size: int, purpose: str) -> dict[str, str]:
    url = url_for("static", filename=f"icons/{file_name}")
    return {"src": url, "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}

"""The page “Connect this browser”: the companion as a ZIP, the pairing code, and the accounts to pick."""

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue

from webapp.errors import Forbidden
from webapp.web.access import asks_for_code
from webapp.web.companion_zip import FOLDER, companion_zip
from webapp.web.services import background
from webapp.web.sharing import links

companion_pages = Blueprint("companion_pages", __name__)

BROWSERS = {"chrome": "Chrome", "edge": "Edge", "brave": "Brave"}
NOT_PRIVATE = (
    "A browser can be connected only at the computer that runs Flowshelf, or over https: in a network, others"
    " could read along while the two agree on their secret."
)


@companion_pages.get("/profiles/connect")
@asks_for_code
def show_connect() -> str:
    """The code is in this page only, and not in what it refreshes: each page that is opened has its own."""
    url = browser_url()
    code = background().companion.new_code() if is_private(url) else None
    chosen = request.args.get("browser", "")
    return render_template(
        "companion.html",
        code=code,
        url=url,
        flow_url=background().flow_url,
        not_private=NOT_PRIVATE,
        browsers=BROWSERS,
        browser=chosen if chosen in BROWSERS else _guessed_browser(),
        **_own_kind(),
        **_state(),
    )


@companion_pages.get("/profiles/connect/state")
def show_state() -> ResponseReturnValue:
    """The part of the page that refreshes itself. Nothing (204) while it is as the browser has it."""
    state = _state()
    if request.args.get("seen") == state["seen"]:
        return make_response("", 204)
    return render_template("partials/companion_state.html", **state)


@companion_pages.get("/profiles/connect/flowshelf-companion.zip")
def send_zip() -> Response:
    """Raises Forbidden where the browser could not be connected afterwards."""
    url = browser_url()
    if not is_private(url):
        raise Forbidden(NOT_PRIVATE)
    source = Path(current_app.static_folder or "") / "companion"
    content = companion_zip(source, url, background().flow_url, metadata.version("flowshelf"))
    response = Response(content, mimetype="application/zip")
    response.headers.set("Content-Disposition", "attachment", filename=f"{FOLDER}.zip")
    return response


def browser_url() -> str:
    """The URL of the start page as the browser sees it, without a slash at its end.

    A proxy that speaks https may not say so. But over plain http, browsers send Sec-Fetch headers to loopback
    only.
    """
    is_https = "Sec-Fetch-Site" in request.headers and not links.is_loopback(request.host)
    return f"{'https' if is_https else request.scheme}://{request.host}{request.script_root}"


def is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent to a URL."""
    scheme, _, rest = url.partition("://")
    return scheme == "https" or links.is_loopback(rest.partition("/")[0])


def _state() -> dict[str, Any]:
    """The values of `partials/companion_state.html`: the paired browsers that have no profile yet, each with
    its accounts (None while it is being asked), and a fingerprint of what that shows."""
    companion = background().companion
    waiting = [pairing for pairing in companion.pairings() if pairing.profile_id is None]
    rows = [{"pairing": pairing, "accounts": companion.accounts_of(pairing.id)} for pairing in waiting]
    text = render_template("partials/companion_state.html", rows=rows, seen="")
    return {"rows": rows, "seen": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _guessed_browser() -> str:
    """Brave calls itself Chrome."""
    return "edge" if "Edg/" in request.headers.get("User-Agent", "") else "chrome"


def _own_kind() -> dict[str, bool]:
    """Browsers that cannot load the companion."""
    agent = request.headers.get("User-Agent", "")
    is_chromium = "Chrome/" in agent or "Chromium/" in agent
    return {
        "is_firefox": "Firefox/" in agent,
        "is_other": bool(agent) and not is_chromium,
        "is_phone": "Mobile" in agent,
    }

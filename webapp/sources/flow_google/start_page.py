"""The page at flow.google.com: who is signed in, and the values that every call has to carry."""

import json
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from webapp.errors import SignedOut
from webapp.sources.http import Response
from webapp.sources.refusals import changed, redirect_target, same_site

MAX_PAGE_BYTES = 16 * 1024 * 1024

SIGNED_OUT = (
    "Flow does not know these cookies any more: they have expired, or Google has ended the session they "
    "belong to. Sign in at https://flow.google.com and paste the cookies again; everything goes on from "
    "there."
)
ABOUT = (
    "Flow shows its page for visitors. Open https://flow.google.com in the browser and press Create there: "
    "Google may want you to confirm that it is you. Then paste the cookies again; everything goes on from "
    "there."
)
_SIGN_IN_PAGE = re.compile(r"<title>[^<]{0,100}\bsign in\b|accounts\.google\.com/", re.IGNORECASE)
_FIELDS = {"email": "oPEP7c", "token": "SNlM0e", "build": "cfb2h", "session_id": "FdrFJe"}


@dataclass(frozen=True, slots=True)
class StartPage:
    """`token` goes with every call as `at` (if it is empty, the first refusal provides one), `build` as
    `bl`, `session_id` as `f.sid`. Token and e-mail may be missing for a signed-in account.

    `index` is the N of `/u/N/` that the page was fetched below; None is the first account.
    """

    email: str = field(repr=False)
    token: str = field(repr=False)
    build: str
    session_id: str = field(repr=False)
    index: int | None = None

    @property
    def fields(self) -> dict[str, bool]:
        """Which fields the page had, by their names in the page."""
        return {key: bool(getattr(self, name)) for name, key in _FIELDS.items()}


def fields_in(text: str) -> dict[str, bool]:
    """Which fields are in the text of a page that cannot be used."""
    return {key: bool(_field(text, key)) for key in _FIELDS.values()}


def read_start_page(response: Response) -> StartPage:
    """Raises FlowChanged if the page lacks a value that calls need, SignedOut if it was refused.

    A page that can be read does not prove that somebody is signed in: only a call shows that.
    """
    if response.status in (401, 403):
        raise SignedOut(SIGNED_OUT)
    text = response.text if response.status == 200 else ""
    found = {name: _field(text, key) for name, key in _FIELDS.items()}
    if not any(found.values()) and _SIGN_IN_PAGE.search(text):
        raise SignedOut(SIGNED_OUT)
    if not (found["build"] and found["session_id"]):
        shape = json.dumps(fields_in(text))
        raise changed(response, f"its page lacks what calls must carry ({response.status})", sample=shape)
    return StartPage(found["email"], found["token"], found["build"], found["session_id"])


def _field(text: str, key: str) -> str:
    match = re.search(rf'"{key}":("(?:[^"\\]|\\.){{1,2000}}")', text)
    try:
        value = json.loads(match[1]) if match else ""
    except ValueError:
        return ""
    return value.encode("utf-8", "replace").decode().strip()


def redirects_within(response: Response, flow_url: str) -> bool:
    """Whether a response redirects to another page of Flow. Raises SignedOut for the page for visitors."""
    target = redirect_target(response)
    if response.location is None or not same_site(target, flow_url):
        return False
    if re.fullmatch(r"(?:/u/\d+)?/about/?", urlsplit(target).path):
        raise SignedOut(ABOUT)
    return True

"""Turns responses other than the expected one into errors, in the same way for every call."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from webapp.errors import AccountMoved, FlowChanged, FlowUnavailable, SignedOut, SlowDown
from webapp.sources.cookies.google import STEPS
from webapp.sources.http import Response, host_of, redacted, retry_after_seconds

_SAMPLE_CHARACTERS = 1_000
# Redaction takes time: only this much of a text is redacted before it is shortened.
_MAX_REDACTED_CHARACTERS = 20_000

SIGN_IN_AGAIN = (
    "Sign in at https://flow.google.com, or at labs.google/fx only if your images still open there, and "
    "paste the cookies again; everything then resumes where it stopped."
)
SIGNED_OUT = (
    "Flow no longer accepts these cookies: they have expired, or you signed out in the browser they came "
    f"from. {SIGN_IN_AGAIN}"
)
MOVED = (
    "Google has moved this account to flow.google.com, which needs other cookies. What you have here stays, "
    f"and nothing is downloaded twice. To continue, {STEPS}, and paste that into Flowshelf."
)


def check_passing(response: Response) -> None:
    """Raises SlowDown or FlowUnavailable when the status is one of a transient failure."""
    host = host_of(response.url)
    pause = retry_after_seconds(response.header("retry-after"), datetime.now(UTC))
    if response.status in (429, 503):
        raise SlowDown(f"{host} asks for fewer requests ({response.status}). Flowshelf slows down.", pause)
    if response.status >= 500 or response.status == 408:
        raise FlowUnavailable(
            f"{host} reported an internal error ({response.status}). Trying again is safe.", pause
        )


def check_destination(response: Response, flow_url: str, signed_out: str = SIGNED_OUT) -> None:
    """Raises SignedOut or AccountMoved for a redirect that means so, FlowChanged for any other one."""
    if not 300 <= response.status < 400:
        return
    target, host = redirect_target(response), host_of(redirect_target(response))
    if host == "accounts.google.com" or re.search(r"/(?:sign-?in|login)\b", target, re.IGNORECASE):
        raise SignedOut(signed_out)
    if host == "flow.google.com" or target.startswith(f"{flow_url}/") or target == flow_url:
        raise AccountMoved(MOVED)
    raise FlowChanged(f"{host_of(response.url)} unexpectedly redirects this request to {host}.")


def redirect_target(response: Response) -> str:
    """The absolute URL that a redirect leads to; empty when it is missing or cannot be read."""
    try:
        return urljoin(response.url, response.location or "")
    except ValueError:
        return ""


def same_site(one: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port."""
    try:
        return urlsplit(one)[:2] == urlsplit(other)[:2]
    except ValueError:
        return False


def check_not_page(response: Response, signed_out: str = SIGNED_OUT) -> None:
    """Raises SignedOut for an HTML page in place of a response for programs.

    It is a sign-in page, a consent page or the app's start page, whatever the status. With status 404 or 410
    the URL itself is gone and new cookies would not help: then it raises FlowChanged.
    """
    if not response.is_html:
        return
    if response.status in (404, 410):
        raise changed(response, "the URL that Flowshelf requests does not exist any more")
    raise SignedOut(signed_out)


def read_document(response: Response, secrets: Iterable[str] = ()) -> object:
    """The response's JSON. Raises FlowUnavailable when it is truncated, FlowChanged when it is not JSON."""
    try:
        return response.json()
    except ValueError as error:
        reason = str(error)
    if is_cut(response):
        raise FlowUnavailable(
            f"The response of {host_of(response.url)} arrived incomplete. Trying again is safe."
        )
    raise changed(response, f"it is {reason}", secrets)


def is_cut(response: Response) -> bool:
    """Whether a body that is not valid JSON looks like the beginning of JSON."""
    body = response.body[:64].lstrip()
    end = response.body[-64:].rstrip()
    return not body or (body[:1] in b"{[" and end[-1:] not in (b"}", b"]"))


def changed(
    response: Response, what: str, secrets: Iterable[str] = (), sample: str | None = None
) -> FlowChanged:
    """The error for a response of an unknown shape, with a redacted sample for a report."""
    text = response.text if sample is None else sample
    return FlowChanged(
        f"{host_of(response.url)} sent a response that Flowshelf does not understand: {what}. The service "
        "may have changed. Try again later, and look for a newer Flowshelf if the problem stays.",
        redacted(text[:_MAX_REDACTED_CHARACTERS], secrets)[:_SAMPLE_CHARACTERS],
    )


def shape_of(document: object) -> str:
    """The fields of a response that holds secrets, with types in place of the values."""
    if not isinstance(document, dict):
        return type(document).__name__
    return json.dumps({str(name)[:60]: type(value).__name__ for name, value in list(document.items())[:40]})


def quoted(message: object, secrets: Iterable[str] = ()) -> str:
    """A sentence that quotes a message of the service: redacted, short, on one line; empty for no message."""
    if not isinstance(message, str) or not message.strip():
        return ""
    plain = " ".join(redacted(message[:_MAX_REDACTED_CHARACTERS], secrets).split())
    return f" Flow says: {json.dumps(plain[:200], ensure_ascii=False)}."

"""What an answer means that is not the one that was asked for, the same for every call."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from webapp.errors import AccountMoved, FlowChanged, FlowUnavailable, SignedOut, SlowDown
from webapp.sources.cookies.google import STEPS
from webapp.sources.http import Response, host_of, redacted, retry_after_seconds

_SAMPLE_CHARACTERS = 1_000
_LOOK_AT_CHARACTERS = 20_000

SIGN_IN_AGAIN = (
    "Sign in at https://flow.google.com, or at labs.google/fx only if your pictures still open there, and "
    "paste the cookies again; everything goes on from there."
)
SIGNED_OUT = (
    "Flow does not know these cookies any more: they have expired, or somebody signed out in the browser "
    f"they came from. {SIGN_IN_AGAIN}"
)
MOVED = (
    "Google has moved this account to flow.google.com, which needs other cookies; what is on this shelf "
    f"stays, and nothing is downloaded twice. To go on, {STEPS}, and paste that into Flowshelf."
)


def check_passing(response: Response) -> None:
    """Raises SlowDown or FlowUnavailable when the answer is a failure that passes."""
    host = host_of(response.url)
    pause = retry_after_seconds(response.header("retry-after"), datetime.now(UTC))
    if response.status in (429, 503):
        raise SlowDown(f"{host} asks for fewer requests ({response.status}). Flowshelf slows down.", pause)
    if response.status >= 500 or response.status == 408:
        raise FlowUnavailable(
            f"{host} has a failure of its own ({response.status}). Trying again is safe.", pause
        )


def check_destination(response: Response, flow_url: str, signed_out: str = SIGNED_OUT) -> None:
    """Raises what a redirect means: SignedOut, AccountMoved, or FlowChanged for an unknown one."""
    if not 300 <= response.status < 400:
        return
    target, host = redirect_target(response), host_of(redirect_target(response))
    if host == "accounts.google.com" or re.search(r"/(?:sign-?in|login)\b", target, re.IGNORECASE):
        raise SignedOut(signed_out)
    if host == "flow.google.com" or target.startswith(f"{flow_url}/") or target == flow_url:
        raise AccountMoved(MOVED)
    raise FlowChanged(f"{host_of(response.url)} sends this request on to {host}, which is not expected.")


def redirect_target(response: Response) -> str:
    """Where a redirect leads as a whole address; empty when it does not say or is unreadable."""
    try:
        return urljoin(response.url, response.location or "")
    except ValueError:
        return ""


def same_site(one: str, other: str) -> bool:
    """Whether two addresses share scheme, host and port."""
    try:
        return urlsplit(one)[:2] == urlsplit(other)[:2]
    except ValueError:
        return False


def check_not_page(response: Response, signed_out: str = SIGNED_OUT) -> None:
    """Raises SignedOut for a page for people where an answer for programs was due.

    That is a sign-in page, a consent page or the app's shell, whatever the status says; but where
    the address itself is gone, new cookies would not help.
    """
    if not response.is_html:
        return
    if response.status in (404, 410):
        raise changed(response, "the address that Flowshelf asks is gone")
    raise SignedOut(signed_out)


def read_document(response: Response, secrets: Iterable[str] = ()) -> object:
    """The answer's JSON. Raises FlowUnavailable when it was cut, FlowChanged when it is none."""
    try:
        return response.json()
    except ValueError as error:
        reason = str(error)
    if is_cut(response):
        raise FlowUnavailable(
            f"The answer of {host_of(response.url)} was cut on its way. Trying again is safe."
        )
    raise changed(response, f"it is {reason}", secrets)


def is_cut(response: Response) -> bool:
    """Whether a body that is not JSON looks like the beginning of some."""
    body = response.body[:64].lstrip()
    end = response.body[-64:].rstrip()
    return not body or (body[:1] in b"{[" and end[-1:] not in (b"}", b"]"))


def changed(
    response: Response, what: str, secrets: Iterable[str] = (), sample: str | None = None
) -> FlowChanged:
    """The error of an answer whose shape we do not know, with a redacted sample for a report."""
    text = response.text if sample is None else sample
    return FlowChanged(
        f"{host_of(response.url)} answered in a way that Flowshelf does not know: {what}. The service may "
        "have changed. Try again later, and look for a newer Flowshelf if it stays so.",
        redacted(text[:_LOOK_AT_CHARACTERS], secrets)[:_SAMPLE_CHARACTERS],
    )


def shape_of(document: object) -> str:
    """The fields of an answer that holds secrets, with their kinds in place of their values."""
    if not isinstance(document, dict):
        return type(document).__name__
    return json.dumps({str(name)[:60]: type(value).__name__ for name, value in list(document.items())[:40]})


def quoted(message: object, secrets: Iterable[str] = ()) -> str:
    """A message of the service as a sentence of ours: redacted, short, on one line; empty for none."""
    if not isinstance(message, str) or not message.strip():
        return ""
    plain = " ".join(redacted(message[:_LOOK_AT_CHARACTERS], secrets).split())
    return f" Flow says: {json.dumps(plain[:200], ensure_ascii=False)}."

"""Who an extension is: a browser that wants to be paired, or a paired one whose requests are signed.

An extension's Origin is not ours. It is allowed at the pairing endpoint, where a code from the dashboard
shows that the owner wants it, and with a valid signature at the endpoints of the relay. The id in it
is public and proves nothing.
"""

from flask import Flask, Response, g, request

from webapp.background.companion import signatures
from webapp.background.companion.signatures import SignedRequest
from webapp.database.models import Pairing
from webapp.errors import Forbidden
from webapp.web.prefix import requested_path
from webapp.web.services import background
from webapp.web.sharing.links import is_loopback

PAIRING, TIME, NONCE, SIGNATURE = (f"Flowshelf-{name}" for name in ("Pairing", "Time", "Nonce", "Signature"))
# A part of two million characters, which JSON and UTF-8 make longer.
MAX_BODY_BYTES = 8 * 1024 * 1024
PAIRING_ENDPOINT = "companion_relay.pair"
# From the `key` in the extension's manifest.
EXTENSION_ORIGIN = "chrome-extension://jmcllanfikigfajfbdknppfbllapgpjl"

NOT_AN_EXTENSION = "Only Flowshelf's companion, a browser extension, can pair a browser."
NOT_PRIVATE = (
    "A browser can be paired only at the computer that runs Flowshelf, or over https: in a network, others "
    "could read along while the two agree on their secret."
)


def is_signed() -> bool:
    """Whether the current request says that it comes from a paired browser."""
    return PAIRING in request.headers


def is_from_extension() -> bool:
    """Whether the current request is one of an extension, and so none of a page of ours."""
    return is_signed() or request.endpoint == PAIRING_ENDPOINT


def verify() -> None:
    """Raises PairingRefused unless the current request is signed by a paired browser."""
    headers = request.headers
    signed = SignedRequest(
        request.method,
        requested_path(),
        headers.get(TIME, ""),
        headers.get(NONCE, ""),
        headers.get(SIGNATURE, ""),
        _read_body,
    )
    pairing, key = background().companion.verify(headers[PAIRING], signed)
    g.pairing, g.answer_key, g.nonce = pairing, key, signed.nonce


def _read_body() -> bytes:
    request.max_content_length = MAX_BODY_BYTES
    return request.get_data(cache=True)


def pairing() -> Pairing:
    """The pairing that signed the current request."""
    return g.pairing


def require_extension() -> None:
    """Raises Forbidden unless an extension asks, over a connection that nobody else can read."""
    if request.headers.get("Origin") != EXTENSION_ORIGIN:
        raise Forbidden(NOT_AN_EXTENSION)
    # Browsers send Sec-Fetch headers to loopback and over https only.
    is_https = request.is_secure or "Sec-Fetch-Site" in request.headers
    if not (is_https or is_loopback(request.host)):
        raise Forbidden(NOT_PRIVATE)


def sign_answers(app: Flask) -> None:
    """Sign each answer to a signed request: another program on our port has no key, and gives no orders."""

    @app.after_request
    def sign(response: Response) -> Response:
        if (key := g.get("answer_key")) is not None:
            body = response.get_data()
            response.headers[SIGNATURE] = signatures.signature_of_answer(
                key, response.status_code, g.nonce, body
            )
        return response

"""The simulated accounts.google.com: the request that renews the rotating cookies of a session."""

from collections.abc import Sequence

from webapp.demo.account.google_sign_in import OWN
from webapp.demo.journal import ROTATION, Request
from webapp.demo.responses import Response, error_of, json_response
from webapp.demo.world import World

PATH = "/RotateCookies"
BODY = b'[000,"-0000000000000000000"]'
_HOST_COOKIES = (OWN, f"__Secure-{OWN}")
_PERIOD = [["identity.hfcr", 600], ["di", 12]]


def breach_of(request: Request) -> str | None:
    """Say how a renewal differs from the only form in which public clients send it, if it does."""
    if request.kind != ROTATION:
        return None
    demands = {
        "is no POST": request.method == "POST",
        "is no JSON": request.headers.get("content-type") == "application/json",
        "has another body": request.body == BODY,
        "has a query": not request.query,
        "carries a host cookie of flow.google.com": not set(_HOST_COOKIES) & request.cookies.keys(),
    }
    return next((breach for breach, is_met in demands.items() if not is_met), None)


def response(request: Request, worlds: Sequence[World]) -> Response:
    if breach_of(request):
        return error_of(ROTATION, 400)
    answers = (world.google.answer_rotation(request.cookies) for world in worlds)
    answer = next((one for one in answers if one), None)
    if answer is None or answer.status != 200:
        return error_of(ROTATION, answer.status if answer else 401)
    lines = tuple(("Set-Cookie", line) for line in answer.set_cookies)
    return json_response(_PERIOD, headers=lines)

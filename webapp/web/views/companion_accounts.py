"""Forms about paired browsers: pick an account, list the accounts anew, end a pairing."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from webapp.errors import BadRequest
from webapp.store import pairings
from webapp.web.access import asks_for_code
from webapp.web.services import background

companion_accounts = Blueprint("companion_accounts", __name__)


@companion_accounts.post("/companion/<pairing_id>/account")
@asks_for_code
def choose_account(pairing_id: str) -> ResponseReturnValue:
    index = request.form.get("index", "")
    if not (index.isascii() and index.isdecimal() and len(index) < 3):
        raise BadRequest("Choose one of the accounts of the browser.")
    profile = background().connect_browser(
        pairing_id,
        int(index),
        name=request.form.get("name", "").strip(),
        takes_over=request.form.get("take_over") == "yes",
    )
    return redirect(url_for("gallery.show_gallery", profile=profile.id), code=303)


@companion_accounts.post("/companion/<pairing_id>/ask-again")
def ask_again(pairing_id: str) -> ResponseReturnValue:
    background().companion.ask_again(pairing_id)
    return redirect(url_for("companion_pages.show_connect"), code=303)


@companion_accounts.post("/companion/<pairing_id>/revoke")
def revoke(pairing_id: str) -> ResponseReturnValue:
    """End a pairing at once. Its profile waits for another browser, or for cookies."""
    pairing = pairings.find_pairing(pairing_id)
    background().companion.unpair(pairing_id)
    if pairing and pairing.profile_id:
        return redirect(url_for("profiles.show_profile", profile_id=pairing.profile_id), code=303)
    return redirect(url_for("companion_pages.show_connect"), code=303)

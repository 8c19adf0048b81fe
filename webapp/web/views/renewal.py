"""Keeping pasted cookies alive: the switch on a profile's page, and the words for its state."""

from flask import Blueprint, Flask, redirect, request, url_for
from flask.typing import ResponseReturnValue

from webapp.database.models import Profile
from webapp.database.states import CookieRenewal
from webapp.errors import BadRequest
from webapp.store import renewals
from webapp.web.access import asks_for_code
from webapp.web.services import background
from webapp.web.views.formats import ago, duration

renewal = Blueprint("renewal", __name__)


@renewal.post("/profiles/<profile_id>/renewal")
@asks_for_code
def switch_renewal(profile_id: str) -> ResponseReturnValue:
    choice = request.form.get("renewal")
    if choice not in (CookieRenewal.ON, CookieRenewal.OFF):
        raise BadRequest("Choose whether to keep the session alive: on or off.")
    background().renewals.switch(profile_id, is_on=choice == CookieRenewal.ON)
    return redirect(url_for("profiles.show_profile", profile_id=profile_id, _anchor="keep-alive"), code=303)


def renewal_sentence(profile: Profile) -> str:
    """Whether a profile's cookies are kept alive, when that was last done, or why it is not possible."""
    problem = profile.renewal_problem
    if profile.renewal == CookieRenewal.OFF:
        return "Off. The cookies go to Flow only."
    if profile.renewal == CookieRenewal.REFUSED:
        return f"Refused. {problem} These cookies are not tried again, but the next that you paste are."
    last = f"last renewed {ago(profile.renewed_at)}" if profile.renewed_at else "not renewed yet"
    failure = f" The last try failed: {problem} Flowshelf tries again." if problem else ""
    return f"On, {last}.{failure}"


def session_lifetime(profile: Profile) -> str:
    """How long the pasted cookies worked, as `20 min` or `3 h 5 min`."""
    lifetime = renewals.session_lifetime(profile)
    return duration(lifetime.total_seconds()) if lifetime else ""


def register(app: Flask) -> None:
    """Make the words available to templates."""
    app.jinja_env.filters |= {
        "can_be_renewed": renewals.can_be_renewed,
        "renewal_sentence": renewal_sentence,
        "session_end": renewals.find_session_end,
        "session_lifetime": session_lifetime,
    }

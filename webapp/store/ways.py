"""What a profile whose sign-in has ended waits for, in words that fit the way in which it signs in."""

from webapp.database.models import Profile
from webapp.database.states import Way

_WAITS_FOR = {
    Way.PASTE: "new cookies",
    Way.FIREFOX: "a sign-in in Firefox",
    Way.COMPANION: "a sign-in in the browser",
}
_RESUMES = {
    Way.PASTE: "when you have pasted new cookies",
    Way.FIREFOX: "when Firefox is signed in to Flow again",
    Way.COMPANION: "when the browser is signed in to Flow again",
}


def waits_for(profile: Profile) -> str:
    """“new cookies”, to follow “waiting for”."""
    return _WAITS_FOR[Way(profile.way)]


def resumes_when(profile: Profile) -> str:
    """When everything continues by itself, as a clause: “when you have pasted new cookies”."""
    return _RESUMES[Way(profile.way)]


def sign_in_again(profile: Profile) -> str:
    """What to do, for a link or a sentence: “Paste new cookies”, “Open Flow in Firefox”."""
    match Way(profile.way):
        case Way.FIREFOX:
            return "Open Flow in Firefox"
        case Way.COMPANION:
            return f"Sign in to {profile.account_email or 'Flow'} in this browser"
    return "Paste new cookies"


def paste_instead(profile: Profile) -> str:
    """What to do with pasted cookies of an account that has this profile."""
    match Way(profile.way):
        case Way.FIREFOX:
            way = "Firefox"
        case Way.COMPANION:
            way = "a browser that is connected"
        case _:
            return "Replace the cookies there instead."
    return f"It signs in with {way}. To use pasted cookies for it from now on, paste them on its page."

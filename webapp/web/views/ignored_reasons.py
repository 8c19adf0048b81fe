"""Why a sync skipped entries of a history: counts for the API, and sentences for pages."""

from flask import Flask

from webapp.database.models import Run
from webapp.sources import Reason
from webapp.web.views.formats import number

# The API always names these reasons; OTHER_PROFILE only if it occurred.
ALWAYS_NAMED = (Reason.VIDEO, Reason.SOUND, Reason.NOT_READY, Reason.FAILED, Reason.UNRECOGNISED)
_NOUNS = {
    Reason.VIDEO: ("video", "videos"),
    Reason.SOUND: ("sound", "sounds"),
    Reason.NOT_READY: ("unfinished image", "unfinished images"),
    Reason.FAILED: ("image that failed in Flow", "images that failed in Flow"),
    Reason.UNRECOGNISED: ("unrecognised entry", "unrecognised entries"),
}


def ignored_by_reason(run: Run) -> dict[str, int]:
    """`ignoredByReason` of the API. The counts add up to `ignored`."""
    counts = run.ignored_by_reason
    return {reason.value: counts.get(reason, 0) for reason in ALWAYS_NAMED} | {
        reason: count for reason, count in counts.items() if reason == Reason.OTHER_PROFILE
    }


def skipped_sentence(run: Run) -> str:
    """`3 skipped (videos).`, `15 skipped (12 videos, 3 sounds).`; empty if nothing was skipped."""
    counts = run.ignored_by_reason
    if not counts and run.ignored_count:  # a run from before reasons were stored
        return f"{number(run.ignored_count)} skipped (not images)."
    found = [(counts[reason], nouns) for reason, nouns in _NOUNS.items() if counts.get(reason)]
    shown = [(count, nouns[count != 1]) for count, nouns in found]
    match shown:
        case []:
            return ""
        case [(count, noun)]:
            return f"{number(count)} skipped ({noun})."
    listed = ", ".join(f"{number(count)} {noun}" for count, noun in shown)
    return f"{number(sum(count for count, _ in shown))} skipped ({listed})."


def other_profile_count(run: Run) -> int:
    """How many images a sync skipped because another profile has them already."""
    return run.ignored_by_reason.get(Reason.OTHER_PROFILE, 0)


def register(app: Flask) -> None:
    app.jinja_env.filters |= {
        "skipped_sentence": skipped_sentence,
        "other_profile_count": other_profile_count,
    }

"""Why records of a history were not kept as images, in the API's names and in words."""

import json

from flask import Flask

from webapp.database.models import Run
from webapp.sources import Reason
from webapp.web.views.formats import number

# What the API always tells; an image of another profile is told where there is one.
TOLD = (Reason.VIDEO, Reason.SOUND, Reason.NOT_READY, Reason.FAILED, Reason.UNRECOGNISED)
_NOUNS = {
    Reason.VIDEO: ("video", "videos"),
    Reason.SOUND: ("sound", "sounds"),
    Reason.NOT_READY: ("unfinished image", "unfinished images"),
    Reason.FAILED: ("image that failed in Flow", "images that failed in Flow"),
    Reason.UNRECOGNISED: ("unrecognised entry", "unrecognised entries"),
}


def ignored_by_reason(run: Run) -> dict[str, int]:
    """`ignoredByReason` of the API; its sum is `ignored`."""
    counts = json.loads(run.ignored_reasons)
    return {reason.value: counts.get(reason, 0) for reason in TOLD} | {
        reason: count for reason, count in counts.items() if reason == Reason.OTHER_PROFILE
    }


def skipped_words(run: Run) -> str:
    """`12 videos and 1 unfinished image skipped`; empty when nothing was."""
    counts = json.loads(run.ignored_reasons)
    if not counts and run.ignored_count:  # of a run before reasons were kept
        return f"{number(run.ignored_count)} without an image skipped"
    shown = [
        f"{number(counts[reason])} {nouns[counts[reason] != 1]}"
        for reason, nouns in _NOUNS.items()
        if counts.get(reason)
    ]
    if not shown:
        return ""
    listed = " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
    return f"{listed} skipped"


def elsewhere_count(run: Run) -> int:
    """Images that a sync left to another profile, which has them already."""
    return json.loads(run.ignored_reasons).get(Reason.OTHER_PROFILE, 0)


def register(app: Flask) -> None:
    for filter_ in (skipped_words, elsewhere_count):
        app.add_template_filter(filter_)

"""What happened and what comes next: runs, their failures, messages and schedules."""

import json

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.database.states import RunKind, ScheduleKind
from webapp.errors import BadRequest
from webapp.store import profiles, runs
from webapp.store.history import walks
from webapp.store.runs import downloads, failures, messages, schedules
from webapp.web.services import background
from webapp.web.views.filter_parameters import way_back
from webapp.web.views.labels import history_sentence
from webapp.web.views.pages import chosen_profile_id
from webapp.web.views.panels import download_panel, list_histories, sync_panel

activity = Blueprint("activity", __name__)

RUNS_PER_PAGE = 20
MESSAGES_PER_PAGE = 50
MAX_TOASTS = 5
# More than any message has: SQLite's largest number.
NO_MESSAGE = 2**63 - 1


@activity.get("/activity")
def show_activity() -> str:
    profile_id = chosen_profile_id()
    everyone = profiles.list_profiles()
    shown = [profile for profile in everyone if profile_id in (None, profile.id)]
    return render_template(
        "activity.html",
        profiles=everyone,
        sync=sync_panel(profile_id),
        download=download_panel(profile_id),
        schedules=[schedules.get_schedule(profile.id) for profile in shown],
        failures=[(profile, failures.list_groups(profile.id)) for profile in shown],
        messages=messages.list_messages(profile_id=profile_id, limit=6),
        **_shown_runs(profile_id),
    )


@activity.get("/activity/runs")
def show_runs() -> str:
    """The history of runs alone, for a page on which one has just ended."""
    return render_template("partials/runs.html", **_shown_runs(chosen_profile_id()))


@activity.get("/runs/<run_id>")
def show_run(run_id: str) -> str:
    run = runs.get_run(run_id)
    is_download = run.kind == RunKind.DOWNLOAD
    return render_template(
        "run.html",
        run=run,
        left_count=downloads.count_left(run.id) if is_download else 0,
        groups=failures.list_groups(run.profile_id, run.id) if is_download else [],
        gaps=[] if is_download else _history_sentences(run.profile_id),
    )


@activity.post("/profiles/<profile_id>/failures/retry")
def retry_failures(profile_id: str) -> ResponseReturnValue:
    """Wish again for what failed: all of it, or that of one run, or for one reason."""
    profile_id = profiles.get_profile(profile_id).id
    run_id, reason = request.form.get("run") or None, request.form.get("reason")
    ids = failures.list_failed_ids(profile_id, run_id=run_id, reason=reason)
    background().downloads.request(profile_id, ids)
    return redirect(way_back(), code=303)


# Messages


@activity.get("/messages")
def show_messages() -> str:
    """All messages that are kept, a page at a time."""
    profile_id = chosen_profile_id()
    before = min(request.args.get("before", NO_MESSAGE, type=int), NO_MESSAGE)
    rows = messages.list_messages(profile_id=profile_id, before=before, limit=MESSAGES_PER_PAGE + 1)
    return render_template(
        "messages.html",
        profile_id=profile_id,
        messages=rows[:MESSAGES_PER_PAGE],
        older=rows[MESSAGES_PER_PAGE - 1].id if len(rows) > MESSAGES_PER_PAGE else None,
    )


@activity.get("/messages/new")
def show_toasts() -> ResponseReturnValue:
    """What a page asks now and then: messages that its browser has not shown yet, and the news that a run
    began or ended; 204 when neither is so.

    A browser that never asked before is told which message is the newest and shows none.
    """
    newest, version = messages.newest_message_id(), runs.version()
    since = min(max(request.args.get("since", newest, type=int), 0), newest)
    known = request.args.get("runs", version)
    if since == newest and request.args.get("runs") == version:
        return "", 204
    page = render_template(
        "partials/toasts.html",
        messages=messages.list_messages_since(since, MAX_TOASTS),
        version=version,
        is_active=runs.is_any_active(),
    )
    answer = make_response(page)
    # Only where it is news: a slow answer must not take back what another page of the browser was told since.
    news = {} if request.args.get("since", type=int) == newest else {"told": {"newest": newest}}
    answer.headers["HX-Trigger"] = json.dumps(news | ({} if known == version else {"runs-changed": {}}))
    return answer


# Schedules


@activity.post("/profiles/<profile_id>/schedule")
def set_schedule(profile_id: str) -> ResponseReturnValue:
    form = request.form
    if form.get("kind") not in list(ScheduleKind) or not form.get("hours", "1").isdecimal():
        raise BadRequest("Choose when to sync: by hand, at each start, or every so many hours.")
    schedules.set_schedule(
        profile_id,
        ScheduleKind(form["kind"]),
        hours=int(form.get("hours", "1")[:6]),
        downloads_new=form.get("downloads_new") == "yes",
    )
    background().schedule.wake()
    return redirect(url_for("pages.show_profile", profile_id=profile_id, _anchor="schedule"), code=303)


def _shown_runs(profile_id: str | None) -> dict:
    before = request.args.get("before")
    rows = runs.list_runs(profile_id=profile_id, before=before, limit=RUNS_PER_PAGE + 1)
    return {
        "profile_id": profile_id,
        "before": before,
        "runs": rows[:RUNS_PER_PAGE],
        "older": rows[RUNS_PER_PAGE - 1].id if len(rows) > RUNS_PER_PAGE else None,
    }


def _history_sentences(profile_id: str) -> list[str]:
    gaps = walks.list_gaps(profile_id)
    return [
        history_sentence(history, gaps, runs.find_last_sync_in(profile_id, history.name))
        for history in list_histories(profile_id)
    ]

"""Activity: runs, failed downloads, toasts, and the schedule of automatic syncs."""

import json
from enum import StrEnum
from typing import Any, TypeVar

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.database.states import RunKind, ScheduleKind
from webapp.errors import BadRequest
from webapp.store import notifications, profiles, runs
from webapp.store.history import walks
from webapp.store.runs import Outcome, downloads, failures, messages, schedules
from webapp.web.services import background
from webapp.web.views.filter_parameters import requested_profile_id
from webapp.web.views.labels import history_sentence
from webapp.web.views.panels import download_panel, list_histories, sync_panel, trouble_version
from webapp.web.views.return_path import return_path

activity = Blueprint("activity", __name__)

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)

RUNS_PER_PAGE = 20
MAX_TOASTS = 5


@activity.get("/activity")
def show_activity() -> str:
    profile_id = requested_profile_id()
    all_profiles = profiles.list_profiles()
    shown = [profile for profile in all_profiles if profile_id in (None, profile.id)]
    return render_template(
        "activity.html",
        profiles=all_profiles,
        sync=sync_panel(profile_id),
        download=download_panel(profile_id),
        schedules=[(profile, schedules.get_schedule(profile.id)) for profile in shown],
        failures=[(profile, failures.list_groups(profile.id)) for profile in shown],
        unsent=notifications.find_failure(),
        **_run_list(profile_id),
    )


@activity.get("/activity/runs")
def show_runs() -> str:
    """The list of runs alone, to refresh a page when a run begins or ends."""
    return render_template("partials/runs.html", **_run_list(requested_profile_id()))


@activity.get("/runs/<run_id>")
def show_run(run_id: str) -> str:
    run = runs.get_run(run_id)
    profiles.get_profile(run.profile_id)
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
    """Download again what failed: all of it, or only from one run, or only for one reason."""
    profile_id = profiles.get_profile(profile_id).id
    run_id, reason = request.form.get("run") or None, request.form.get("reason")
    ids = failures.list_failed_ids(profile_id, run_id=run_id, reason=reason)
    background().downloads.request(profile_id, ids)
    return redirect(return_path(), code=303)


# Messages


@activity.get("/messages")
def show_messages() -> ResponseReturnValue:
    """Messages had a page of their own. Each is about a run, and the page Activity lists the runs."""
    return redirect(url_for("activity.show_activity", profile=requested_profile_id()), code=301)


@activity.get("/messages/new")
def show_toasts() -> ResponseReturnValue:
    """Polled by every page: the messages that its browser has not shown yet, whether a run began or ended
    since, and what keeps runs from being stored. 204 if nothing is new.

    `since` is the last message that the browser has shown. Without it, as in a new browser, no old message is
    shown. `runs` and `trouble` are the versions of what the page shows.
    """
    newest, version = messages.newest_message_id(), runs.version()
    since = min(max(request.args.get("since", newest, type=int), 0), newest)
    shown_version = request.args.get("runs", version)
    trouble = trouble_version(background().find_trouble())
    is_same_trouble = request.args.get("trouble", trouble) == trouble
    if since == newest and request.args.get("runs") == version and is_same_trouble:
        return "", 204
    page = render_template(
        "partials/toasts.html",
        messages=messages.list_messages_since(since, MAX_TOASTS),
        version=version,
        is_active=runs.is_any_active(),
    )
    events: dict[str, dict[str, int]] = {}
    # Only if it changes something. Pages of a browser share this number, so a slow response must not set it
    # back after another page has moved it on.
    if request.args.get("since", type=int) != newest:
        events["messages-shown"] = {"newest": newest}
    if shown_version != version:
        events["runs-changed"] = {}
    response = make_response(page)
    response.headers["HX-Trigger"] = json.dumps(events)
    return response


# Automatic syncs


@activity.post("/profiles/<profile_id>/schedule")
def set_schedule(profile_id: str) -> ResponseReturnValue:
    form = request.form
    if form.get("kind") not in list(ScheduleKind) or not form.get("hours", "1").isdecimal():
        raise BadRequest("Choose when to sync automatically: off, when Flowshelf starts, or every few hours.")
    schedules.set_schedule(
        profile_id,
        ScheduleKind(form["kind"]),
        hours=int(form.get("hours", "1")[:6]),
        downloads_new=form.get("downloads_new") == "yes",
    )
    background().schedule.wake()
    return redirect(url_for("profiles.show_profile", profile_id=profile_id, _anchor="schedule"), code=303)


def _run_list(profile_id: str | None) -> dict[str, Any]:
    """The values of `partials/runs.html`: the requested page of runs, newest first.

    `filters` are the parameters of the URL that say which runs; a value that does not exist means all.
    """
    before = request.args.get("before")
    kind, outcome = _chosen(RunKind, "kind"), _chosen(Outcome, "outcome")
    rows = runs.list_runs(
        profile_id=profile_id, kind=kind, outcome=outcome, before=before, limit=RUNS_PER_PAGE + 1
    )
    return {
        "profile_id": profile_id,
        "filters": {"profile": profile_id, "kind": kind, "outcome": outcome},
        "before": before,
        "runs": rows[:RUNS_PER_PAGE],
        "older": rows[RUNS_PER_PAGE - 1].id if len(rows) > RUNS_PER_PAGE else None,
    }


def _chosen(choices: type[ChoiceT], name: str) -> ChoiceT | None:
    return next((choice for choice in choices if choice.value == request.args.get(name)), None)


def _history_sentences(profile_id: str) -> list[str]:
    gaps = walks.list_gaps(profile_id)
    return [
        history_sentence(history, gaps, runs.find_last_sync_in(profile_id, history.name))
        for history in list_histories(profile_id)
    ]

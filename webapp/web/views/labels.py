"""Runs, schedules and histories in words."""

from datetime import UTC, datetime

from flask import Flask
from markupsafe import Markup

from webapp import times
from webapp.database.models import Gap, History, Run, Schedule
from webapp.database.states import RunKind, RunState, ScheduleKind, SyncMode
from webapp.store import profiles
from webapp.store.history import projects
from webapp.store.runs import schedules
from webapp.web.views.formats import PAGE_WORDS, ago, day, duration, history_word, number, page_word, size

SYNC_WORDS = {
    SyncMode.NEW: "Quick sync",
    SyncMode.ALL: "Sync to the end",
    SyncMode.FULL: "Full sync",
    SyncMode.RESUME: "Resumed sync",
}
STATE_WORDS = {
    RunState.RUNNING: "Under way",
    RunState.WAITING: "Waiting for cookies",
    RunState.PAUSED: "Paused",
    RunState.DONE: "Done",
    RunState.FAILED: "Stopped",
    RunState.CANCELLED: "Cancelled",
}
# Each state's look: those that images have already.
STATE_LOOKS = {
    RunState.RUNNING: "running",
    RunState.WAITING: "queued",
    RunState.PAUSED: "queued",
    RunState.DONE: "done",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "gone",
}


def run_title(run: Run) -> str:
    """`Quick sync`, `Download`."""
    return SYNC_WORDS.get(run.mode, "Sync") if run.kind == RunKind.SYNC else "Download"


def run_state(run: Run) -> str:
    return STATE_WORDS.get(run.state, run.state)


def run_look(run: Run) -> str:
    return STATE_LOOKS.get(run.state, "pending")


def run_counts(run: Run) -> str:
    """`12 new, 58 known, 4 pages`, or so many projects; `40 done, 2 failed, 12 MB`."""
    if run.kind == RunKind.SYNC:
        pages = f"{number(run.page_count)} {page_word(run.history, run.page_count)}"
        return f"{number(run.synced_count)} new, {number(run.skipped_count)} known, {pages}"
    failed = f", {number(run.failed_count)} failed" if run.failed_count else ""
    return f"{number(run.done_count)} done{failed}, {size(run.done_bytes)}"


def run_seconds(run: Run) -> float:
    """From its beginning to its end, to now while it has none."""
    end = times.parsed(run.finished_at) if run.finished_at else datetime.now(UTC)
    return (end - times.parsed(run.started_at)).total_seconds()


def ago_tag(text: str | None) -> Markup:
    """`5 minutes ago` as a `<time>`, with the exact moment for machines and on hover."""
    if not text:
        return Markup("")
    return Markup('<time datetime="{0}" title="{1}">{2}</time>').format(text, exact(text), ago(text))


def exact(text: str) -> str:
    """`2026-11-03 14:05 UTC`."""
    return f"{times.parsed(text):%Y-%m-%d %H:%M} UTC"


def schedule_sentence(schedule: Schedule) -> str:
    """When Flowshelf syncs the profile by itself, and when it does so next."""
    if schedule.kind == ScheduleKind.OFF:
        return "Synced by hand only."
    then = ", and downloads what is new" if schedule.downloads_new else ""
    if schedule.kind == ScheduleKind.AT_START:
        return f"Synced once each time Flowshelf starts{then}."
    often = "hour" if schedule.hours == 1 else f"{schedule.hours} hours"
    return f"Synced every {often}{then}. {_next_run(schedule)}"


def _next_run(schedule: Schedule) -> str:
    if schedules.is_held(schedule):
        return "Held back until the sign-in works again."
    moment = datetime.now(UTC)
    due = schedules.next_due(schedule, moment)
    if due is None:
        return f"The next run comes {schedule.hours} h after the sync under way."
    if due <= moment:
        return "The next run begins now."
    return f"The next run begins in {duration((due - moment).total_seconds())}, at {due:%H:%M} UTC."


def history_sentence(history: History, gaps: list[Gap], run: Run | None) -> str:
    """What is known of a history, in plain words; `run` is the last sync that read of it."""
    name = history_word(history.name).capitalize()
    places = [gap for gap in gaps if gap.history == history.name]
    if history.refused_at:
        return f"{name}: Flow does not offer this history for this account."
    if not history.responded_at:
        return f"{name}: not synced yet."
    if not places and history.name in PAGE_WORDS:
        return f"{name}: last synced {ago(history.synced_at)}. {_reach(history)}".rstrip()
    if not places:
        return f"{name}: complete, last synced {ago(history.synced_at)}."
    if history.name in PAGE_WORDS:
        return f"{name}: {_where(run)}the rest is still to come."
    count = "1 gap" if len(places) == 1 else f"{len(places)} gaps"
    return f"{name}: {_where(run)}{count}.{_still_to_come(places)}"


def _reach(history: History) -> str:
    """How far back the readings of projects go: a quick sync does not read every project each time."""
    unread_count = projects.count_unread(history.profile_id)
    if unread_count:
        return f"{number(unread_count)} of them could not be read yet."
    oldest = projects.find_longest_unread(history.profile_id)
    if oldest is None:
        return "All projects were read."
    return f"A quick sync reads some projects in turn; the longest unread was read {ago(oldest.read_at)}."


def _where(run: Run | None) -> str:
    """`stopped on 3 November 2026 at page 12, `."""
    if run is None or run.state == RunState.CANCELLED:
        return ""
    page = f"{page_word(run.history)} {number(max(run.history_page_count, 1))}"
    if run.state == RunState.RUNNING:
        return f"being read, at {page}, "
    return f"stopped {_on_day(run.finished_at or run.started_at)} at {page}, "


def _on_day(text: str) -> str:
    is_today = times.parsed(text).date() == datetime.now(UTC).date()
    return ago(text) if is_today else f"on {day(text)}"


def _still_to_come(places: list[Gap]) -> str:
    older = next((gap.after_created_at for gap in places if gap.after_created_at), None)
    return f" Images older than {day(older)} are still to come." if older else ""


def register(app: Flask) -> None:
    filters = (run_title, run_state, run_look, run_counts, run_seconds, ago_tag, exact, schedule_sentence)
    for filter_ in (*filters, profiles.health_of):
        app.add_template_filter(filter_)

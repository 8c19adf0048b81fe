"""The words that pages use for states, runs, histories, projects and automatic syncs."""

from datetime import UTC, datetime
from pathlib import Path

from flask import Flask

from webapp import times
from webapp.database.models import Gap, History, Profile, Project, Run, Schedule
from webapp.database.states import Health, RunKind, RunState, ScheduleKind, SyncMode, Way
from webapp.errors import WaitingForBrowser
from webapp.sources.firefox import describe_profile
from webapp.store import profiles, ways
from webapp.store.history import projects
from webapp.store.profile_names import guest_name, owner_name
from webapp.store.runs import schedules
from webapp.web.access import is_owner
from webapp.web.views.formats import ago, clock, day, duration, number, shortened, size
from webapp.web.views.zones import viewed, viewed_now

# The states of an image's file: those of `image_display.file_state`, and those to filter by.
FILE_LABELS = {
    "pending": "Not downloaded",
    "queued": "Queued",
    "running": "Downloading",
    "active": "Queued or downloading",
    "done": "Downloaded",
    "damaged": "Damaged",
    "changed": "Changed",
    "failed": "Failed",
    "gone": "No longer in Flow",
    "hidden": "Hidden",
}
HEALTH_LABELS: dict[str, str] = {
    Health.UNCHECKED: "Not checked yet",
    Health.WELL: "Signed in",
    Health.WAITING_FOR_COOKIES: "Waiting for new cookies",
    Health.WAITING_FOR_BROWSER: "Waiting for the browser",
    Health.MOVED: "Moved to the new Flow",
    Health.UNUSUAL_ACTIVITY: "Paused for an hour",
}
SYNC_LABELS: dict[str, str] = {
    SyncMode.NEW: "Sync",
    SyncMode.ALL: "Sync of all pages",
    SyncMode.FULL: "Full sync",
    SyncMode.RESUME: "Resumed sync",
}
RUN_STATE_LABELS: dict[str, str] = {
    RunState.RUNNING: "Running",
    RunState.WAITING: "Waiting for cookies",
    RunState.PAUSED: "Paused",
    RunState.DONE: "Done",
    RunState.FAILED: "Failed",
    RunState.CANCELLED: "Cancelled",
}
# The CSS class and icon of each state; the same as for the states of images.
RUN_STATE_CLASSES: dict[str, str] = {
    RunState.RUNNING: "running",
    RunState.WAITING: "queued",
    RunState.PAUSED: "queued",
    RunState.DONE: "done",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "gone",
}
HISTORY_LABELS = {"ASSET_MANAGER": "uploads", "PINHOLE": "generated images", "PROJECTS": "projects"}
# A sync of flow.google.com reads project by project, all others page by page.
PAGE_LABELS = {"PROJECTS": "project"}


def file_label(state: str) -> str:
    return FILE_LABELS[state]


def firefox_name(profile: Profile) -> str:
    """The Firefox that a profile reads."""
    return describe_profile(Path(profile.firefox_folder or ""), profile.firefox_container)


def health_label(health: str) -> str:
    return HEALTH_LABELS.get(health, health)


def sign_in_label(profile: Profile) -> str:
    """The health of a profile now, in words that fit its way of signing in."""
    health = profiles.health_of(profile)
    is_waiting = health == Health.WAITING_FOR_COOKIES
    return f"Waiting for {ways.waits_for(profile)}" if is_waiting else health_label(health)


def profile_name(profile: Profile) -> str:
    """The name of a profile for whoever looks at the page; a guest never sees an e-mail."""
    return owner_name(profile) if is_owner() else guest_name(profile)


def history_label(history: str) -> str:
    """`uploads`; a readable form of a history that is not in HISTORY_LABELS."""
    return HISTORY_LABELS.get(history, history.replace("_", " ").lower())


def page_label(history: str | None, count: int = 1) -> str:
    """`page`, `pages`; `project`, `projects` in a history that is read project by project."""
    label = PAGE_LABELS.get(history or "", "page")
    return label if count == 1 else f"{label}s"


def project_label(project: Project) -> str:
    """The title and the day, because many projects have the same title; the id of one without a title."""
    title = shortened(project.title) or project.remote_id
    return f"{title} ({day(project.made_at)})" if project.made_at else title


# Runs


def run_title(run: Run) -> str:
    """`Sync`, `Download`."""
    if run.kind == RunKind.DOWNLOAD:
        return "Download"
    return SYNC_LABELS.get(run.mode or "", "Sync")


def run_state(run: Run) -> str:
    if run.state == RunState.WAITING and run.error_code == WaitingForBrowser.code:
        return HEALTH_LABELS[Health.WAITING_FOR_BROWSER]
    if run.state == RunState.WAITING and run.profile.way != Way.PASTE:
        return f"Waiting for {ways.waits_for(run.profile)}"
    return RUN_STATE_LABELS.get(run.state, run.state)


def run_state_class(run: Run) -> str:
    return RUN_STATE_CLASSES.get(run.state, "pending")


def run_counts(run: Run) -> str:
    """`12 new, 58 already listed, 4 pages read`; `40 done, 2 failed, 12 MB`."""
    if run.kind == RunKind.SYNC:
        pages = f"{number(run.page_count)} {page_label(run.history, run.page_count)} read"
        return f"{number(run.synced_count)} new, {number(run.skipped_count)} already listed, {pages}"
    failed = f", {number(run.failed_count)} failed" if run.failed_count else ""
    return f"{number(run.done_count)} done{failed}, {size(run.done_bytes)}"


def run_seconds(run: Run) -> float:
    """How long a run took, or has taken until now."""
    end = times.parsed(run.finished_at) if run.finished_at else datetime.now(UTC)
    return (end - times.parsed(run.started_at)).total_seconds()


# Automatic syncs


def schedule_sentence(schedule: Schedule) -> str:
    """When Flowshelf syncs a profile automatically, and when the next sync is due."""
    if schedule.kind == ScheduleKind.OFF:
        return "Automatic sync: off."
    downloads = ", then new images are downloaded" if schedule.downloads_new else ""
    if schedule.kind == ScheduleKind.AT_START:
        return f"Automatic sync: each time Flowshelf starts{downloads}."
    interval = "hour" if schedule.hours == 1 else f"{schedule.hours} hours"
    return f"Automatic sync: every {interval}{downloads}. {_next_sync(schedule)}"


def _next_sync(schedule: Schedule) -> str:
    if schedules.is_held(schedule):
        return "On hold until the sign-in works again."
    current = datetime.now(UTC)
    due = schedules.next_due(schedule, current)
    if due is None:
        return f"Next sync: {schedule.hours} h after the one that is running."
    if due <= current:
        return "Next sync: now."
    return f"Next sync: in {duration((due - current).total_seconds())}, at {clock(due)}."


# Histories


def history_sentence(history: History, gaps: list[Gap], run: Run | None) -> str:
    """How much of a history has been read. `run` is the last sync that read it."""
    name = history_label(history.name).capitalize()
    gaps_here = [gap for gap in gaps if gap.history == history.name]
    is_by_project = history.name in PAGE_LABELS
    if history.refused_at:
        return f"{name}: Flow does not offer these for this account."
    if not history.responded_at:
        return f"{name}: not synced yet."
    if not gaps_here:
        synced = f"last synced {ago(history.synced_at)}"
        return (
            f"{name}: {synced}. {_project_coverage(history)}"
            if is_by_project
            else f"{name}: complete, {synced}."
        )
    gap_count = f" ({len(gaps_here)} gaps)" if len(gaps_here) > 1 else ""
    missing = "" if is_by_project else _missing_range(gaps_here)
    return f"{name}: incomplete{gap_count}{_position(run)}.{missing}"


def _project_coverage(history: History) -> str:
    """How far back projects have been read: a quick sync does not read every project each time."""
    unread_count = projects.count_unread(history.profile_id)
    if unread_count:
        return f"{number(unread_count)} of them could not be read yet."
    oldest = projects.find_longest_unread(history.profile_id)
    if oldest is None:
        return "All projects have been read."
    return (
        "A sync reads some of the projects each time. The one that has waited longest was read "
        f"{ago(oldest.read_at)}."
    )


def _position(run: Run | None) -> str:
    """`, stopped on 3 November 2026 at page 12`; empty without a run, or if it was cancelled."""
    if run is None or run.state == RunState.CANCELLED:
        return ""
    page = f"{page_label(run.history)} {number(max(run.history_page_count, 1))}"
    if run.state == RunState.RUNNING:
        return f", now at {page}"
    return f", stopped {_today_or_day(run.finished_at or run.started_at)} at {page}"


def _today_or_day(text: str) -> str:
    is_today = viewed(text).date() == viewed_now().date()
    return ago(text) if is_today else f"on {day(text)}"


def _missing_range(gaps: list[Gap]) -> str:
    newest = next((gap.after_created_at for gap in gaps if gap.after_created_at), None)
    return f" Images older than {day(newest)} are still missing." if newest else ""


def register(app: Flask) -> None:
    """Make the labels available to templates."""
    app.jinja_env.filters |= {
        "file_label": file_label,
        "firefox_name": firefox_name,
        "health_label": health_label,
        "health_of": profiles.health_of,
        "sign_in_label": sign_in_label,
        "sign_in_again": ways.sign_in_again,
        "waits_for": ways.waits_for,
        "resumes_when": ways.resumes_when,
        "profile_name": profile_name,
        "history_label": history_label,
        "page_label": page_label,
        "project_label": project_label,
        "run_title": run_title,
        "run_state": run_state,
        "run_state_class": run_state_class,
        "run_counts": run_counts,
        "run_seconds": run_seconds,
        "schedule_sentence": schedule_sentence,
    }

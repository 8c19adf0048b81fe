"""The status line of the gallery, and the page with both panels that it opens as a sheet.

One line says what goes on. A profile has lines of its own only where something is under way or wrong; all
others share one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from flask import Blueprint, render_template

from webapp.database.models import Profile
from webapp.database.states import RunState
from webapp.store import profiles
from webapp.web.views.filter_parameters import requested_profile_id
from webapp.web.views.panels import (
    DownloadRow,
    Panel,
    SyncRow,
    download_panel,
    download_row,
    list_shown_profiles,
    sync_panel,
    sync_row,
)

status = Blueprint("status", __name__)


class LineKind(StrEnum):
    """What a line is about: a sync or downloads of one profile, or the profiles where all is well."""

    SYNC = "sync"
    DOWNLOAD = "download"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class ProfileStatus:
    sync: SyncRow
    download: DownloadRow

    @property
    def profile(self) -> Profile:
        return self.sync.profile

    @property
    def has_sync_line(self) -> bool:
        """Whether a sync runs, waits, stopped before its end or asks a question."""
        row = self.sync
        if row.run is None:
            return self.profile.is_unchecked
        is_open = row.is_active or row.is_waiting or row.question is not None
        return is_open or row.run.state in (RunState.PAUSED, RunState.FAILED)

    @property
    def has_download_line(self) -> bool:
        """Whether downloads run, are paused, or wait for something that no line of a sync names."""
        row = self.download
        return row.is_active or row.is_paused or row.has_banner


@dataclass(frozen=True, slots=True)
class Line:
    kind: LineKind
    members: Sequence[ProfileStatus]

    @property
    def first(self) -> ProfileStatus:
        return self.members[0]

    @property
    def pending_count(self) -> int:
        """How many images a press of “Download everything” would download."""
        return sum(member.download.pending_count for member in self.members)

    @property
    def failed_count(self) -> int:
        """How many images failed in the last downloads."""
        return sum(count for member in self.members for _, count in member.download.reasons)

    @property
    def is_complete(self) -> bool:
        """Whether everything is downloaded, of profiles that have downloaded something."""
        has_downloads = any(member.download.run for member in self.members)
        return has_downloads and not (self.pending_count or self.failed_count or self.unsynced)

    @property
    def unsynced(self) -> list[Profile]:
        """The profiles that were never synced."""
        return [member.profile for member in self.members if member.sync.run is None]

    @property
    def synced_at(self) -> str | None:
        """When the profile was synced that has waited longest; None before the first sync of one of them."""
        times = [member.sync.run.finished_at if member.sync.run else None for member in self.members]
        return min((each for each in times if each), default=None) if all(times) else None


@dataclass(frozen=True, slots=True)
class StatusLine(Panel):
    """`stored_count` images were stored by the last sync of each profile. It changes when images arrive."""

    lines: Sequence[Line]
    stored_count: int
    pending_count: int


@status.get("/panels/status")
def show_status_line() -> str:
    return render_template("partials/status.html", panel=status_line(requested_profile_id()))


@status.get("/status")
def show_status() -> str:
    """Both panels: a page without JavaScript, a sheet of the gallery with it."""
    profile_id = requested_profile_id()
    return render_template(
        "status.html",
        profiles=profiles.list_profiles(),
        profile_id=profile_id,
        sync=sync_panel(profile_id),
        download=download_panel(profile_id),
    )


def status_line(profile_id: str | None = None) -> StatusLine:
    members = [
        ProfileStatus(sync_row(profile), download_row(profile)) for profile in list_shown_profiles(profile_id)
    ]
    downloads = [member.download for member in members]
    syncs = [member.sync for member in members]
    return StatusLine(
        rows=[*syncs, *downloads],
        profile_id=profile_id,
        is_active=any(row.is_active for row in syncs)
        or any(row.is_active or row.is_finishing for row in downloads),
        is_waiting=any(member.sync.is_waiting or member.download.is_waiting for member in members),
        lines=_lines(members),
        stored_count=sum(row.run.synced_count for row in syncs if row.run),
        pending_count=sum(row.pending_count for row in downloads),
    )


def _lines(members: Sequence[ProfileStatus]) -> list[Line]:
    lines = []
    for member in members:
        if member.has_sync_line:
            lines.append(Line(LineKind.SYNC, [member]))
        if member.has_download_line:
            lines.append(Line(LineKind.DOWNLOAD, [member]))
    idle = [member for member in members if not member.has_sync_line and not member.has_download_line]
    return [*lines, Line(LineKind.IDLE, idle)] if idle else lines

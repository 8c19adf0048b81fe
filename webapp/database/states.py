"""The states that profiles, runs, walks and wishes can be in, and the roles of people."""

from enum import StrEnum


class Role(StrEnum):
    """Who is asking. Without sharing everybody is the owner."""

    OWNER = "owner"
    GUEST = "guest"
    ANONYMOUS = "stranger"


class Health(StrEnum):
    """What the last word of the service about a profile's cookies was."""

    UNCHECKED = "unchecked"
    WELL = "well"
    WAITING_FOR_COOKIES = "waiting_for_cookies"
    MOVED = "moved"
    UNUSUAL_ACTIVITY = "unusual_activity"


class RunKind(StrEnum):
    SYNC = "sync"
    DOWNLOAD = "download"


class RunState(StrEnum):
    """A sync run ends when it is paused, its gap stays; a paused download run keeps its wishes."""

    RUNNING = "running"
    WAITING = "waiting_for_cookies"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SyncMode(StrEnum):
    NEW = "new"
    ALL = "all"
    FULL = "full"
    RESUME = "resume"


class EventKind(StrEnum):
    """What can become of an image after it was stored. FILE_GONE: its file was not there any more."""

    DOWNLOADED = "downloaded"
    FAILED = "failed"
    DELETED = "deleted"
    FILE_GONE = "file_gone"
    DAMAGED = "damaged"
    GONE = "gone"
    BACK = "back"
    HIDDEN = "hidden"
    SHOWN = "shown"


class PageOutcome(StrEnum):
    """What a page of a history means for the walk that met it."""

    CONTINUE = "on"
    CAUGHT_UP = "joined"
    END = "end"


class DownloadState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ExportState(StrEnum):
    """INTERRUPTED: the process ended before it was prepared."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ScheduleKind(StrEnum):
    """When a profile is synced without being asked: never, so often, or once at each start."""

    OFF = "off"
    HOURLY = "hourly"
    AT_START = "at_start"

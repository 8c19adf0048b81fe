"""The states of profiles, runs, walks, downloads and exports, and the roles of visitors.

Most values are stored in the database and sent by the API, so they must not change.
"""

from enum import StrEnum


class Role(StrEnum):
    """Who sends a request. Unless Flowshelf is shared, everybody is the owner. COMPANION: the extension of a
    paired browser."""

    OWNER = "owner"
    GUEST = "guest"
    ANONYMOUS = "anonymous"
    COMPANION = "companion"


class GuestView(StrEnum):
    """What guests are shown. COLLECTIONS: chosen ones only; nothing when none is left."""

    EVERYTHING = "everything"
    COLLECTIONS = "collections"


class Health(StrEnum):
    """What the service last said about a profile's cookies."""

    UNCHECKED = "unchecked"
    WELL = "well"
    WAITING_FOR_COOKIES = "waiting_for_cookies"
    WAITING_FOR_BROWSER = "waiting_for_browser"
    MOVED = "moved"
    UNUSUAL_ACTIVITY = "unusual_activity"


class Way(StrEnum):
    """How a profile signs in. PASTE: cookies that a person pasted. FIREFOX: the cookies of a Firefox on this
    machine, read when they are needed. COMPANION: a paired browser makes the calls, and no cookie is here."""

    PASTE = "paste"
    FIREFOX = "firefox"
    COMPANION = "companion"


class CookieRenewal(StrEnum):
    """Whether pasted cookies are kept alive. REFUSED: it was switched on, and Google did not renew them."""

    OFF = "off"
    ON = "on"
    REFUSED = "refused"


class RunKind(StrEnum):
    SYNC = "sync"
    DOWNLOAD = "download"


class RunState(StrEnum):
    """PAUSED ends a sync run, and its gap stays for Resume; a paused download run keeps its queue and goes
    on when it is resumed."""

    RUNNING = "running"
    WAITING = "waiting_for_cookies"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SyncMode(StrEnum):
    """NEW is the quick sync. `webapp.sync.rules` says how each mode walks (rules 4 to 6)."""

    NEW = "new"
    ALL = "all"
    FULL = "full"
    RESUME = "resume"


class EventKind(StrEnum):
    """What can happen to a stored image.

    DELETED: a person deleted its file. FILE_GONE: the file was missing from the disk. CHANGED: the file is
    another picture than the one that was stored; KEPT: a person took that one for the right one.
    ADOPTED: a file that a person had was taken over.
    GONE and BACK: Flow no longer has the image, or shows it again.
    """

    DOWNLOADED = "downloaded"
    FAILED = "failed"
    DELETED = "deleted"
    FILE_GONE = "file_gone"
    DAMAGED = "damaged"
    CHANGED = "changed"
    KEPT = "kept"
    ADOPTED = "adopted"
    GONE = "gone"
    BACK = "back"
    HIDDEN = "hidden"
    SHOWN = "shown"


class PageOutcome(StrEnum):
    """What a history page means for its walk.

    CONTINUE: what lies below is still unknown. CAUGHT_UP: everything below is known (rule 3).
    END: it is the last page of the history (rule 2).
    """

    CONTINUE = "continue"
    CAUGHT_UP = "caught_up"
    END = "end"


class DownloadState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ExportState(StrEnum):
    """INTERRUPTED: the process ended before the ZIP was complete."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class TrashState(StrEnum):
    """MOVING: the file is to be moved into the trash. KEPT: it lies there. RESTORING: it is to be moved back.
    EMPTYING: it is to be deleted for good."""

    MOVING = "moving"
    KEPT = "kept"
    RESTORING = "restoring"
    EMPTYING = "emptying"


class TrashReason(StrEnum):
    """Why a file is in the trash. DELETED: a person deleted it. PROFILE: it was removed with its profile.
    REPLACED: another file took its place."""

    DELETED = "deleted"
    PROFILE = "profile"
    REPLACED = "replaced"


class ScheduleKind(StrEnum):
    """When a profile is synced automatically: never, every few hours, or once at each start."""

    OFF = "off"
    HOURLY = "hourly"
    AT_START = "at_start"

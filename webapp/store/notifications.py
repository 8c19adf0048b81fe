"""When notifications were sent, and whether the latest one could not be."""

from webapp.database.models import Notification, Run
from webapp.database.states import RunKind, RunState
from webapp.times import now


def find_sent_at(kind: str) -> str | None:
    """When a notification of a kind was last sent."""
    row = Notification.get_or_none(Notification.kind == kind)
    return row.sent_at if row else None


def note_sent(kind: str) -> None:
    """Record that one was sent. What could not be sent before is history."""
    Notification.replace(kind=kind, sent_at=now(), failed_at=None, failure=None).execute()
    Notification.update(failed_at=None, failure=None).execute()


def note_failed(kind: str, failure: str) -> None:
    """Record why one could not be sent; `failure` is a sentence without a secret."""
    Notification.insert(kind=kind, failed_at=now(), failure=failure).on_conflict(
        conflict_target=[Notification.kind], preserve=[Notification.failed_at, Notification.failure]
    ).execute()


def find_failure() -> Notification | None:
    """The newest notification that could not be sent; None if a later one was."""
    failed = Notification.select().where(Notification.failure.is_null(False))
    return failed.order_by(Notification.failed_at.desc()).first()


def has_failed_twice(profile_id: str) -> bool:
    """Whether the last two syncs of a profile that ended by themselves have failed."""
    failed_by_itself = (Run.state == RunState.PAUSED) & Run.error.is_null(False)
    has_ended = Run.state.in_((RunState.DONE, RunState.FAILED)) | failed_by_itself
    of_profile = Run.select(Run.state).where(Run.profile == profile_id, Run.kind == RunKind.SYNC, has_ended)
    states = list(of_profile.order_by(Run.started_at.desc()).limit(2).scalars())
    return len(states) == 2 and RunState.DONE not in states

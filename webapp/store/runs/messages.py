"""Notifications of how runs ended or why they wait, for toasts. The page Activity lists the runs."""

from peewee import fn

from webapp.database.models import Message, Profile, Run
from webapp.database.states import RunKind, RunState
from webapp.errors import WaitingForBrowser
from webapp.store.profile_names import owner_name
from webapp.store.ways import waits_for
from webapp.times import now

MAX_STORED = 500


def add_message(run: Run) -> None:
    """Add the message about a run's new state, if there is one, and delete the oldest beyond MAX_STORED.

    A person's own Pause or Cancel needs no message; a pause with an error was not theirs. Call it inside the
    transaction that changed the state.
    """
    paused_itself = run.state == RunState.PAUSED and run.error
    if not paused_itself and run.state not in (RunState.DONE, RunState.FAILED, RunState.WAITING):
        return
    sentence = _sentence(run)
    Message.create(profile=run.profile_id, run=run.id, kind=run.state, sentence=sentence, created_at=now())
    newest = Message.select(Message.id).order_by(Message.id.desc())
    Message.delete().where(Message.id <= newest.offset(MAX_STORED).limit(1)).execute()


def list_messages_since(message_id: int, limit: int) -> list[Message]:
    """The newest `limit` messages with an id above `message_id`, oldest first, with their profiles."""
    newer = Message.select(Message, Profile).join(Profile).where(Message.id > message_id)
    return list(newer.order_by(Message.id.desc()).limit(limit))[::-1]


def newest_message_id() -> int:
    return Message.select(fn.MAX(Message.id)).scalar() or 0


def _sentence(run: Run) -> str:
    subject, waits = ("sync", "waits") if run.kind == RunKind.SYNC else ("downloads", "wait")
    name = f"“{owner_name(run.profile)}”"
    if run.state == RunState.DONE:
        return _synced(run, name) if run.kind == RunKind.SYNC else _downloaded(run, name)
    verb = {
        RunState.FAILED: "stopped",
        RunState.PAUSED: "paused",
        RunState.WAITING: f"{waits} for {_missing_sign_in(run)}",
    }[RunState(run.state)]
    return f"The {subject} of {name} {verb}. {run.error or ''}".rstrip()


def _missing_sign_in(run: Run) -> str:
    return "the browser" if run.error_code == WaitingForBrowser.code else waits_for(run.profile)


def _synced(run: Run, name: str) -> str:
    if not run.synced_count:
        return f"{name} is synced: nothing new."
    return f"{name} is synced: {_images(run.synced_count, 'new image')}."


def _downloaded(run: Run, name: str) -> str:
    downloaded = f"{_images(run.done_count, 'image')} of {name} downloaded"
    return f"{downloaded}, {run.failed_count:,} failed." if run.failed_count else f"{downloaded}."


def _images(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

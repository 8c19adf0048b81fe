"""What is said when a run ends or has to wait, kept so that it can be shown once and read again."""

from peewee import fn

from webapp.database.models import Message, Profile, Run
from webapp.database.states import RunKind, RunState
from webapp.times import now

MAX_KEPT = 500


def tell_change(run: Run) -> None:
    """Keep what is to be said of a run's new state, if anything is. Call it inside the transaction that
    changed the state, so that whoever sees the one finds the other.

    What a person did on purpose (Pause, Cancel) needs no word; a pause with an error nobody asked for.
    """
    paused_itself = run.state == RunState.PAUSED and run.error
    if not paused_itself and run.state not in (RunState.DONE, RunState.FAILED, RunState.WAITING):
        return
    sentence = _sentence(run)
    Message.create(profile=run.profile_id, run=run.id, kind=run.state, sentence=sentence, created_at=now())
    newest = Message.select(Message.id).order_by(Message.id.desc())
    Message.delete().where(Message.id <= newest.offset(MAX_KEPT).limit(1)).execute()


def list_messages(*, profile_id: str | None = None, before: int | None = None, limit: int) -> list[Message]:
    """Messages with their profiles, newest first, older than the one with the id `before`."""
    messages = Message.select(Message, Profile).join(Profile)
    if profile_id:
        messages = messages.where(Message.profile == profile_id)
    if before is not None:
        messages = messages.where(Message.id < before)
    return list(messages.order_by(Message.id.desc()).limit(limit))


def list_messages_since(message_id: int, limit: int) -> list[Message]:
    """The newest `limit` messages that came after the one with that id, in the order of their coming."""
    rows = Message.select(Message, Profile).join(Profile).where(Message.id > message_id)
    return list(rows.order_by(Message.id.desc()).limit(limit))[::-1]


def newest_message_id() -> int:
    return Message.select(fn.MAX(Message.id)).scalar() or 0


def _sentence(run: Run) -> str:
    what = "sync" if run.kind == RunKind.SYNC else "downloads"
    name = f"“{run.profile.name}”"
    if run.state == RunState.DONE:
        return _synced(run, name) if run.kind == RunKind.SYNC else _downloaded(run, name)
    start = {
        RunState.FAILED: f"The {what} of {name} stopped.",
        RunState.PAUSED: f"The {what} of {name} paused.",
        RunState.WAITING: f"The {what} of {name} {_verb(run)} for new cookies.",
    }[run.state]
    return f"{start} {run.error or ''}".rstrip()


def _verb(run: Run) -> str:
    return "waits" if run.kind == RunKind.SYNC else "wait"


def _synced(run: Run, name: str) -> str:
    if not run.synced_count:
        return f"{name} is synced: nothing new."
    return f"{name} is synced: {_images(run.synced_count, 'new image')}."


def _downloaded(run: Run, name: str) -> str:
    said = f"{_images(run.done_count, 'image')} of {name} downloaded"
    return f"{said}, {run.failed_count:,} failed." if run.failed_count else f"{said}."


def _images(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

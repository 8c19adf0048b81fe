"""Exports: requested ZIP files, the queue of the thread that prepares them, and the progress of each."""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from webapp.database.fields import stored_json
from webapp.database.models import Export
from webapp.database.states import ExportState
from webapp.errors import UnknownExport
from webapp.store import transaction
from webapp.times import now, timestamp

ACTIVE = (ExportState.WAITING, ExportState.RUNNING)
LIFETIME = timedelta(days=1)
# All columns but the ids, which may be many and are not needed to show the progress.
_SHOWN = [field for field in Export._meta.sorted_fields if field is not Export.image_ids]


def add_export(image_ids: Sequence[str], size_bytes: int, collection_title: str | None = None) -> Export:
    """Queue a ZIP of these images; `size_bytes` is the total size of their files, `collection_title` that of
    the collection of which all of them are."""
    return Export.create(
        id=secrets.token_hex(8),
        image_ids=json.dumps(list(image_ids)),
        image_count=len(image_ids),
        size_bytes=size_bytes,
        collection_title=collection_title,
        created_at=now(),
    )


def get_export(export_id: str) -> Export:
    if export := Export.select(*_SHOWN).where(Export.id == export_id).first():
        return export
    raise UnknownExport("There is no such ZIP any more. ZIPs are deleted after a day.")


def list_exports() -> list[Export]:
    return list(Export.select(*_SHOWN).order_by(Export.created_at.desc()))


def list_image_ids(export_id: str) -> list[str]:
    text = Export.select(Export.image_ids).where(Export.id == export_id).scalar()
    return [str(image_id) for image_id in stored_json(text, [])]


def count_bytes_to_come() -> int:
    """How many bytes the queued ZIPs have yet to write."""
    left = fn.COALESCE(fn.SUM(Export.size_bytes - Export.done_bytes), 0)
    return Export.select(left).where(Export.state.in_(ACTIVE)).scalar()


def count_waiting() -> int:
    """How many ZIPs are queued or being prepared."""
    return Export.select().where(Export.state.in_(ACTIVE)).count()


def claim_export() -> Export | None:
    """Take the oldest queued export, as a RUNNING one; None when the queue is empty."""
    with transaction():
        waiting = Export.select(*_SHOWN).where(Export.state == ExportState.WAITING)
        export = waiting.order_by(Export.created_at).first()
        if export:
            Export.update(state=ExportState.RUNNING).where(Export.id == export.id).execute()
        return export


def note_progress(export_id: str, *, done_count: int, done_bytes: int, left_out_count: int) -> bool:
    """False when the export was removed or interrupted meanwhile."""
    return _change(export_id, done_count=done_count, done_bytes=done_bytes, left_out_count=left_out_count)


def finish_export(export_id: str, zip_bytes: int) -> bool:
    """False when the export was removed or interrupted meanwhile."""
    return _change(export_id, state=ExportState.DONE, zip_bytes=zip_bytes, finished_at=now())


def fail_export(export_id: str, sentence: str) -> None:
    _change(export_id, state=ExportState.FAILED, error=sentence, finished_at=now())


def interrupt_exports(states: Sequence[ExportState] = ACTIVE) -> None:
    """Mark exports in `states` as interrupted: no thread works on them any more."""
    fields = {"state": ExportState.INTERRUPTED, "finished_at": now()}
    Export.update(**fields).where(Export.state.in_(states)).execute()


def request_again(export_id: str) -> None:
    """Queue an interrupted or failed export again."""
    fresh = {"done_count": 0, "done_bytes": 0, "left_out_count": 0, "error": None, "finished_at": None}
    ended = (ExportState.INTERRUPTED, ExportState.FAILED)
    Export.update(state=ExportState.WAITING, created_at=now(), **fresh).where(
        Export.id == export_id, Export.state.in_(ended)
    ).execute()


def remove_export(export_id: str) -> None:
    Export.delete().where(Export.id == export_id).execute()


def remove_old_exports(moment: datetime) -> None:
    """Remove the exports that had ended a LIFETIME before `moment`."""
    Export.delete().where(Export.finished_at < timestamp(moment - LIFETIME)).execute()


def _change(export_id: str, **fields: Any) -> bool:
    """Change an export that is still RUNNING; False when it is not."""
    is_running = (Export.id == export_id) & (Export.state == ExportState.RUNNING)
    return bool(Export.update(**fields).where(is_running).execute())

"""Requests of the JSON API about the trash."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from webapp.database.models import TrashedFile
from webapp.errors import BadRequest
from webapp.store import trash
from webapp.web.access import asks_for_code
from webapp.web.services import background
from webapp.web.views.api import success
from webapp.web.views.api_firefox import api
from webapp.web.views.json_body import read_body

MAX_FILES = 500


@api.get("/api/trash")
def show_trash() -> ResponseReturnValue:
    """What lies in the trash: counts, and the last deleted files, older ones with `?before=<id>`."""
    found = trash.summary()
    files = trash.list_newest(MAX_FILES, request.args.get("before", type=int))
    counts = {
        "count": found.count,
        "sizeBytes": found.size_bytes,
        "onlyHereCount": found.only_here_count,
        "unsureCount": found.unsure_count,
        "inUseCount": found.in_use_count,
        "lastId": found.last_id,
        "days": background().settings.current.trash_days,
    }
    return success(counts | {"files": [_value(row) for row in files]})


def _value(row: TrashedFile) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "profileId": row.profile_id,
        "reason": row.reason,
        "state": row.state,
        "localPath": str(row.file_path),
        "sizeBytes": row.size_bytes,
        "trashedAt": row.trashed_at,
        "undo": row.act,
    }


@api.post("/api/trash/restore")
def restore_files() -> ResponseReturnValue:
    """Restore the files of `imageNames`, those of one deletion (`undo`), or all."""
    body = read_body()
    names, act = body.find_texts("imageNames"), body.find_text("undo")
    if names is not None:
        ids = trash.list_ids_of_images(names)
    elif act is not None:
        ids = trash.list_ids_of_act(act)
    elif body.flag("all", default=False):
        ids = trash.list_all_ids()
    else:
        raise BadRequest("Say what to restore: “imageNames”, “undo” or “all”.")
    done = background().trash.restore(ids)
    return success(
        {"restored": done.restored_count, "aside": done.aside_count, "notRestored": done.kept_count}
    )


@api.post("/api/trash/empty")
@asks_for_code
def empty_trash() -> ResponseReturnValue:
    """Delete the files for good that `GET /api/trash` counted: those up to its `lastId`."""
    return success({"deleted": background().empty_trash(trash.list_all_ids(read_body().number("upTo")))})

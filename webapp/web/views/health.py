"""`/healthz`: details for the owner, and for everybody else only that Flowshelf is running."""

from importlib.metadata import version
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from webapp import database, storage
from webapp.database.models import Run
from webapp.store import runs
from webapp.store.runs import downloads, exports
from webapp.web.access import is_owner, open_to_anonymous
from webapp.web.services import background

health = Blueprint("health", __name__)


@health.get("/healthz")
@open_to_anonymous
def healthz() -> ResponseReturnValue:
    return {"status": "ok"} | (details() if is_owner() else {})


def details() -> dict[str, Any]:
    """`ready`: new work would start at once. `queue` counts open runs, queued and running downloads, and
    ZIPs."""
    error = runs.find_last_error()
    queued_count, running_count = downloads.count_queue()
    return {
        "version": version("flowshelf"),
        "schemaVersion": database.latest_version(),
        "ready": background().is_ready,
        "queue": {
            **runs.count_open(),
            "wanted": queued_count,
            "running": running_count,
            "zips": exports.count_waiting(),
        },
        "lastError": error and error_value(error),
        "freeBytes": storage.free_bytes(background().downloads.roots[0]),
    }


def error_value(run: Run) -> dict[str, Any]:
    return {
        "at": run.finished_at or run.started_at,
        "runId": run.id,
        "profileId": run.profile_id,
        "kind": run.kind,
        "state": run.state,
        "code": run.error_code,
        "error": run.error,
    }

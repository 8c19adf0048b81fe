"""The hand-over without any sign-in: a script for the console of Flow, and the parts that it saves."""

import re
from pathlib import Path
from typing import Any

from flask import Blueprint, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from webapp.background.handover import Taken
from webapp.errors import FlowshelfError, OtherAccount
from webapp.maintenance.adoption import MAX_FILE_BYTES
from webapp.store import profiles
from webapp.store.profile_names import owner_name
from webapp.web.services import background
from webapp.web.views.sent_files import sent_files

handover = Blueprint("handover", __name__)


@handover.get("/handover")
def show_handover() -> str:
    return _page()


@handover.post("/handover")
def take_parts() -> ResponseReturnValue:
    """The parts of the form. The page that responds says what each brought."""
    fields: dict[str, str] = {}
    taken: list[Taken] = []
    try:
        for _, file in sent_files(fields):
            profile_id, takes_other = fields.get("profile") or None, "other" in fields
            taken.append(background().handover.take(file.read(), profile_id, takes_other=takes_other))
    except FlowshelfError as error:
        page = _page(taken, str(error), is_other=isinstance(error, OtherAccount))
        return page, error.http_status
    return _page(taken, None if taken else "Choose the parts first."), 200 if taken else 422


@handover.post("/api/handover")
def take_part() -> ResponseReturnValue:
    """One part as the body; `profileId` and `otherAccount=true` in the query. For `flowshelf import`."""
    if request.mimetype != "application/octet-stream":
        raise UnsupportedMediaType
    if (request.content_length or 0) > MAX_FILE_BYTES:
        raise RequestEntityTooLarge
    request.max_content_length = MAX_FILE_BYTES
    taken = background().handover.take(
        request.stream.read(),
        request.args.get("profileId") or None,
        takes_other=request.args.get("otherAccount") == "true",
    )
    return {"success": True, "data": taken_value(taken)}


def taken_value(taken: Taken) -> dict[str, Any]:
    return {
        "profileId": taken.profile.id,
        "profile": owner_name(taken.profile),
        "projects": taken.project_count,
        "unread": taken.unread_count,
        "synced": taken.run.synced_count,
        "skipped": taken.run.skipped_count,
        "ignored": taken.run.ignored_count,
        "runId": taken.run.id,
    }


def script_text(static: Path) -> str:
    """The script as one function: nothing of it stays in the page but what it puts there itself."""
    calls = (static / "companion" / "reading_calls.js").read_text("utf-8")
    calls = re.sub(r"^export ", "", calls, flags=re.MULTILINE)
    return f"(async () => {{\n{calls}\n{(static / 'handover.js').read_text('utf-8')}}})();\n"


def _page(taken: list[Taken] | None = None, problem: str | None = None, *, is_other: bool = False) -> str:
    static = current_app.static_folder
    assert static is not None
    return render_template(
        "handover.html",
        script=script_text(Path(static)),
        flow_url=background().flow_url,
        action=url_for("handover.take_parts", ticket=background().adoption.issue_ticket()),
        profiles=profiles.list_profiles(),
        taken=[taken_value(each) for each in taken or ()],
        problem=problem,
        is_other=is_other,
    )

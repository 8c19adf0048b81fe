"""The JSON API: an endpoint for each IPC channel of the Electron predecessor, and more for scripts."""

import json
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import UnsupportedMediaType

from webapp import store
from webapp.background.downloads import Downloads
from webapp.background.syncs import Syncs
from webapp.database.models import Image, Profile, Run
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.errors import (
    BadRequest,
    Cancelled,
    FlowshelfError,
    Paused,
    SignedOut,
    UnknownImage,
    error_of,
)
from webapp.maintenance import verify
from webapp.sources import clean_name
from webapp.storage import allowed_folder
from webapp.store import profiles, runs
from webapp.store.gallery import images
from webapp.store.gallery.filters import Filter
from webapp.store.gallery.visible_profiles import get_profile_within
from webapp.store.runs import downloads
from webapp.web.access import asks_for_code, is_owner, open_to_guests
from webapp.web.services import background
from webapp.web.views.api_values import (
    SYNC_FIRST,
    added_profile_value,
    batch_result,
    examination_value,
    failure_of,
    guest_image_value,
    has_failed,
    image_value,
    profile_value,
    report_value,
    run_result,
    run_value,
    sync_result,
)
from webapp.web.views.filter_parameters import current_scope
from webapp.web.views.json_body import Body, read_body

api = Blueprint("api", __name__)

# The images in one response to a guest, and the bytes of their JSON: prompts may be long.
MAX_GUEST_IMAGES = 500
MAX_GUEST_BYTES = 1_000_000


def success(data: object, status: int = 200) -> ResponseReturnValue:
    return {"success": True, "data": data}, status


@api.before_request
def require_json() -> None:
    """Raises 415 for any other media type. Browsers let another site submit a form to us without a preflight
    request, but not JSON."""
    if request.method not in ("GET", "HEAD", "OPTIONS") and request.mimetype not in ("", "application/json"):
        raise UnsupportedMediaType


# Phase 1: metadata sync


@api.post("/api/image-veo3/sync-metadata")
def sync_metadata() -> ResponseReturnValue:
    body = read_body()
    profile = profiles.get_profile(body.text("profileId"))
    run = background().syncs.start(
        profile.id,
        mode=body.choice("mode", list(SyncMode), SyncMode.ALL),
        histories=_histories(body, profile.id),
        start_cursor=body.find_text("startCursor", max_length=4000),
        max_pages=body.find_number("maxPages"),
    )
    if not body.flag("wait", default=True):
        return success({"runId": run.id}, 202)
    run = background().syncs.wait(run.id)
    _require_done(run)
    return success(sync_result(run))


def _histories(body: Body, profile_id: str) -> tuple[str, ...]:
    """The histories to sync.

    `history` names one (as in the Electron predecessor). `histories` lists several; an empty list means all.
    """
    capabilities = background().connections.capabilities(profile_id)
    several = body.find_texts("histories")
    if several is not None:
        requested = tuple(dict.fromkeys(several)) or capabilities.histories
    else:
        requested = (body.find_text("history") or capabilities.default_history,)
    if unknown := [name for name in requested if name not in capabilities.available]:
        available = ", ".join(capabilities.available)
        raise BadRequest(f"There is no history {unknown[0][:60]}. This profile has: {available}.")
    return requested


def _require_done(run: Run) -> None:
    """Raise the error that stopped the run, or Paused, Cancelled or SignedOut; return if it is done."""
    match run.state:
        case RunState.PAUSED if run.error_code:
            raise error_of(run.error_code, run.error or "")
        case RunState.PAUSED | RunState.RUNNING:
            raise Paused("The run was paused. Nothing is lost: resume it to continue where it stopped.")
        case RunState.CANCELLED:
            raise Cancelled("The run was cancelled.")
        case RunState.WAITING:
            raise error_of(run.error_code or SignedOut.code, run.error or "")
        case RunState.FAILED:
            raise error_of(run.error_code or FlowshelfError.code, run.error or "")


# Phase 2: downloads


@api.post("/api/image-veo3/download-single")
def download_single() -> ResponseReturnValue:
    body = read_body()
    profile = profiles.get_profile(body.text("profileId"))
    name = clean_name(body.text("imageName"))
    ids = images.find_ids(profile.id, [name])
    if not ids:
        raise UnknownImage(SYNC_FIRST)
    run = background().downloads.request(profile.id, list(ids.values()), _folder(body))
    if run and not body.flag("wait", default=True):
        return success({"runId": run.id}, 202)
    image = _outcomes(run, list(ids.values()))[0]
    if not image.file_path or has_failed(image):
        raise failure_of(image)
    return success({"localPath": image.file_path})


@api.post("/api/image-veo3/download-batch")
def download_batch() -> ResponseReturnValue:
    """Download the images in `imageNames`, or with `pending` those that are not downloaded: all if it is
    true, the newest ones if it is a number."""
    body = read_body()
    profile = profiles.get_profile(body.text("profileId"))
    if body.has("pending"):
        return _download_pending(profile, body)
    names = list(dict.fromkeys(clean_name(name) for name in body.texts("imageNames")))
    ids = images.find_ids(profile.id, names)
    known_ids = [ids[name] for name in names if name in ids]
    run = background().downloads.request(profile.id, known_ids, _folder(body))
    if run and not body.flag("wait", default=True):
        return success({"runId": run.id}, 202)
    unknown = [name for name in names if name not in ids]
    return success(batch_result(_outcomes(run, known_ids), unknown))


def _download_pending(profile: Profile, body: Body) -> ResponseReturnValue:
    limit = None if body.is_true("pending") else body.number("pending")
    run = background().downloads.request_pending(profile.id, limit, _folder(body))
    if run is None:
        return success(batch_result([], []))
    if not body.flag("wait", default=True):
        return success({"runId": run.id}, 202)
    run = background().downloads.wait_for_run(run.id)
    _require_done(run)
    return success(run_result(run))


def _folder(body: Body) -> Path | None:
    """The folder that a caller names for its downloads. Raises BadPath outside the storage roots."""
    path = body.find_text("localStoragePath", max_length=4000)
    return allowed_folder(path, background().downloads.roots) if path else None


def _outcomes(run: Run | None, image_ids: list[str]) -> list[Image]:
    """The images once their downloads have finished. Raises if the run stopped before that."""
    if run:
        run = background().downloads.wait(run.id, image_ids)
        if downloads.is_any_active(image_ids):
            _require_done(run)
    by_id = {image.id: image for image in downloads.list_outcomes(image_ids)}
    return [by_id[image_id] for image_id in image_ids if image_id in by_id]


# Reading


@api.post("/api/image-veo3/get-local-images")
@open_to_guests
def get_local_images() -> ResponseReturnValue:
    body = read_body()
    profile = get_profile_within(body.text("profileId"), current_scope())
    limit = body.find_number("limit")
    before = body.find_text("before")
    if before:
        images.get_image(before, current_scope())
    if is_owner():
        return Response(_image_list(profile.id, limit, before), mimetype="application/json")
    return _guest_images(profile.id, limit, before)


def _guest_images(profile_id: str, limit: int | None, before: str | None) -> ResponseReturnValue:
    """One page, so that no request of a guest costs much. `nextBefore` continues it; absent at the end."""
    if limit is not None and limit > MAX_GUEST_IMAGES:
        raise BadRequest(
            f"“limit” can be at most {MAX_GUEST_IMAGES} for guests, so that one request does not keep others "
            "waiting. Send “nextBefore” of the response as “before” to get the next images."
        )
    page = images.list_page(
        Filter(profile_id=profile_id, scope=current_scope()),
        limit=limit or MAX_GUEST_IMAGES,
        before=before,
    )
    values = [guest_image_value(image) for image in page.images]
    lengths = accumulate(len(json.dumps(value)) for value in values)
    count = max(1, sum(length <= MAX_GUEST_BYTES for length in lengths))
    next_before = values[count - 1]["id"] if count < len(values) else page.older_than
    result = {"success": True, "data": values[:count]}
    return result | ({"nextBefore": next_before} if next_before else {})


def _image_list(profile_id: str, limit: int | None, before: str | None) -> Iterator[str]:
    """The response as a stream of chunks. Flask closes the request's database connection before it sends
    them, and a client may leave half-way, so each chunk opens and closes a connection of its own."""
    yield '{"success": true, "data": ['
    separator, left = "", limit
    while left is None or left > 0:
        with store.connection():
            row_count = store.ROWS_PER_STATEMENT if left is None else min(left, store.ROWS_PER_STATEMENT)
            page = images.list_page(Filter(profile_id=profile_id), limit=row_count, before=before)
            chunk = [json.dumps(image_value(image)) for image in page.images]
        if chunk:
            yield separator + ", ".join(chunk)
            separator = ", "
        if page.older_than is None:
            break
        before, left = page.older_than, left if left is None else left - len(chunk)
    yield "]}"


@api.get("/api/runs/<run_id>")
def get_run(run_id: str) -> ResponseReturnValue:
    """A run. `waitsFor` says why it makes no progress: Flow does not respond, or nothing can be stored."""
    run = runs.get_run(run_id)
    value = run_value(run)
    if run.state == RunState.RUNNING:
        try:
            background().troubles.require_none(run.id)
            background().connections.require_available(run.profile_id)
        except FlowshelfError as error:
            value["waitsFor"] = str(error)
    return success(value)


@api.post("/api/runs/<run_id>/pause")
def pause_run(run_id: str) -> ResponseReturnValue:
    run = runs.get_run(run_id)
    if _is_open(run):
        _runner_of(run).pause(run.profile_id)
    return success(run_value(runs.get_run(run_id)))


@api.post("/api/runs/<run_id>/resume")
def resume_run(run_id: str) -> ResponseReturnValue:
    run = runs.get_run(run_id)
    if run.kind == RunKind.SYNC:
        raise BadRequest("A sync run cannot be resumed. Start a new sync with the mode “resume” instead.")
    if _is_open(run):
        background().downloads.resume(run.profile_id)
    return success(run_value(runs.get_run(run_id)))


@api.post("/api/runs/<run_id>/cancel")
def cancel_run(run_id: str) -> ResponseReturnValue:
    run = runs.get_run(run_id)
    if _is_open(run):
        _runner_of(run).cancel(run.profile_id)
    return success(run_value(runs.get_run(run_id)))


def _is_open(run: Run) -> bool:
    """Whether this run has not ended. Commands go to the profile, not to a run: without this check, a command
    for a run that has ended would hit the next run of its profile."""
    current = runs.find_open_run(run.profile_id, RunKind(run.kind))
    return current is not None and current.id == run.id


def _runner_of(run: Run) -> Syncs | Downloads:
    return background().syncs if run.kind == RunKind.SYNC else background().downloads


# Profiles


@api.post("/api/profiles")
@asks_for_code
def add_profile() -> ResponseReturnValue:
    body = read_body()
    profile = background().accounts.add(body.find_text("name") or "", body.text("cookies", max_length=None))
    return success(added_profile_value(profile), 201)


@api.get("/api/profiles")
def list_profiles() -> ResponseReturnValue:
    return success([profile_value(profile) for profile in profiles.list_profiles()])


@api.put("/api/profiles/<profile_id>/cookies")
@asks_for_code
def replace_cookies(profile_id: str) -> ResponseReturnValue:
    profiles.get_profile(profile_id)
    body = read_body()
    background().replace_cookies(
        profile_id,
        body.text("cookies", max_length=None),
        is_confirmed=body.flag("sameAccount", default=False),
    )
    return success(added_profile_value(profiles.get_profile(profile_id)))


@api.post("/api/profiles/<profile_id>/check")
def check_profile(profile_id: str) -> ResponseReturnValue:
    """Check with Flow whether the cookies still sign in, and to which account."""
    profiles.get_profile(profile_id)
    background().check(profile_id)
    return success(profile_value(profiles.get_profile(profile_id)))


@api.post("/api/profiles/<profile_id>/examine")
def examine_profile(profile_id: str) -> ResponseReturnValue:
    """Make each kind of read request to Flow once. The report contains nothing about the account."""
    profiles.get_profile(profile_id)
    return success(examination_value(background().examine(profile_id)))


@api.delete("/api/profiles/<profile_id>")
@asks_for_code
def remove_profile(profile_id: str) -> ResponseReturnValue:
    """Downloaded files are kept, except with `?files=true`."""
    background().remove_profile(profile_id, with_files=request.args.get("files") == "true")
    return success({"profileId": profile_id})


@api.post("/api/verify")
def verify_files() -> ResponseReturnValue:
    """For `flowshelf verify` while this server holds the lock of the data folder."""
    body = read_body()
    report = verify.verify(
        background().downloads.roots,
        deep=body.flag("deep", default=False),
        sets_pending=body.flag("setPending", default=False),
        follows_moves=body.flag("followMoves", default=False),
        keeps_changed=body.flag("keepChanged", default=False),
    )
    unknown = background().check_unknown_files(moves=body.flag("moveUnknown", default=False))
    return success(report_value(report, unknown))

"""The JSON API: the seed's channels one for one, and what scripts need beside them."""

import json
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import UnsupportedMediaType

from webapp import store
from webapp.database.models import Image, Profile, Run
from webapp.database.states import RunKind, RunState, SyncMode
from webapp.errors import BadRequest, Cancelled, FlowUnavailable, Paused, SignedOut, UnknownImage, error_of
from webapp.maintenance import verify
from webapp.sources import clean_name
from webapp.storage import allowed_folder
from webapp.store import profiles, runs
from webapp.store.gallery import images
from webapp.store.gallery.filters import Filter
from webapp.store.runs import downloads
from webapp.web.access import is_owner, open_to_guests
from webapp.web.services import background
from webapp.web.views.api_values import (
    SYNC_FIRST,
    batch_result,
    examination_value,
    failure_of,
    guest_image_value,
    image_value,
    profile_value,
    report_value,
    run_result,
    run_value,
    sync_result,
)
from webapp.web.views.json_body import Body, read_body

api = Blueprint("api", __name__)


def success(data: object, status: int = 200) -> ResponseReturnValue:
    return {"success": True, "data": data}, status


@api.before_request
def take_json_only() -> None:
    """A form of another site can be sent without asking first; JSON cannot."""
    if request.method not in ("GET", "HEAD", "OPTIONS") and request.mimetype not in ("", "application/json"):
        raise UnsupportedMediaType


# Phase 1


@api.post("/api/image-veo3/sync-metadata")
def sync_metadata() -> ResponseReturnValue:
    body = read_body()
    profile = profiles.get_profile(body.text("profileId"))
    run = background().syncs.start(
        profile.id,
        mode=body.choice("mode", list(SyncMode), SyncMode.ALL),
        histories=_histories(body, profile.id),
        start_cursor=body.text("startCursor", default=None, longest=4000),
        max_pages=body.number("maxPages", default=None),
    )
    if not body.flag("wait", default=True):
        return success({"runId": run.id}, 202)
    run = background().syncs.wait(run.id)
    _raise_unless_done(run)
    return success(sync_result(run))


def _histories(body: Body, profile_id: str) -> tuple[str, ...]:
    """One history as the seed has it, or several for a caller that walks them; an empty list is all."""
    capabilities = background().connections.capabilities(profile_id)
    several = body.texts("histories", default=None)
    if several is not None:
        asked = tuple(dict.fromkeys(several)) or capabilities.histories
    else:
        asked = (body.text("history", default=capabilities.default_history),)
    if unknown := [name for name in asked if name not in capabilities.available]:
        here = ", ".join(capabilities.available)
        raise BadRequest(f"There is no history {unknown[0][:60]}. Histories here: {here}.")
    return asked


def _raise_unless_done(run: Run) -> None:
    match run.state:
        case RunState.PAUSED if run.error_code:
            raise error_of(run.error_code, run.error)
        case RunState.PAUSED | RunState.RUNNING:
            raise Paused("The run was paused. Its place is kept; resume it to go on.")
        case RunState.CANCELLED:
            raise Cancelled("The run was cancelled.")
        case RunState.WAITING:
            raise SignedOut(run.error)
        case RunState.FAILED:
            raise error_of(run.error_code, run.error)


# Phase 2


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
    if not image.local_path:
        raise failure_of(image)
    return success({"localPath": image.local_path})


@api.post("/api/image-veo3/download-batch")
def download_batch() -> ResponseReturnValue:
    """By name; beside the seed, `pending` asks for all pending images, or the newest so many."""
    body = read_body()
    profile = profiles.get_profile(body.text("profileId"))
    if body.has("pending"):
        return _download_pending(profile, body)
    names = list(dict.fromkeys(clean_name(name) for name in body.texts("imageNames")))
    ids = images.find_ids(profile.id, names)
    wanted = [ids[name] for name in names if name in ids]
    run = background().downloads.request(profile.id, wanted, _folder(body))
    if run and not body.flag("wait", default=True):
        return success({"runId": run.id}, 202)
    unknown = [name for name in names if name not in ids]
    return success(batch_result(_outcomes(run, wanted), unknown))


def _download_pending(profile: Profile, body: Body) -> ResponseReturnValue:
    limit = None if body.is_true("pending") else body.number("pending")
    run = background().downloads.request_pending(profile.id, limit, _folder(body))
    if run is None:
        return success(batch_result([], []))
    if not body.flag("wait", default=True):
        return success({"runId": run.id}, 202)
    run = background().downloads.wait_for_run(run.id)
    _raise_unless_done(run)
    return success(run_result(run))


def _folder(body: Body):
    path = body.text("localStoragePath", default=None, longest=4000)
    return allowed_folder(path, background().downloads.roots) if path else None


def _outcomes(run: Run | None, image_ids: list[str]) -> list[Image]:
    """What became of images once nothing is undecided about them. Raises when their run stopped short."""
    if run:
        run = background().downloads.wait(run.id, image_ids)
        if downloads.is_any_active(image_ids):
            _raise_unless_done(run)
    by_id = {image.id: image for image in downloads.list_outcomes(image_ids)}
    return [by_id[image_id] for image_id in image_ids if image_id in by_id]


# Reading


@api.post("/api/image-veo3/get-local-images")
@open_to_guests
def get_local_images() -> ResponseReturnValue:
    body = read_body()
    profile = profiles.get_profile(body.text("profileId"))
    limit = body.number("limit", default=None)
    before = body.text("before", default=None)
    if before:
        images.get_image(before)
    value = image_value if is_owner() else guest_image_value
    return Response(_image_list(profile.id, limit, before, value), mimetype="application/json")


def _image_list(profile_id: str, limit: int | None, before: str | None, value: Callable) -> Iterator[str]:
    """The answer piece by piece: it runs after the request's connection was closed, and a reader may
    leave in the middle, so each piece opens its own."""
    yield '{"success": true, "data": ['
    separator, left = "", limit
    while left is None or left > 0:
        with store.connection():
            size = store.ROWS_PER_STATEMENT if left is None else min(left, store.ROWS_PER_STATEMENT)
            page = images.list_page(Filter(profile_id=profile_id), limit=size, before=before)
            chunk = [json.dumps(value(image)) for image in page.images]
        if chunk:
            yield separator + ", ".join(chunk)
            separator = ", "
        if page.older_than is None:
            break
        before, left = page.older_than, left if left is None else left - len(chunk)
    yield "]}"


@api.get("/api/runs/<run_id>")
def get_run(run_id: str) -> ResponseReturnValue:
    """Beside the run itself: `waitsFor` is why nothing goes on at the moment, while Flow does not answer."""
    run = runs.get_run(run_id)
    value = run_value(run)
    if run.state == RunState.RUNNING:
        try:
            background().connections.require_available(run.profile_id)
        except FlowUnavailable as error:
            value["waitsFor"] = str(error)
    return success(value)


@api.post("/api/runs/<run_id>/<any(pause, resume, cancel):verb>")
def steer_run(run_id: str, verb: str) -> ResponseReturnValue:
    run = runs.get_run(run_id)
    steer = _verbs_of(RunKind(run.kind)).get(verb)
    if steer is None:
        raise BadRequest("A sync run that ended stays so: begin another one with the mode “resume” to go on.")
    under_way = runs.find_open_run(run.profile_id, RunKind(run.kind))
    if under_way and under_way.id == run.id:  # one that ended must not stop the next one
        steer(run.profile_id)
    return success(run_value(runs.get_run(run_id)))


def _verbs_of(kind: RunKind) -> dict[str, Callable[[str], None]]:
    """What can be done to a run that is under way, by the word of the address."""
    syncs, work = background().syncs, background().downloads
    if kind == RunKind.SYNC:
        return {"pause": syncs.pause, "cancel": syncs.cancel}
    return {"pause": work.pause, "resume": work.resume, "cancel": work.cancel}


# Profiles


@api.post("/api/profiles")
def add_profile() -> ResponseReturnValue:
    body = read_body()
    profile = background().accounts.add(body.text("name"), body.text("cookies", longest=None))
    return success(profile_value(profile), 201)


@api.get("/api/profiles")
def list_profiles() -> ResponseReturnValue:
    return success([profile_value(profile) for profile in profiles.list_profiles()])


@api.put("/api/profiles/<profile_id>/cookies")
def replace_cookies(profile_id: str) -> ResponseReturnValue:
    profiles.get_profile(profile_id)
    body = read_body()
    background().replace_cookies(
        profile_id, body.text("cookies", longest=None), is_confirmed=body.flag("sameAccount", default=False)
    )
    return success(profile_value(profiles.get_profile(profile_id)))


@api.post("/api/profiles/<profile_id>/check")
def check_profile(profile_id: str) -> ResponseReturnValue:
    """Ask Flow whom the cookies sign in."""
    profiles.get_profile(profile_id)
    background().check(profile_id)
    return success(profile_value(profiles.get_profile(profile_id)))


@api.post("/api/profiles/<profile_id>/examine")
def examine_profile(profile_id: str) -> ResponseReturnValue:
    """Ask each reading call of the profile's service once, for a report without anything of the account."""
    profiles.get_profile(profile_id)
    return success(examination_value(background().examine(profile_id)))


@api.delete("/api/profiles/<profile_id>")
def remove_profile(profile_id: str) -> ResponseReturnValue:
    """The files stay, unless the address ends `?files=true`."""
    background().remove_profile(profile_id, with_files=request.args.get("files") == "true")
    return success({"profileId": profile_id})


@api.post("/api/verify")
def verify_files() -> ResponseReturnValue:
    """What `flowshelf verify` asks of a server that owns the data folder."""
    body = read_body()
    report = verify.verify(
        background().downloads.roots,
        deep=body.flag("deep", default=False),
        sets_pending=body.flag("setPending", default=False),
    )
    return success(report_value(report))

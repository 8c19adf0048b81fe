"""The requests of the companion (`webapp/background/companion/PROTOCOL.md`): pairing, and the relay."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from webapp.background.companion import Poll
from webapp.background.companion.choosing import read_accounts
from webapp.background.companion.relay import Part
from webapp.database.states import RunKind, RunState
from webapp.errors import BadRequest
from webapp.store import profiles, runs
from webapp.store.profile_names import owner_name
from webapp.store.runs import downloads
from webapp.web.access import open_to_anonymous, open_to_companion
from webapp.web.companion_access import pairing, require_extension
from webapp.web.services import background
from webapp.web.views.json_body import Body, read_body

companion_relay = Blueprint("companion_relay", __name__)

MAX_VERSION, MAX_BROWSER, MAX_LOCATION = 40, 200, 4_000


@companion_relay.post("/companion/pairing")
@open_to_anonymous
def pair() -> ResponseReturnValue:
    require_extension()
    body = read_body()
    code = body.text("code", max_length=100)
    browser = body.text("browser", max_length=MAX_BROWSER)
    version = body.text("version", max_length=MAX_VERSION)
    pairing_id, secret = background().companion.pair(code, browser, version)
    return {"pairingId": pairing_id, "secret": secret}


@companion_relay.post("/companion/poll")
@open_to_companion
def poll() -> ResponseReturnValue:
    body = read_body()
    accounts = body.find_list("accounts")
    said = Poll(
        version=body.text("version", max_length=MAX_VERSION),
        is_paused=body.is_true("isPaused"),
        is_watched=body.is_true("isWatched"),
        accounts=None if accounts is None else read_accounts(accounts),
    )
    calls, again = background().companion.poll(pairing(), said)
    profile_id = pairing().profile_id
    profile = profiles.get_profile(profile_id) if profile_id else None
    return {
        "calls": calls,
        "again": again,
        "profile": owner_name(profile) if profile else None,
        "status": _status_of(profile.id) if profile else None,
        "isPaired": True,
    }


@companion_relay.post("/companion/taken")
@open_to_companion
def take() -> ResponseReturnValue:
    return {"isYours": background().companion.take(pairing(), read_body().text("id"))}


@companion_relay.post("/companion/result")
@open_to_companion
def add_result() -> ResponseReturnValue:
    body = read_body()
    call_id, companion = body.text("id"), background().companion
    if (error := body.find_text("error")) is not None:
        return {"isYours": companion.fail(pairing(), call_id, error)}
    return {"isYours": companion.add_part(pairing(), call_id, _part_of(body))}


@companion_relay.post("/companion/unpair")
@open_to_companion
def unpair() -> ResponseReturnValue:
    background().companion.unpair(pairing().id)
    return {}


def _part_of(body: Body) -> Part:
    """Raises BadRequest."""
    status = body.number("status")
    if not 100 <= status <= 599:
        raise BadRequest("“status” must be an HTTP status.")
    location = body.find_text("location", max_length=MAX_LOCATION)
    return Part(body.count("part"), body.is_true("isLast"), status, location, body.any_text("body"))


def _status_of(profile_id: str) -> str | None:
    """What Flowshelf does for a profile, in a few words; None when it does nothing."""
    sync = runs.find_open_run(profile_id, RunKind.SYNC)
    if sync and sync.state == RunState.RUNNING:
        return f"Syncing: {sync.synced_count + sync.skipped_count:,} images"
    download = runs.find_open_run(profile_id, RunKind.DOWNLOAD)
    if download and download.state == RunState.RUNNING:
        return f"Downloading: {download.done_count:,} done, {downloads.count_left(download.id):,} to go"
    if any(run and run.state == RunState.WAITING for run in (sync, download)):
        return profiles.get_profile(profile_id).health_reason
    return None

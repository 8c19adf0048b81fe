"""The requests of the API about the Firefox of this machine, which `flowshelf profiles add` sends.

They name an entry of the list by its key, never a path, and are refused on a shelf that others may reach.
"""

from typing import Any

from flask.typing import ResponseReturnValue

from webapp.sources.firefox import FirefoxProfile
from webapp.store.profile_names import owner_name
from webapp.web.services import background
from webapp.web.views.api import api, success
from webapp.web.views.api_values import profile_value
from webapp.web.views.firefox import FoundRow, found_rows
from webapp.web.views.json_body import read_body


@api.get("/api/firefox")
def list_firefox() -> ResponseReturnValue:
    background().firefox.require_offered()
    return success([_profile_value(profile) for profile in background().firefox.list_profiles()])


@api.post("/api/firefox/<key>/look")
def look_into_firefox(key: str) -> ResponseReturnValue:
    background().firefox.require_offered()
    folder, look = background().firefox.find(key).folder, background().firefox.look(key)
    found = [_found_value(row) for row in found_rows(folder, look)]
    return success({"problem": look.problem, "found": found})


@api.post("/api/firefox/<key>/use")
def use_firefox(key: str) -> ResponseReturnValue:
    background().firefox.require_offered()
    body = read_body()
    profile = background().use_firefox(
        key,
        body.find_number("container"),
        (body.find_number("number") or 1) - 1,
        name=body.find_text("name") or "",
        replaces=body.find_text("replaces") or "",
    )
    return success(profile_value(profile), 201)


def _profile_value(profile: FirefoxProfile) -> dict[str, Any]:
    return {
        "key": profile.key,
        "name": profile.name,
        "folder": profile.folder.name,
        "package": profile.package,
        "usedAt": profile.used_at,
        "containers": [{"id": container.id, "name": container.name} for container in profile.containers],
    }


def _found_value(row: FoundRow) -> dict[str, Any]:
    account = row.found.account
    return {
        "container": row.found.container,
        "containerName": row.found.container_name,
        "accountEmail": account.email if account else None,
        "profileId": row.owner.id if row.owner else None,
        "profileName": owner_name(row.owner) if row.owner else None,
        "number": row.found.index + 1,
        "isRead": row.is_read,
        "problem": row.found.problem,
    }

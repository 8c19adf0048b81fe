"""Flow is sent the user agent of the browser that the cookies were copied from."""

import json

import pytest
from pastes import LABS, NOW, carets, header

from webapp import store
from webapp.background import Background
from webapp.demo import FlowServer, World
from webapp.sources.cookies import parse_cookies
from webapp.sources.cookies.user_agent import find_user_agent
from webapp.store import profiles

BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
COOKIES = {"__Secure-next-auth.session-token": "eyJh.made.up.session.token"}
NAMED = f"user-agent: {BROWSER}"
PASTES = {
    "cURL": f"curl '{LABS}' \\\n  -b '{header(COOKIES)}' \\\n  -H '{NAMED}' \\\n  --compressed",
    "cURL cmd": f'curl ^"{LABS}^" ^\r\n  -H {carets(NAMED)} ^\r\n  -b {carets(header(COOKIES))}',
    "fetch": f'fetch("{LABS}", {{"headers": {{\n  "user-agent": {json.dumps(BROWSER)},\n'
    f'  "cookie": {json.dumps(header(COOKIES))}\n}}}});',
    "PowerShell": f'$session.UserAgent = "{BROWSER}"\nInvoke-WebRequest -Uri "{LABS}" -Headers @{{\n'
    f'  "cookie"="{header(COOKIES)}"\n}}',
    "block of headers": f"{NAMED}\r\ncookie: {header(COOKIES)}\r\n",
}
PASTES_WITHOUT = {
    "header": header(COOKIES),
    "one line, with the cookies": f"{NAMED} cookie: {header(COOKIES)}",
    "no browser": f"user-agent: x\ncookie: {header(COOKIES)}",
}


@pytest.mark.parametrize("paste", PASTES.values(), ids=PASTES)
def test_the_user_agent_of_a_pasted_request_is_found(paste):
    assert parse_cookies(paste, NOW).user_agent == BROWSER


@pytest.mark.parametrize("paste", PASTES_WITHOUT.values(), ids=PASTES_WITHOUT)
def test_a_user_agent_that_is_not_named_plainly_is_none(paste):
    assert find_user_agent(paste) is None


def user_agents(flow: FlowServer) -> set[str]:
    return {request.headers.get("user-agent", "") for request in flow.log}


def use(work: Background, profile_id: str) -> None:
    """A sync and a download: every kind of request."""
    work.syncs.wait(work.syncs.start(profile_id).id)
    work.downloads.wait_for_run(work.downloads.request_pending(profile_id, limit=2).id)


@pytest.mark.parametrize(
    ("is_moved", "own"),
    [(False, "Chrome/"), (True, "Mozilla/5.0 (compatible; Flowshelf)")],
    ids=["labs", "google"],
)
def test_every_request_has_the_user_agent_of_the_latest_paste(
    work: Background, flow: FlowServer, world: World, is_moved: bool, own: str
):
    if is_moved:
        world.migrate()
    cookies = world.google.cookie_header() if is_moved else world.cookie_header()
    with store.connection():
        profile_id = work.accounts.add("Ada", f"{NAMED}\ncookie: {cookies}").id
        use(work, profile_id)
        assert user_agents(flow) == {BROWSER}
        flow.reset()
        work.accounts.replace_cookies(profile_id, cookies)
        use(work, profile_id)
        assert profiles.find_user_agent(profile_id) is None
    (sent,) = user_agents(flow)
    assert own in sent

"""Cookies that are kept alive: who may switch it on, and what a hostile answer can do."""

import re
from datetime import UTC, datetime

import pytest

from webapp import store
from webapp.database.states import ScheduleKind
from webapp.demo import World
from webapp.store import profiles, renewals
from webapp.store.runs import schedules


@pytest.fixture
def world():
    world = World(uploaded=1, generated=2, tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def profile_id(work, world):
    with store.connection():
        return work.accounts.add("Ada", world.google.cookie_header()).id


@pytest.fixture
def kept(work, profile_id):
    """A profile whose cookies are due for renewal, and which no thread renews."""
    work.renewals.stop(5)
    with store.connection():
        schedules.set_schedule(profile_id, ScheduleKind.AT_START, hours=6, downloads_new=False)
        renewals.switch_renewal(profile_id, is_on=True)
        yield work


def renewal_of(profile_id):
    with store.connection():
        return profiles.get_profile(profile_id).renewal


@pytest.mark.parametrize(("role", "status"), [("guest", 403), ("anonymous", 401)])
def test_only_the_owner_sees_and_changes_whether_a_session_is_kept_alive(
    request, profile_id, owner, role, status
):
    visitor = request.getfixturevalue(role)
    assert visitor.post(f"/profiles/{profile_id}/renewal", {"renewal": "on"}).status == status
    assert renewal_of(profile_id) == "off"
    pages = ["/", f"/profiles/{profile_id}", "/help", "/help/keeping-signed-in", "/api/profiles"]
    shown = "".join(visitor.get(page).text for page in pages)
    assert not re.search("keep-alive|Keep the session|accounts.google.com|last renewed|renewedAt", shown)
    assert owner.post(f"/profiles/{profile_id}/renewal", {"renewal": "on"}).status == 303
    assert renewal_of(profile_id) == "on"


def test_a_page_of_another_site_cannot_switch_it_on(owner, profile_id):
    for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        refused = owner.post(f"/profiles/{profile_id}/renewal", {"renewal": "on"}, **headers)
        assert refused.status == 403
    assert owner.get(f"/profiles/{profile_id}/renewal?renewal=on").status == 405
    assert renewal_of(profile_id) == "off"


@pytest.mark.parametrize(
    "line",
    [
        "__Secure-1PSIDTS=" + "a" * 5000,
        "__Secure-1PSIDTS=two words",
        "__Secure-1PSIDTS=\x01\x02",
        "__Secure-1PSIDTS=; Domain=.google.com",
        "__Secure-1PSIDTS",
        "flowshelf_8765=owner",
        "; ; =x",
    ],
)
def test_no_answer_can_damage_the_stored_cookies(kept, profile_id, flow, line):
    before = profiles.get_cookies(profile_id)
    flow.respond_next("rotation", "[]", headers={"Set-Cookie": line})
    kept.renewals.renew_due(datetime.now(UTC))
    assert flow.count("rotation") == 1
    assert profiles.get_cookies(profile_id) == before
    assert renewal_of(profile_id) == "refused"


def test_a_redirect_leads_the_cookies_nowhere(kept, flow):
    for status in (301, 302, 307, 308):
        flow.respond_next("rotation", "", status=status, headers={"Location": f"{flow.url}/RotateCookies?x"})
    kept.renewals.renew_due(datetime.now(UTC))
    assert flow.count("rotation") == 1

"""Pasted cookies that are kept alive: when they are renewed, what Google may answer, what the page says."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
from bs4 import BeautifulSoup

from webapp import store
from webapp.cli.api_client import open_client
from webapp.cli.demo import demo_config
from webapp.database.models import Profile, Run, Secret
from webapp.database.states import Health, RunState, ScheduleKind, Way
from webapp.demo import World
from webapp.demo.account.google_sign_in import OWN, ROTATING
from webapp.errors import BadRequest
from webapp.sources.cookies.rotation import Outcome, rotate
from webapp.sources.http import HttpClient
from webapp.store import profiles, renewals, runs
from webapp.store.runs import schedules
from webapp.times import timestamp
from webapp.web.services import background_of

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/148.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"


def now():
    return datetime.now(UTC)


def minutes(count):
    return timedelta(minutes=count)


@pytest.fixture
def world() -> World:
    world = World(uploaded=3, generated=9, tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def profile_id(work, world):
    with store.connection():
        return work.accounts.add("Ada", world.google.cookie_header()).id


@pytest.fixture
def shelf(work, profile_id, flow):
    """A profile that has work for its cookies, a schedule, but no run. The thread of renewals has ended, so
    that a test decides when to look what is due."""
    work.renewals.stop(5)
    with store.connection():
        schedules.set_schedule(profile_id, ScheduleKind.AT_START, hours=6, downloads_new=False)
        flow.reset()
        yield work


@pytest.fixture
def profile(profile_id):
    return lambda: profiles.get_profile(profile_id)


@pytest.fixture
def switched_on(shelf, profile_id):
    renewals.switch_renewal(profile_id, is_on=True)
    return shelf


@pytest.fixture
def rotation_count(flow):
    return lambda: flow.count("rotation")


def paste(world, user_agent=CHROME):
    cookies = world.google.cookie_header()
    return f"curl 'https://flow.google.com/' -H 'user-agent: {user_agent}' -b '{cookies}'"


# When


def test_off_by_default_nothing_is_sent(work, profile_id, flow, profile):
    with store.connection():
        schedules.set_schedule(profile_id, ScheduleKind.HOURLY, hours=1, downloads_new=True)
        run = work.syncs.start(profile_id)
        assert work.syncs.wait(run.id).state == RunState.DONE
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
        assert work.renewals.renew_due(now()) is None
        assert (profile().renewal, flow.count("rotation")) == ("off", 0)


@pytest.mark.parametrize(("choice", "state"), [("on", RunState.DONE), ("off", RunState.WAITING)])
def test_a_run_goes_on_when_its_session_is_kept_alive_and_otherwise_ends(
    work, profile_id, world, flow, client, wait_until, profile, choice, state
):
    world.google.rotating_lifetime_seconds = 1200
    with store.connection(), flow.holding("project", at=2) as gate:
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        world.google.pass_time(600)
        client.post(f"/profiles/{profile_id}/renewal", data={"renewal": choice})
        if choice == "on":
            wait_until(lambda: profile().renewed_at is not None)
        world.google.pass_time(700)
        gate.release()
        assert work.syncs.wait(run.id).state == state
        assert flow.count("rotation") == (choice == "on")


def test_cookies_are_renewed_at_most_every_ten_minutes_whatever_restarts(
    switched_on, world, rotation_count, running
):
    begin = now()
    switched_on.renewals.renew_due(begin)
    assert switched_on.renewals.renew_due(begin + minutes(9.9)) == 5
    with ThreadPoolExecutor(1) as pool:
        again = background_of(pool.submit(running).result())
    again.renewals.stop(5)
    again.renewals.renew_due(begin + minutes(9.95))
    assert rotation_count() == 1
    world.google.pass_time(600)
    again.renewals.renew_due(begin + minutes(10))
    assert rotation_count() == 2


def test_a_renewal_that_a_killed_process_had_begun_is_not_begun_again_for_a_minute(switched_on, profile_id):
    begin = now()
    assert renewals.claim_renewal(profile_id, begin)
    assert renewals.claim_renewal(profile_id, begin + minutes(0.98)) is None
    assert renewals.claim_renewal(profile_id, begin + minutes(1))


@pytest.mark.parametrize(
    ("state", "is_needed"),
    [
        (RunState.RUNNING, True),
        (RunState.WAITING, True),
        (RunState.PAUSED, False),
        (RunState.DONE, False),
    ],
)
def test_without_a_schedule_cookies_are_renewed_only_for_a_run_that_is_open(
    switched_on, profile_id, rotation_count, state, is_needed
):
    schedules.set_schedule(profile_id, ScheduleKind.OFF, hours=6, downloads_new=False)
    Run.create(id="one", profile=profile_id, kind="download", state=state, started_at=timestamp(now()))
    switched_on.renewals.renew_due(now())
    assert rotation_count() == is_needed


@pytest.mark.parametrize(
    "columns",
    [
        {"way": Way.FIREFOX},
        {"way": Way.COMPANION},
        {"service": "labs.google"},
        {"is_unchecked": True},
        {"cooldown_until": timestamp(datetime(2999, 1, 1, tzinfo=UTC))},
    ],
)
def test_only_checked_pasted_cookies_of_todays_flow_are_renewed_and_none_during_a_cooldown(
    switched_on, rotation_count, columns
):
    Profile.update(**columns).execute()
    switched_on.renewals.renew_due(now())
    assert rotation_count() == 0


def test_a_profile_without_its_cookies_sends_none(switched_on, profile_id, rotation_count):
    """As after the restore of a backup, which leaves the cookies out."""
    Secret.delete().execute()
    switched_on.renewals.renew_due(now())
    assert rotation_count() == 0


def test_a_clock_that_was_set_back_does_not_stop_the_renewals(switched_on, rotation_count):
    Profile.update(renewal_due_at=timestamp(now() + timedelta(days=400))).execute()
    switched_on.renewals.renew_due(now())
    assert rotation_count() == 1


def test_threads_that_look_at_once_share_one_renewal(switched_on, profile, rotation_count):
    moment, before = now(), profiles.get_cookies(profile().id)
    start = threading.Barrier(8)

    def look():
        with store.connection():
            start.wait(5)
            switched_on.renewals.renew_due(moment)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(look) for _ in range(8)]:
            future.result()
    after = profiles.get_cookies(profile().id)
    assert rotation_count() == 1
    assert {name for name in before if before[name] != after[name]} == set(ROTATING)


def test_all_threads_of_a_profile_use_the_cookies_of_one_renewal(
    work, profile_id, flow, world, profile, wait_until
):
    """Several downloads and a sync, of which none renews anything itself."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        flow.reset()
        with flow.holding("address", at=4) as gate, flow.holding("project", at=2) as sync_gate:
            download = work.downloads.request_pending(profile_id)
            sync = work.syncs.start(profile_id)
            assert gate.reached.wait(5)
            assert sync_gate.reached.wait(5)
            work.renewals.switch(profile_id, is_on=True)
            wait_until(lambda: profile().renewed_at is not None)
            sent_before = len(flow.log)
            gate.release()
            sync_gate.release()
        assert work.downloads.wait_for_run(download.id).state == RunState.DONE
        assert work.syncs.wait(sync.id).state == RunState.DONE
        assert flow.count("rotation") == 1
        fresh = profiles.get_cookies(profile_id)
        assert fresh == world.google.cookies()
        calls = [one for one in flow.log[sent_before:] if one.kind in ("start", "project", "address")]
        assert calls
        assert all(fresh.items() <= one.cookies.items() for one in calls)


def test_a_command_that_ends_at_once_contacts_nobody(switched_on, config, flow, rotation_count):
    with ThreadPoolExecutor(1) as pool:

        def list_profiles():
            with open_client(config) as client:
                return client.list_profiles()

        assert pool.submit(list_profiles).result()
    assert rotation_count() == 0


# What is sent


def test_the_request_is_that_of_public_clients_with_the_browsers_name(switched_on, profile_id, world, flow):
    switched_on.replace_cookies(profile_id, paste(world))
    switched_on.renewals.renew_due(now())
    (request,) = flow.asked("rotation")
    assert (request.method, request.path, request.query) == ("POST", "/RotateCookies", {})
    assert request.body == b'[000,"-0000000000000000000"]'
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == CHROME


def test_host_cookies_of_flow_never_go_to_the_accounts_host(switched_on, profile_id, world, flow):
    cookies = world.google.cookies()
    profiles.set_cookies(profile_id, cookies | {f"__Secure-{OWN}": "host-cookie"}, None)
    switched_on.renewals.renew_due(now())
    (request,) = flow.asked("rotation")
    assert request.cookies == {name: value for name, value in cookies.items() if name != OWN}


def test_only_cookies_of_the_family_are_taken_from_the_answer(config, flow, world):
    lines = "__Secure-1PSIDTS=new; Domain=.google.com"
    flow.respond_next("rotation", "[]", headers={"Set-Cookie": lines})
    flow.respond_next("rotation", "[]", headers={"Set-Cookie": f"{OWN}=other"})
    flow.respond_next("rotation", "[]", headers={"Set-Cookie": "__Host-GAPS=other"})
    flow.respond_next("rotation", "[]", headers={"Set-Cookie": "__Secure-1PSIDTS=; Max-Age=0"})
    with closing(HttpClient(threading.Event(), config.timeout_seconds)) as http:
        found = [rotate(http, config.accounts_url, world.google.cookies()) for _ in range(4)]
    assert found[0].cookies == {"__Secure-1PSIDTS": "new"}
    assert [one.outcome for one in found] == [Outcome.RENEWED, *[Outcome.REFUSED] * 3]
    assert [one.cookies for one in found[1:]] == [{}, {}, {}]


def test_an_answer_that_repeats_the_cookies_that_were_sent_brings_no_new_ones(config, flow, world):
    cookies = world.google.cookies()
    line = f"{ROTATING[0]}={cookies[ROTATING[0]]}; Domain=.google.com"
    flow.respond_next("rotation", "[]", headers={"Set-Cookie": line})
    with closing(HttpClient(threading.Event(), config.timeout_seconds)) as http:
        assert rotate(http, config.accounts_url, cookies).outcome is Outcome.REFUSED


def test_the_demo_renews_at_the_simulated_flow_only(config, flow):
    real = replace(config, accounts_url="https://accounts.google.com")
    assert demo_config(real, flow).accounts_url == flow.url


# What Google may answer


@pytest.mark.parametrize(("status", "sentence"), [(200, "sent no new cookies"), (401, "has ended (401)")])
def test_a_session_that_cannot_be_renewed_is_tried_once_per_paste(
    switched_on, profile_id, world, client, profile, rotation_count, status, sentence
):
    world.google.bound_status = status
    switched_on.renewals.renew_due(now())
    assert (profile().renewal, profile().renewed_at) == ("refused", None)
    page = client.get(f"/profiles/{profile_id}").text
    assert "Refused. Google" in page
    assert sentence in page
    for choice in ("off", "on"):
        client.post(f"/profiles/{profile_id}/renewal", data={"renewal": choice})
    world.google.pass_time(3600)
    switched_on.renewals.renew_due(now() + timedelta(days=1))
    assert (profile().renewal, rotation_count()) == ("refused", 1)


def test_pasting_other_cookies_tries_anew(switched_on, profile_id, world, profile, rotation_count):
    world.google.bound_status = 401
    switched_on.renewals.renew_due(now())
    world.google.bound_status = None
    world.google.sign_in()
    switched_on.replace_cookies(profile_id, world.google.cookie_header())
    assert (profile().renewal, profile().renewal_problem) == ("on", None)
    switched_on.renewals.renew_due(now())
    assert (profile().renewal, rotation_count()) == ("on", 2)
    assert profiles.get_cookies(profile_id) == world.google.cookies()


def test_pasting_cookies_switches_nothing_on(shelf, profile_id, world, profile):
    shelf.replace_cookies(profile_id, world.google.cookie_header())
    assert profile().renewal == "off"


@pytest.mark.parametrize("fault", ["429", "500", "drop", "cut", "huge"])
def test_a_passing_failure_is_no_refusal_and_is_tried_again_a_minute_later(
    switched_on, profile_id, flow, client, world, profile, rotation_count, fault
):
    match fault:
        case "drop":
            flow.drop_next("rotation")
        case "cut":
            flow.cut_next("rotation", at_bytes=0)
        case "huge":
            flow.respond_next("rotation", b"[" * 100_000)
        case status:
            flow.fail_next(int(status), "rotation")
    begin = now()
    switched_on.renewals.renew_due(begin)
    assert profile().renewal == "on"
    assert "On, not renewed yet. The last try failed:" in client.get(f"/profiles/{profile_id}").text
    switched_on.renewals.renew_due(begin + minutes(0.98))
    assert rotation_count() == 1
    world.google.pass_time(60)
    switched_on.renewals.renew_due(begin + minutes(1))
    assert (rotation_count(), profile().renewal_problem) == (2, None)
    assert "On, last renewed just now." in client.get(f"/profiles/{profile_id}").text


def test_a_pause_that_google_asks_for_is_respected(switched_on, flow, rotation_count):
    flow.fail_next(429, "rotation", retry_after=300)
    begin = now()
    switched_on.renewals.renew_due(begin)
    switched_on.renewals.renew_due(begin + minutes(4.9))
    assert rotation_count() == 1
    switched_on.renewals.renew_due(begin + minutes(5))
    assert rotation_count() == 2


def test_cookies_that_google_renewed_but_that_were_not_stored_leave_the_old_ones_valid(
    switched_on, profile_id, flow, world, profile
):
    """As when the process is killed between the answer and the storing."""
    old = profiles.get_cookies(profile_id)
    flow.cut_next("rotation", at_bytes=0)
    switched_on.renewals.renew_due(now())
    assert world.google.cookies() != old
    assert profiles.get_cookies(profile_id) == old
    run = switched_on.syncs.wait(switched_on.syncs.start(profile_id).id)
    assert run.state == RunState.DONE


# Meanwhile


def held_renewal(switched_on, flow, meanwhile):
    """Do something while Google has the request for new cookies."""
    with flow.holding("rotation") as gate, ThreadPoolExecutor(1) as pool:

        def look():
            with store.connection():
                switched_on.renewals.renew_due(now())

        future = pool.submit(look)
        assert gate.reached.wait(5)
        meanwhile()
        gate.release()
        future.result()


@pytest.mark.parametrize("bound_status", [None, 200])
def test_cookies_that_are_pasted_during_a_renewal_win(
    switched_on, profile_id, flow, world, profile, bound_status
):
    other = World(seed=5, generated=1, email="ada@example.com", tiny_pictures=True)
    other.migrate()
    other.google.account_number = world.google.account_number
    flow.add_world(other)
    world.google.bound_status = bound_status
    held_renewal(
        switched_on,
        flow,
        lambda: switched_on.replace_cookies(profile_id, other.google.cookie_header()),
    )
    assert profiles.get_cookies(profile_id) == other.google.cookies()
    assert (profile().renewal, profile().renewed_at) == ("on", None)


def test_switching_off_during_a_renewal_keeps_the_new_cookies(switched_on, profile_id, flow, world, profile):
    held_renewal(switched_on, flow, lambda: renewals.switch_renewal(profile_id, is_on=False))
    assert profile().renewal == "off"
    assert profiles.get_cookies(profile_id) == world.google.cookies()


def test_a_refusal_after_switching_off_leaves_it_off_and_is_remembered(
    switched_on, profile_id, flow, world, profile
):
    world.google.bound_status = 401
    held_renewal(switched_on, flow, lambda: renewals.switch_renewal(profile_id, is_on=False))
    assert profile().renewal == "off"
    renewals.switch_renewal(profile_id, is_on=True)
    assert profile().renewal == "refused"


def test_a_cookie_that_flow_renews_during_a_renewal_is_kept(switched_on, profile_id, flow, world):
    held_renewal(switched_on, flow, lambda: profiles.merge_cookies(profile_id, {"SIDCC": "newer"}))
    assert profiles.get_cookies(profile_id) == world.google.cookies() | {"SIDCC": "newer"}


def test_a_profile_that_is_removed_during_a_renewal_stays_removed(switched_on, profile_id, flow):
    held_renewal(switched_on, flow, lambda: switched_on.remove_profile(profile_id))
    assert profiles.list_profiles() == []
    assert profiles.get_cookies(profile_id) == {}


def test_stopping_does_not_wait_for_google(work, profile_id, flow, wait_until):
    with store.connection(), flow.holding("rotation") as gate:
        schedules.set_schedule(profile_id, ScheduleKind.AT_START, hours=6, downloads_new=False)
        work.renewals.switch(profile_id, is_on=True)
        assert gate.reached.wait(5)
        work.stop()
        assert not work.renewals._thread.is_alive()


# After an end


def ended_run(work, profile_id, world):
    """A sync that finds its cookies expired, as after the computer slept."""
    world.google.rotating_lifetime_seconds = 1200
    world.google.pass_time(7200)
    run = work.syncs.wait(work.syncs.start(profile_id).id)
    assert run.state == RunState.WAITING
    return run


def test_a_session_that_can_be_revived_is_and_what_waited_goes_on(switched_on, profile_id, world, profile):
    world.google.renews_expired = True
    run = ended_run(switched_on, profile_id, world)
    switched_on.renewals.renew_due(now())
    assert switched_on.syncs.wait(run.id).state == RunState.DONE
    assert profile().health == Health.WELL


def test_renewed_cookies_are_checked_as_soon_as_flow_can_be_asked(
    switched_on, profile_id, world, flow, profile
):
    world.google.renews_expired = True
    run = ended_run(switched_on, profile_id, world)
    flow.drop_next("start")
    assert switched_on.renewals.renew_due(now()) == 60
    assert runs.get_run(run.id).state == RunState.WAITING
    switched_on.renewals.renew_due(now())
    assert switched_on.syncs.wait(run.id).state == RunState.DONE


def test_cookies_that_do_not_sign_in_though_renewed_are_renewed_and_checked_once(
    switched_on, profile_id, world, flow, profile, rotation_count
):
    cookies = world.google.cookies()
    profiles.set_cookies(profile_id, {name: cookies[name] for name in cookies if name != OWN}, None)
    switched_on.connections.drop(profile_id)
    run = switched_on.syncs.wait(switched_on.syncs.start(profile_id).id)
    assert run.state == RunState.WAITING
    switched_on.renewals.renew_due(now())
    asked_count = len(flow.log)
    for count in range(1, 4):
        world.google.pass_time(600)
        switched_on.renewals.renew_due(now() + minutes(10 * count + 1))
    assert (rotation_count(), profile().health) == (1, Health.WAITING_FOR_COOKIES)
    assert len(flow.log) == asked_count


def note(client, profile_id):
    """What a profile's page says about the end of its session, and where it leads."""
    page = BeautifulSoup(client.get(f"/profiles/{profile_id}").text, "html.parser")
    found = page.select_one("#session-end")
    return (" ".join(found.text.split()), [link["href"] for link in found.select("a")]) if found else ("", [])


@pytest.fixture
def ended_after(shelf, profile_id, world):
    """Lets the session of pasted cookies end some hours after the paste."""

    def end(hours, user_agent=CHROME, **columns):
        shelf.replace_cookies(profile_id, paste(world, user_agent))
        profiles.note_health(profile_id, Health.WAITING_FOR_COOKIES, "Flow does not know these cookies.")
        pasted_at = timestamp(now() - timedelta(hours=hours))
        Profile.update(cookies_set_at=pasted_at, **columns).execute()

    return end


def test_a_session_that_ends_within_hours_though_renewed_is_probably_bound(ended_after, client, profile_id):
    ended_after(3, renewal="on", renewed_at=timestamp(now()))
    text, links = note(client, profile_id)
    assert "ended 3 h after its cookies were pasted, although Flowshelf renewed them." in text
    assert "probably bound to the device of its browser, as in Chrome and Edge on Windows and macOS" in text
    assert "let that browser make the requests" in text
    assert "sign in with Firefox" in text
    assert "/help/keeping-signed-in" in links


def test_a_bound_session_is_refused_dies_under_a_sync_and_is_named(
    work, profile_id, world, flow, client, wait_until, profile
):
    world.google.bound_status = 200
    with store.connection(), flow.holding("project", at=2) as gate:
        work.replace_cookies(profile_id, paste(world))
        work.renewals.switch(profile_id, is_on=True)
        run = work.syncs.start(profile_id)
        assert gate.reached.wait(5)
        work.renewals.wake()
        wait_until(lambda: profile().renewal == "refused")
        world.google.end_copies()
        gate.release()
        assert work.syncs.wait(run.id).state == RunState.WAITING
        assert flow.count("rotation") == 1
    assert "It is probably bound to the device of its browser" in note(client, profile_id)[0]


def test_so_is_one_that_google_refused_to_renew(ended_after, client, profile_id):
    ended_after(3, renewal="refused", renewal_problem="Google sent no new cookies.")
    assert "although Flowshelf tried to renew them. It is probably bound" in note(client, profile_id)[0]


def test_one_that_was_not_renewed_may_be_bound_or_not(ended_after, client, profile_id):
    ended_after(3)
    text, links = note(client, profile_id)
    assert "There are two likely reasons. It is bound to the device" in text
    assert "Or nobody renewed it: then keep the session alive" in text
    assert f"/profiles/{profile_id}#keep-alive" in links


def test_a_session_of_firefox_is_never_called_bound(ended_after, client, profile_id):
    ended_after(3, FIREFOX)
    assert "Probably nobody renewed it" in note(client, profile_id)[0]
    Profile.update(renewal="on", renewed_at=timestamp(now())).execute()
    text, _ = note(client, profile_id)
    assert "another program went on using the same session" in text
    assert "bound to the device of" not in text


def test_a_session_that_lasted_for_a_day_needs_no_explanation(ended_after, client, profile_id):
    ended_after(25)
    assert note(client, profile_id) == ("", [])


def test_the_moment_of_the_end_is_the_first_refusal_not_the_last_try(ended_after, profile_id, profile):
    ended_after(3)
    first = profile().signed_out_at
    profiles.note_health(profile_id, Health.WAITING_FOR_COOKIES, "Flow does not know these cookies.")
    assert profile().signed_out_at == first


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"renewal": "off"}, "The old ones worked for 0 s only. What lasts longer"),
        ({"renewal": "refused"}, "probably bound to the device of their browser"),
    ],
)
def test_the_banner_of_a_waiting_sync_leads_to_the_explanation(
    shelf, profile_id, world, client, columns, sentence
):
    shelf.replace_cookies(profile_id, paste(world))
    world.google.sign_out()
    shelf.syncs.wait(shelf.syncs.start(profile_id).id)
    Profile.update(**columns).execute()
    banner = BeautifulSoup(client.get("/status").text, "html.parser").select_one("#sync-panel .banner")
    assert sentence in " ".join(banner.text.split())
    assert banner.select_one(f"a[href='/profiles/{profile_id}#session-end']")


def test_when_two_programs_renew_a_session_the_page_says_that_another_may_use_it(
    switched_on, profile_id, config, flow, world, client, profile
):
    """Each gets cookies of its own, and what the other uses first is what stays valid."""
    switched_on.replace_cookies(profile_id, paste(world, FIREFOX))
    with closing(HttpClient(threading.Event(), config.timeout_seconds)) as other:
        theirs = rotate(other, config.accounts_url, world.google.cookies()).cookies
    world.google.pass_time(60)
    cookies = "; ".join(f"{name}={value}" for name, value in (world.google.cookies() | theirs).items())
    assert "oPEP7c" in requests.get(f"{flow.url}/", headers={"Cookie": cookies}, timeout=5).text
    switched_on.renewals.renew_due(now())
    assert (profile().renewal, profile().renewal_problem) == (
        "refused",
        "Google says that this session has ended (401).",
    )
    run = switched_on.syncs.wait(switched_on.syncs.start(profile_id).id)
    assert run.state == RunState.WAITING
    assert "another program went on using the same session" in note(client, profile_id)[0]


# The switch


def test_the_switch_is_a_plain_form_that_says_where_the_cookies_go(client, profile_id, profile):
    page = BeautifulSoup(client.get(f"/profiles/{profile_id}").text, "html.parser")
    section = page.select_one("#keep-alive")
    text = " ".join(section.text.split())
    assert "Cookies go to Flow and, to keep the session alive, to accounts.google.com." in text
    assert "A browser that goes on using the same session may be signed out" in text
    assert "Off. The cookies go to Flow only." in text
    form = section.select_one("form[method=post]")
    data = {field["name"]: field["value"] for field in form.select("input")}
    assert client.post(form["action"], data=data).status_code == 303
    with store.connection():
        assert profile().renewal == "on"
    assert "On, not renewed yet." in client.get(f"/profiles/{profile_id}").text


@pytest.mark.parametrize("form", [{}, {"renewal": "refused"}, {"renewal": "always"}])
def test_an_unknown_choice_is_refused(client, profile_id, form):
    assert client.post(f"/profiles/{profile_id}/renewal", data=form).status_code == 400


@pytest.mark.parametrize("columns", [{"service": "labs.google"}, {"way": Way.FIREFOX}, {"cookie_names": ""}])
def test_profiles_without_such_cookies_have_no_switch(shelf, client, profile_id, columns):
    Profile.update(**columns).execute()
    assert "keep-alive" not in client.get(f"/profiles/{profile_id}").text
    with pytest.raises(BadRequest):
        renewals.switch_renewal(profile_id, is_on=True)


def test_the_api_shows_whether_cookies_are_kept_alive(switched_on, client):
    assert client.get("/api/profiles").json["data"][0]["renewal"] == "on"


# Secrets


@pytest.mark.parametrize("fault", ["none", "refused", "drop", "html", "redirect"])
def test_no_cookie_is_in_a_log_a_page_or_an_error(
    switched_on, profile_id, flow, world, client, caplog, fault
):
    caplog.set_level(logging.DEBUG, logger="webapp")
    old = profiles.get_cookies(profile_id)
    match fault:
        case "refused":
            world.google.sign_out()
        case "drop":
            flow.drop_next("rotation")
        case "html":
            flow.respond_next("rotation", "<html>" + world.google.cookie_header(), "text/html", status=403)
        case "redirect":
            where = {"Location": f"https://accounts.google.com/?continue={world.google.cookie_header()}"}
            flow.respond_next("rotation", "", status=302, headers=where)
    switched_on.renewals.renew_due(now())
    assert flow.count("rotation") == 1
    shown = caplog.text + client.get(f"/profiles/{profile_id}").text + client.get("/api/profiles").text
    secrets = {*old.values(), *profiles.get_cookies(profile_id).values(), *world.google.cookies().values()}
    assert not [value for value in secrets if value in shown]
    assert f"renewal of the cookies of {profile_id}" in caplog.text


def test_a_claim_and_its_result_hide_the_cookies(switched_on, profile_id, config, world):
    claim = renewals.claim_renewal(profile_id, now())
    with closing(HttpClient(threading.Event(), config.timeout_seconds)) as http:
        rotation = rotate(http, config.accounts_url, claim.cookies)
    assert not [value for value in world.google.cookies().values() if value in f"{claim!r}{rotation!r}"]

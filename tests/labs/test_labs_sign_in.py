"""Session and token over real sockets: who asks, how often, and what renews the cookies."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from webapp.errors import AccountMoved, FlowChanged, FlowUnavailable, SignedOut, SlowDown
from webapp.sources import Account
from webapp.sources.cookies import SESSION_COOKIE
from webapp.sources.labs.access_token import AccessTokenCache

DRAWER = "ASSET_MANAGER"


def test_a_check_says_whom_the_cookies_sign_in(source):
    assert source.check() == Account("ada@example.com", "Ada Example")


def test_a_check_asks_the_head_of_the_history_too_for_the_smallest_page(source, flow):
    source.check()
    (asked,) = flow.asked("history")
    assert (asked.input["type"], asked.input["pageSize"], asked.cursor) == (DRAWER, 1, None)


def test_cookies_of_an_account_that_moved_are_not_good_although_its_session_is(source, flow, world, failure):
    world.migrate()
    failure(AccountMoved, source.check)
    assert flow.count("session") == 1


@pytest.mark.parametrize(
    ("status", "expected"), [(401, SignedOut), (500, FlowUnavailable), (429, SlowDown), (503, SlowDown)]
)
def test_a_check_passes_on_that_the_history_signs_out_or_fails_for_now(
    source, flow, failure, status, expected
):
    flow.fail_next(status, "history")
    failure(expected, source.check)


@pytest.mark.parametrize("status", [400, 403, 404, 415])
def test_another_refusal_of_the_history_says_nothing_against_the_cookies(source, flow, status):
    flow.fail_next(status, "history")
    assert source.check().email == "ada@example.com"


@pytest.mark.parametrize("body", ["no JSON", "{}", b" " * (16 * 1024 * 1024 + 1)], ids=["text", "{}", "long"])
def test_a_history_that_cannot_be_read_says_nothing_against_the_cookies(source, flow, body):
    flow.respond_next("history", body)
    assert source.check().email == "ada@example.com"


@pytest.mark.parametrize(
    ("user", "name"), [('{"name": "Ada"}', "Ada"), ('{"email": null, "name": 7}', ""), ("[]", "")]
)
def test_a_session_without_an_e_mail_is_still_an_account(source, flow, user, name):
    flow.respond_next("session", f'{{"access_token": "one", "user": {user}}}')
    assert source.check() == Account("", name)


def test_the_token_is_asked_for_once_and_used_again(source, flow, world):
    for name in world.names()[:3]:
        source.fetch_image(name)
    assert flow.count("session") == 1
    assert len({request.headers["authorization"] for request in flow.asked("media")}) == 1


def test_many_threads_get_their_first_token_and_key_by_one_request_each(source, flow, world):
    names = world.names()[:8]
    with flow.holding("session") as gate, ThreadPoolExecutor(8) as pool:
        fetched = [pool.submit(source.fetch_image, name) for name in names]
        assert gate.reached.wait(5)
        gate.release()
        assert [one.result().content for one in fetched] == [world.content(name) for name in names]
    assert [flow.count(kind) for kind in ("session", "page", "script", "media")] == [1, 1, 1, 8]


def test_threads_that_waited_for_a_failed_sign_in_share_its_failure(source, flow, world, failure):
    names = world.names()[:8]
    flow.fail_next(500, "session", count=8)
    with flow.holding("session") as gate, ThreadPoolExecutor(8) as pool:
        failed = [pool.submit(failure, FlowUnavailable, source.fetch_image, name) for name in names]
        assert gate.reached.wait(5)
        gate.release()
        assert len({str(one.result()) for one in failed}) == 1
    assert flow.count("session") < 8


def test_a_refused_token_is_renewed_by_one_thread_for_all(source, fetch_all, flow, world):
    names = world.names()[:8]
    source.fetch_image(names[0])
    world.expire_tokens()
    fetch_all(names)
    assert flow.count("session") == 2
    assert len({request.headers["authorization"] for request in flow.asked("media")}) == 2


def test_a_token_that_is_refused_again_needs_new_cookies(source, flow, world, failure):
    flow.fail_next(401, "media", count=2)
    failure(SignedOut, source.fetch_image, world.names()[0])
    assert [flow.count("session"), flow.count("media")] == [2, 2]


def test_refusals_within_a_minute_renew_once(source, flow, world, failure):
    flow.fail_next(401, "media", count=3)
    failure(SignedOut, source.fetch_image, world.names()[0])
    failure(SignedOut, source.fetch_image, world.names()[0])
    assert flow.count("session") == 2


def test_after_a_minute_a_refused_token_is_renewed_again(site, clock, flow, world):
    sign_in = AccessTokenCache(site, clock)
    for expected_count in (2, 3):
        token = sign_in.token()
        world.expire_tokens()
        assert sign_in.token(refused=token) != token
        assert flow.count("session") == expected_count
        clock.seconds += 60


def test_a_token_is_renewed_five_minutes_before_its_end(site, clock, flow, world):
    ahead = timedelta()
    sign_in = AccessTokenCache(site, clock, lambda: datetime.now(UTC) + ahead)
    token = sign_in.token()
    clock.seconds, ahead = clock.seconds + 3290, timedelta(seconds=3290)
    assert sign_in.token() == token
    world.expire_tokens()
    clock.seconds, ahead = clock.seconds + 20, timedelta(seconds=3310)
    assert sign_in.token() != token
    assert flow.count("session") == 2


def test_a_token_that_ends_in_five_minutes_is_not_renewed_more_than_once_a_minute(site, clock, flow, world):
    world.token_lifetime_seconds = 200
    sign_in = AccessTokenCache(site, clock)
    sign_in.token()
    sign_in.token()
    assert flow.count("session") == 1
    clock.seconds += 61
    sign_in.token()
    assert flow.count("session") == 2


def test_an_end_that_has_passed_says_nothing(source, flow, world):
    world.session_expires = "2020-01-01T00:00:00.000Z"
    for name in world.names()[:2]:
        source.fetch_image(name)
    assert flow.count("session") == 1


@pytest.mark.parametrize("body", ["{}", "null"])
def test_an_empty_session_is_signed_out(source, flow, failure, body):
    flow.respond_next("session", body)
    failure(SignedOut, source.check)


def test_a_session_with_an_error_is_signed_out_and_its_token_never_used(source, flow, world, failure):
    world.session_error = "ACCESS_TOKEN_REFRESH_NEEDED"
    assert "ACCESS_TOKEN_REFRESH_NEEDED" in str(failure(SignedOut, source.check))
    failure(SignedOut, source.fetch_image, world.names()[0])
    assert flow.count("media") == 0


def test_a_profile_that_is_signed_out_asks_no_more_than_once_a_minute(site, clock, flow, world, failure):
    world.sign_out()
    sign_in = AccessTokenCache(site, clock)
    for _ in range(3):
        failure(SignedOut, sign_in.token)
    assert flow.count("session") == 1
    clock.seconds += 61
    failure(SignedOut, sign_in.token)
    assert flow.count("session") == 2


def test_other_cookies_are_tried_at_once(source, flow, world, credentials, failure):
    world.sign_out()
    failure(SignedOut, source.fetch_image, world.names()[0])
    credentials.kept = world.sign_in()
    assert source.fetch_image(world.names()[0]).content


def test_a_failed_renewal_may_be_tried_again_at_once(source, flow, world, failure):
    name = world.names()[0]
    source.fetch_image(name)
    world.expire_tokens()
    flow.fail_next(500, "session")
    failure(FlowUnavailable, source.fetch_image, name)
    assert source.fetch_image(name).content == world.content(name)


def test_a_profile_without_cookies_is_signed_out_and_nothing_is_asked(source, credentials, flow, failure):
    credentials.kept = {}
    failure(SignedOut, source.check)
    failure(SignedOut, source.history_page, "ASSET_MANAGER", None)
    assert flow.log == []


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        '"x"',
        "no JSON",
        '{"user": {"email": "a@b.example"}}',
        '{"access_token": 7}',
        '{"access_token": "two words"}',
    ],
)
def test_a_session_of_an_unknown_shape_is_a_change(source, flow, failure, body):
    flow.respond_next("session", body)
    failure(FlowChanged, source.check)


@pytest.mark.parametrize("is_split", [False, True], ids=["whole", "split"])
def test_a_renewed_cookie_takes_the_place_of_the_old_one(source, world, credentials, is_split):
    old = credentials.kept
    world.renew_cookie(split=is_split)
    source.check()
    assert credentials.kept != old
    assert list(credentials.kept) == [SESSION_COOKIE]
    assert credentials.kept[SESSION_COOKIE] == "".join(world.cookies().values())
    source.check()
    assert source.history_page(DRAWER, None).images, "the renewed cookie signs in"


def test_parts_that_a_profile_keeps_are_sent_as_they_are_and_renewed_as_one(source, world, credentials):
    world.renew_cookie(split=True)
    source.check()
    credentials.kept = world.cookies()
    assert list(credentials.kept) == [f"{SESSION_COOKIE}.0", f"{SESSION_COOKIE}.1"]
    assert source.history_page(DRAWER, None).images
    world.renew_cookie()
    source.check()
    assert credentials.kept == world.cookies()


def test_a_renewal_that_came_too_late_changes_nothing(site, flow, world, credentials):
    pasted = {SESSION_COOKIE: "pasted-meanwhile"}
    with flow.holding("session") as gate, ThreadPoolExecutor(1) as pool:
        world.renew_cookie()
        checked = pool.submit(AccessTokenCache(site).account)
        assert gate.reached.wait(5)
        credentials.kept = pasted
        gate.release()
        checked.result()
    assert credentials.kept == pasted

"""The session call: account, access token, and renewed cookies."""

from datetime import UTC, datetime, timedelta

import pytest

from webapp.errors import AccountMoved, FlowChanged, FlowUnavailable, SignedOut, SlowDown
from webapp.sources import Account
from webapp.sources.cookies import SESSION_COOKIE
from webapp.sources.labs.access_token import AccessTokenCache

DRAWER = "ASSET_MANAGER"


def test_check_requests_the_smallest_page_of_the_history_too(source, flow):
    source.check()
    (asked,) = flow.asked("history")
    assert (asked.input["type"], asked.input["pageSize"], asked.cursor) == (DRAWER, 1, None)


def test_check_reports_a_moved_account_whose_session_is_good(source, flow, world, failure):
    world.migrate()
    failure(AccountMoved, source.check)
    assert flow.count("session") == 1


@pytest.mark.parametrize(
    ("status", "expected"), [(401, SignedOut), (500, FlowUnavailable), (429, SlowDown), (503, SlowDown)]
)
def test_check_raises_what_the_history_says_about_the_cookies_or_the_service(
    source, flow, failure, status, expected
):
    flow.fail_next(status, "history")
    failure(expected, source.check)


@pytest.mark.parametrize("status", [400, 403, 404, 415])
def test_check_ignores_other_refusals_of_the_history(source, flow, status):
    flow.fail_next(status, "history")
    assert source.check().email == "ada@example.com"


@pytest.mark.parametrize("body", ["no JSON", "{}", b" " * (16 * 1024 * 1024 + 1)], ids=["text", "{}", "long"])
def test_check_ignores_a_history_that_cannot_be_read(source, flow, body):
    flow.respond_next("history", body)
    assert source.check().email == "ada@example.com"


@pytest.mark.parametrize(
    ("user", "name"), [('{"name": "Ada"}', "Ada"), ('{"email": null, "name": 7}', ""), ("[]", "")]
)
def test_a_session_without_an_e_mail_is_an_account(source, flow, user, name):
    flow.respond_next("session", f'{{"access_token": "one", "user": {user}}}')
    assert source.check() == Account("", name)


def test_the_token_is_fetched_once(source, flow, world):
    for name in world.names()[:3]:
        source.fetch_image(name)
    assert flow.count("session") == 1
    assert len({request.headers["authorization"] for request in flow.asked("media")}) == 1


def test_a_refused_token_is_renewed_by_one_thread_for_all(source, fetch_all, flow, world):
    names = world.names()[:8]
    source.fetch_image(names[0])
    world.expire_tokens()
    fetch_all(names)
    assert flow.count("session") == 2
    assert len({request.headers["authorization"] for request in flow.asked("media")}) == 2


def test_a_token_that_is_refused_twice_is_signed_out(source, flow, world, failure):
    flow.fail_next(401, "media", count=2)
    failure(SignedOut, source.fetch_image, world.names()[0])
    assert [flow.count("session"), flow.count("media")] == [2, 2]


def test_a_refused_token_is_renewed_once_a_minute(source, flow, world, failure):
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


def test_a_token_is_renewed_five_minutes_before_it_expires(site, clock, flow, world):
    ahead = timedelta()
    sign_in = AccessTokenCache(site, clock, lambda: datetime.now(UTC) + ahead)
    token = sign_in.token()
    clock.seconds, ahead = clock.seconds + 3290, timedelta(seconds=3290)
    assert sign_in.token() == token
    world.expire_tokens()
    clock.seconds, ahead = clock.seconds + 20, timedelta(seconds=3310)
    assert sign_in.token() != token
    assert flow.count("session") == 2


def test_a_short_lived_token_is_renewed_once_a_minute(site, clock, flow, world):
    world.token_lifetime_seconds = 200
    sign_in = AccessTokenCache(site, clock)
    sign_in.token()
    sign_in.token()
    assert flow.count("session") == 1
    clock.seconds += 61
    sign_in.token()
    assert flow.count("session") == 2


def test_an_expiry_in_the_past_is_ignored(source, flow, world):
    world.session_expires = "2020-01-01T00:00:00.000Z"
    for name in world.names()[:2]:
        source.fetch_image(name)
    assert flow.count("session") == 1


@pytest.mark.parametrize("body", ["{}", "null"])
def test_an_empty_session_is_signed_out(source, flow, failure, body):
    flow.respond_next("session", body)
    failure(SignedOut, source.check)


def test_a_session_with_an_error_is_signed_out_and_its_token_not_used(source, flow, world, failure):
    world.session_error = "ACCESS_TOKEN_REFRESH_NEEDED"
    assert "ACCESS_TOKEN_REFRESH_NEEDED" in str(failure(SignedOut, source.check))
    failure(SignedOut, source.fetch_image, world.names()[0])
    assert flow.count("media") == 0


def test_dead_cookies_are_tried_once_a_minute(site, clock, flow, world, failure):
    world.sign_out()
    sign_in = AccessTokenCache(site, clock)
    for _ in range(3):
        failure(SignedOut, sign_in.token)
    assert flow.count("session") == 1
    clock.seconds += 61
    failure(SignedOut, sign_in.token)
    assert flow.count("session") == 2


def test_a_failed_renewal_may_be_tried_again_at_once(source, flow, world, failure):
    name = world.names()[0]
    source.fetch_image(name)
    world.expire_tokens()
    flow.fail_next(500, "session")
    failure(FlowUnavailable, source.fetch_image, name)
    assert source.fetch_image(name).content == world.content(name)


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


def test_a_cookie_renewed_in_parts_is_stored_whole(source, world, credentials):
    world.renew_cookie(split=True)
    source.check()
    assert list(credentials.kept) == [SESSION_COOKIE]
    assert credentials.kept[SESSION_COOKIE] == "".join(world.cookies().values())
    source.check()
    assert source.history_page(DRAWER, None).images, "the renewed cookie signs in"


def test_cookie_parts_are_sent_as_parts_and_renewed_as_one(source, world, credentials):
    world.renew_cookie(split=True)
    source.check()
    credentials.kept = world.cookies()
    assert list(credentials.kept) == [f"{SESSION_COOKIE}.0", f"{SESSION_COOKIE}.1"]
    assert source.history_page(DRAWER, None).images
    world.renew_cookie()
    source.check()
    assert credentials.kept == world.cookies()

"""The API key: extracted once, stored, and extracted again when it is refused."""

import pytest

from webapp.errors import KeyRefused, SignedOut, SlowDown
from webapp.sources.labs.api_key import ApiKeyCache


@pytest.mark.parametrize("is_absolute", [False, True], ids=["relative", "absolute"])
def test_the_key_is_extracted_once_and_stored(source, flow, world, credentials, is_absolute):
    flow.service.labs.script_is_absolute = is_absolute
    for name in world.names()[:2]:
        source.fetch_image(name)
    assert credentials.kept_key == world.key
    assert [flow.count("page"), flow.count("script")] == [1, 1]
    assert "cookie" not in flow.asked("script")[0].headers


def test_a_stored_key_is_used(source, flow, world, credentials):
    credentials.kept_key = world.key
    source.fetch_image(world.names()[0])
    assert flow.count("page") == 0


def test_a_refused_key_is_renewed_by_one_thread_for_all(source, fetch_all, flow, world, credentials):
    names = world.names()[:8]
    source.fetch_image(names[0])
    world.change_key()
    fetch_all(names)
    assert credentials.kept_key == world.key
    assert flow.count("page") == 2


@pytest.mark.parametrize(("status", "reason"), [(400, "API_KEY_INVALID"), (403, "API_KEY_SERVICE_BLOCKED")])
def test_a_key_that_stays_refused_is_extracted_again_once(source, flow, world, failure, status, reason):
    flow.fail_next(status, "media", count=4, reason=reason)
    failure(KeyRefused, source.fetch_image, world.names()[0])
    failure(KeyRefused, source.fetch_image, world.names()[0])
    assert flow.count("page") == 2


def test_after_a_minute_a_refused_key_is_extracted_again(
    config, credentials, site, http, clock, flow, failure
):
    api_key = ApiKeyCache(config, credentials, site, http, clock)
    for expected_count in (2, 2, 3):
        failure(KeyRefused, lambda: api_key.key(refused=api_key.key()))
        assert flow.count("page") == expected_count
        clock.seconds += 31


def test_a_key_from_the_setting_is_used_and_never_replaced(open_source, flow, world, credentials, failure):
    source = open_source(flow_next_key=world.key)
    assert source.fetch_image(world.names()[0]).content
    world.change_key()
    error = failure(KeyRefused, source.fetch_image, world.names()[0])
    assert "FLOWSHELF_FLOW_NEXT_KEY" in str(error)
    assert flow.count("page") == 0
    assert credentials.kept_key is None


def test_a_page_without_the_script_is_named_in_the_error(source, flow, world, failure):
    flow.respond_next("page", "<!doctype html><script src='/fx/other.js'></script>", "text/html")
    assert f"{flow.url}/fx" in str(failure(KeyRefused, source.fetch_image, world.names()[0]))


@pytest.mark.parametrize("status", [200, 404])
def test_a_script_without_a_key_is_named_in_the_error(source, flow, world, failure, status):
    flow.respond_next("script", "let nothing", "application/javascript", status=status)
    error = failure(KeyRefused, source.fetch_image, world.names()[0])
    assert f"/fx/_next/static/chunks/pages/_app-{world.build}.js" in str(error)


@pytest.mark.parametrize("kind", ["page", "script"])
def test_the_page_and_the_script_can_ask_to_slow_down(source, flow, world, failure, kind):
    flow.fail_next(429, kind, retry_after=7)
    assert failure(SlowDown, source.fetch_image, world.names()[0]).retry_after_seconds == 7


def test_a_page_that_redirects_to_a_sign_in_is_signed_out(source, flow, world, failure):
    location = {"Location": "https://accounts.google.com/ServiceLogin?x"}
    flow.respond_next("page", "", "text/html", status=302, headers=location)
    failure(SignedOut, source.fetch_image, world.names()[0])


def test_a_redirect_within_the_site_leads_to_the_page(source, flow, world):
    flow.respond_next("page", "", "text/html", status=308, headers={"Location": "/fx/"})
    assert source.fetch_image(world.names()[0]).content

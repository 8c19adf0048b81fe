"""What every source promises, whichever service stands behind it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from kept import walk

from webapp import times
from webapp.errors import (
    CursorRefused,
    FlowChanged,
    FlowUnavailable,
    HistoryRefused,
    ImageRefused,
    SignedOut,
    SlowDown,
)
from webapp.sources import KIND_GENERATED, KIND_UPLOADED
from webapp.sources.cookies import service_of
from webapp.sources.services import open_source

SIGN_IN_PAGE = "<!doctype html><title>Sign in - Google Accounts</title>"
WHO, PAGE, IMAGE = range(3)
EACH_KIND = pytest.mark.parametrize("kind", [WHO, PAGE, IMAGE], ids=["who", "page", "image"])


def call_of(side, kind):
    """A call that asks for a kind of answer, and its arguments."""
    if kind == IMAGE:
        return side.source.fetch_image, *side.keys(side.entries()[0])
    return (side.source.check,) if kind == WHO else (side.first_page,)


def test_the_cookies_choose_the_service(side):
    assert side.source.name == side.service == service_of(side.credentials.kept)


def test_a_check_says_whom_the_cookies_sign_in(side):
    assert side.source.check().email == "ada@example.com"


def test_a_walk_over_all_pages_sees_every_image_once(side):
    seen = side.images()
    assert sorted(image.media_key for image in seen) == sorted(entry.media_key for entry in side.entries())


def test_an_image_is_known_by_the_same_keys_at_both_services(side):
    keys = {(entry.media_key, entry.workflow_id) for entry in side.entries()}
    assert {(image.media_key, image.workflow_id) for image in side.images()} == keys


def test_an_image_says_when_it_was_made_and_what_of(side):
    entries = {entry.media_key: entry for entry in side.entries()}
    for image in side.images():
        entry = entries[image.media_key]
        assert times.timestamp(times.parsed(image.created_at)) == image.created_at
        assert image.created_at[:19] == entry.created_at[:19]
        assert image.kind == (KIND_GENERATED if entry.kind == "generated" else KIND_UPLOADED)
        assert image.prompt == (entry.shown_prompt if entry.kind == "generated" else None)


def test_the_images_of_a_page_stand_newest_first_and_its_end_is_told(side):
    for history in side.source.capabilities.histories:
        for page in walk(side.source, history):
            moments = [image.created_at for image in page.images]
            assert moments == sorted(moments, reverse=True)
            assert page.entry_count >= len(page.images) + page.ignored_count
            assert {image.name for image in page.images} <= set(page.names)
    assert page.next_cursor is None


def test_a_walk_goes_on_in_another_source_where_it_stood(side, config):
    history = side.source.capabilities.histories[0]
    first = side.source.history_page(history, None)
    with closing(open_source(config, side.credentials, threading.Event())) as other:
        rest = walk(other, history, first.next_cursor) if first.next_cursor else []
    whole = [image.name for page in walk(side.source, history) for image in page.images]
    assert [image.name for page in (first, *rest) for image in page.images] == whole


def test_there_is_no_history_of_another_name(side):
    if side.is_new:
        side.failure(HistoryRefused, side.source.history_page, "NOT_A_HISTORY", None)
    else:
        side.world.refuse_history("PINHOLE")
        side.failure(HistoryRefused, side.source.history_page, "PINHOLE", None)


def test_a_place_that_is_none_is_refused(side):
    side.failure(
        CursorRefused, side.source.history_page, side.source.capabilities.histories[0], "no-such-place"
    )


def test_images_come_with_their_bytes_and_a_signed_address(side):
    for entry in side.entries()[:3]:
        fetched = side.fetch(entry)
        assert fetched.content == side.world.content(entry.name)
        assert fetched.fife_url.startswith(f"{side.flow.url}/")


def test_a_preview_address_opens_without_credentials(side):
    entry = side.entries()[0]
    url = side.source.preview_url(*side.keys(entry))
    assert url.startswith(f"{side.flow.url}/")
    assert side.flow.count("picture") == 0


def test_an_unknown_image_is_refused(side):
    side.failure(ImageRefused, side.source.fetch_image, "CAMaJ-never-existed", "")


@EACH_KIND
def test_dead_cookies_are_signed_out(side, kind):
    side.session.sign_out()
    error = side.failure(SignedOut, *call_of(side, kind))
    assert "paste the cookies again" in str(error)


@EACH_KIND
def test_a_profile_without_cookies_is_signed_out_and_nothing_is_asked(side, kind):
    call = call_of(side, kind)
    side.credentials.kept = {}
    with pytest.raises(SignedOut):
        call[0](*call[1:])
    assert side.flow.log == []


@EACH_KIND
@pytest.mark.parametrize(("status", "pause"), [(429, 7.0), (503, None)])
def test_every_part_can_ask_to_slow_down(side, kind, status, pause):
    side.flow.fail_next(status, side.kinds[kind], retry_after=pause)
    assert side.failure(SlowDown, *call_of(side, kind)).retry_after_seconds == pause


@EACH_KIND
def test_a_failure_of_the_service_is_safe_to_try_again(side, kind):
    side.flow.fail_next(502, side.kinds[kind])
    call = call_of(side, kind)
    side.failure(FlowUnavailable, *call)
    assert call[0](*call[1:])


@EACH_KIND
def test_a_cut_or_dropped_answer_is_safe_to_try_again(side, kind):
    side.flow.cut_next(side.kinds[kind], at_bytes=100)
    side.flow.drop_next(side.kinds[kind])
    call = call_of(side, kind)
    side.failure(FlowUnavailable, *call)
    side.failure(FlowUnavailable, *call)
    assert call[0](*call[1:])


@EACH_KIND
def test_a_page_for_people_is_signed_out(side, kind):
    side.flow.respond_next(side.kinds[kind], SIGN_IN_PAGE, "text/html")
    side.failure(SignedOut, *call_of(side, kind))


@EACH_KIND
@pytest.mark.parametrize(
    ("location", "expected"),
    [("https://accounts.google.com/ServiceLogin?x", SignedOut), ("https://elsewhere.example/x", FlowChanged)],
)
def test_redirects_are_not_followed_elsewhere_but_understood(side, kind, location, expected):
    side.flow.respond_next(side.kinds[kind], "", "text/html", status=302, headers={"Location": location})
    side.failure(expected, *call_of(side, kind))


def test_a_page_of_an_unknown_shape_is_a_change_with_a_sample_that_holds_no_secret(side):
    cookie = next(iter(side.credentials.kept.values()))
    told = {"shape": "new", "seen": cookie, "owner": "ada@example.com", "token": "t" * 90}
    if side.is_new:
        side.flow.payload_next("project", told)
    else:
        side.flow.respond_next("history", told)
    sample = side.failure(FlowChanged, side.first_page).sample
    assert ('"<field 0>": "<text of 3>"' if side.is_new else "shape") in sample
    assert not [secret for secret in (cookie, "ada", "ttt") if secret in sample]


@pytest.mark.parametrize("body", ["no JSON", "null", "[]", "{}", b"\xff\xfe]", "[" * 90_000 + "]"])
def test_an_answer_that_is_none_is_a_change(side, body):
    side.flow.respond_next(side.kinds[PAGE], body)
    side.failure(FlowChanged, side.first_page)


def test_an_answer_without_end_is_not_read_whole(side):
    too_large = (64 if side.is_new else 16) * 1024 * 1024 + 1
    # A single project that is too large is passed by, but not the listing.
    side.flow.respond_next("projects" if side.is_new else "history", b" " * too_large)
    with pytest.raises(FlowChanged, match="larger than"):
        side.first_page()


def test_an_image_without_end_is_refused(side):
    side.flow.respond_next(side.kinds[IMAGE], b" " * (64 * 1024 * 1024 + 1))
    side.failure(ImageRefused, *call_of(side, IMAGE))


@EACH_KIND
def test_closing_ends_what_is_under_way_and_is_idempotent(side, kind):
    call = call_of(side, kind)
    with side.flow.holding(side.kinds[kind]) as gate, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(*call)
        assert gate.reached.wait(5)
        began = time.monotonic()
        side.source.close()
        side.source.close()
        with pytest.raises(FlowUnavailable, match="shutting down"):
            asking.result(5)
        assert time.monotonic() - began < 1


def test_many_threads_may_share_a_source(side):
    with ThreadPoolExecutor(6) as pool:
        fetched = list(pool.map(side.fetch, side.entries()[:6]))
    assert [one.content for one in fetched] == [
        side.world.content(entry.name) for entry in side.entries()[:6]
    ]
    assert side.flow.count(side.kinds[WHO]) == 1


def test_renewed_cookies_take_the_place_of_the_old_ones(side):
    old = dict(side.credentials.kept)
    side.world.google.rotate() if side.is_new else side.world.renew_cookie()
    side.source.check()
    assert side.credentials.kept == side.session.cookies() != old
    assert side.first_page().names


def test_a_session_that_was_replaced_by_a_person_is_used_at_once(side):
    side.first_page()
    side.credentials.kept = side.session.sign_in()
    assert side.first_page().names

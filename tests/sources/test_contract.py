"""What holds for every source, whichever service it reads."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from kept import walk

from webapp import times
from webapp.demo import World
from webapp.demo.entries import Kind
from webapp.errors import (
    CursorRefused,
    FlowChanged,
    FlowUnavailable,
    HistoryRefused,
    ImageRefused,
    SignedOut,
    SlowDown,
    SourceClosed,
)
from webapp.sources import KIND_GENERATED, KIND_UPLOADED
from webapp.sources.cookies import service_of

SIGN_IN_PAGE = "<!doctype html><title>Sign in - Google Accounts</title>"
SIGN_IN, PAGE, IMAGE = range(3)
EACH_KIND = pytest.mark.parametrize("kind", [SIGN_IN, PAGE, IMAGE], ids=["sign-in", "page", "image"])


def call_of(side, kind):
    """A call that makes a request of this kind, and its arguments."""
    if kind == IMAGE:
        return side.source.fetch_image, *side.keys(side.entries()[0])
    return (side.source.check,) if kind == SIGN_IN else (side.first_page,)


# Account and sign-in


def test_the_cookies_choose_the_service(side):
    assert side.source.name == side.service == service_of(side.credentials.kept)


def test_check_returns_the_account_and_always_asks(side):
    account = side.source.check()
    assert (account.email, account.name) == ("ada@example.com", "" if side.is_new else "Ada Example")
    assert side.source.check() == account
    assert side.flow.count(side.kinds[SIGN_IN]) == 2


@EACH_KIND
def test_dead_cookies_are_signed_out(side, kind):
    side.session.sign_out()
    error = str(side.failure(SignedOut, *call_of(side, kind)))
    assert "https://flow.google.com" in error
    assert "paste the cookies again" in error
    assert side.is_new or "labs.google/fx only if your images still open there" in error


@EACH_KIND
def test_a_profile_without_cookies_is_signed_out_and_nothing_is_requested(side, kind):
    call = call_of(side, kind)
    side.credentials.kept = {}
    with pytest.raises(SignedOut):
        call[0](*call[1:])
    assert side.flow.log == []


@EACH_KIND
def test_new_cookies_are_used_at_once(side, kind):
    call = call_of(side, kind)
    side.session.sign_out()
    side.failure(SignedOut, *call)
    side.credentials.kept = side.session.sign_in()
    assert call[0](*call[1:])
    side.credentials.kept = side.session.sign_in()
    assert call[0](*call[1:])


def test_renewed_cookies_replace_the_old_ones(side):
    old = dict(side.credentials.kept)
    side.world.google.rotate() if side.is_new else side.world.renew_cookie()
    side.source.check()
    assert side.credentials.kept == side.session.cookies() != old
    assert side.first_page().names
    assert side.flow.count(side.kinds[SIGN_IN]) == 1, "renewed cookies are the same session"


def test_renewed_cookies_do_not_replace_cookies_pasted_meanwhile(side):
    pasted = {**side.session.cookies(), next(iter(side.session.cookies())): "pasted-meanwhile"}
    with side.flow.holding(side.kinds[SIGN_IN]) as gate, ThreadPoolExecutor(1) as pool:
        side.world.google.rotate() if side.is_new else side.world.renew_cookie()
        checked = pool.submit(side.source.check)
        assert gate.reached.wait(5)
        side.credentials.kept = pasted
        gate.release()
        assert isinstance(checked.exception(5), SignedOut | None)  # the pasted cookies do not sign in
    assert side.credentials.kept == pasted


# Histories


def test_a_walk_sees_every_image_once_and_newest_first(side):
    seen = side.images()
    assert sorted(image.media_key for image in seen) == sorted(entry.media_key for entry in side.entries())
    for history in side.source.capabilities.histories:
        pages = walk(side.source, history)
        assert len(pages) > 1
        groups = [pages] if side.source.capabilities.is_newest_first else [[page] for page in pages]
        for group in groups:
            created = [image.created_at for page in group for image in page.images]
            assert created == sorted(created, reverse=True)


def test_a_page_counts_and_names_all_its_entries(side):
    for history in side.source.capabilities.histories:
        for page in walk(side.source, history):
            assert page.entry_count >= len(page.images) + page.ignored_count
            assert {image.name for image in page.images} <= set(page.names)


def test_an_image_has_the_same_keys_at_both_services(side):
    keys = {(entry.media_key, entry.workflow_id) for entry in side.entries()}
    assert {(image.media_key, image.workflow_id) for image in side.images()} == keys


def test_an_image_has_the_fields_of_its_entry(side):
    entries = {entry.media_key: entry for entry in side.entries()}
    for image in side.images():
        entry = entries[image.media_key]
        assert times.timestamp(times.parsed(image.created_at)) == image.created_at
        assert image.created_at[:19] == entry.created_at[:19]
        assert image.fife_url is None or image.fife_url.startswith(f"{side.flow.url}/")
        made = (image.kind, image.prompt, image.model_name, image.seed)
        if entry.kind == Kind.GENERATED:
            assert made == (KIND_GENERATED, entry.shown_prompt, entry.model_name, entry.seed)
            assert image.project_id == entry.project_id
            assert image.aspect_ratio == f"IMAGE_ASPECT_RATIO_{entry.aspect}"
        else:
            assert made == (KIND_UPLOADED, None, None, None)


def test_an_account_without_images_is_a_page_without_entries(side):
    other = World(seed=2, email="grace@example.com")
    if side.is_new:
        other.migrate()
    side.flow.add_world(other)
    side.credentials.kept = (other.google if side.is_new else other).cookies()
    page = side.first_page()
    assert (page.images, page.names, page.entry_count, page.next_cursor) == ((), (), 0, None)


def test_another_source_continues_at_a_cursor(side):
    first, *rest = walk(side.source, side.history)
    others = walk(side.open(), side.history, first.next_cursor)
    assert [page.names for page in others] == [page.names for page in rest]


def test_a_history_that_is_not_offered_is_refused(side):
    side.world.refuse_history("PINHOLE")
    side.failure(HistoryRefused, side.source.history_page, "PINHOLE", None)


def test_a_malformed_cursor_is_refused(side):
    side.failure(CursorRefused, side.source.history_page, side.history, "no-such-cursor")


def test_an_expired_cursor_is_refused_and_not_quoted(side):
    cursor = None
    for _ in range(2):
        cursor = side.source.history_page(side.history, cursor).next_cursor
    side.world.expire_cursors()
    error = side.failure(CursorRefused, side.open().history_page, side.history, cursor)
    assert (json.loads(cursor)[0] if side.is_new else cursor) not in str(error)


# Images


@pytest.mark.parametrize("index", [0, -1], ids=["uploaded", "generated"])
def test_an_image_has_its_bytes_and_a_signed_url(side, index):
    entry = side.entries()[index]
    fetched = side.fetch(entry)
    assert fetched.content == side.world.content(entry.name)
    assert fetched.fife_url.startswith(f"{side.flow.url}/")


def test_a_signed_url_is_requested_without_credentials(side):
    entry = side.entries()[0]
    side.world.change(entry.name, inline=False)
    assert side.fetch(entry).content == side.world.content(entry.name)
    (request,) = side.flow.asked("picture")
    assert not {"cookie", "authorization", "origin", "referer", "x-same-domain"} & set(request.headers)


def test_a_preview_url_is_provided_without_a_download(side):
    url = side.source.preview_url(*side.keys(side.entries()[0]))
    assert url.startswith(f"{side.flow.url}/")
    assert side.flow.count("picture") == 0


def test_urls_on_other_hosts_are_neither_requested_nor_shown(side):
    source, entry = side.open(picture_hosts=frozenset()), side.entries()[0]
    side.world.change(entry.name, inline=False)
    assert "127.0.0.1" in str(side.failure(ImageRefused, source.fetch_image, *side.keys(entry)))
    assert source.preview_url(*side.keys(entry)) is None
    histories = source.capabilities.histories
    pages = [page for history in histories for page in walk(source, history)]
    assert {image.fife_url for page in pages for image in page.images} == {None}
    assert side.flow.count("picture") == 0


def test_an_unknown_image_is_refused(side):
    side.failure(ImageRefused, side.source.fetch_image, "CAMaJ-never-existed", "")


def test_a_video_is_refused(side):
    video = side.world.entry(side.world.names("PINHOLE", Kind.VIDEO)[0])
    assert "video" in str(side.failure(ImageRefused, side.source.fetch_image, *side.keys(video)))


@pytest.mark.parametrize("name", ["", "\u200b", "n" * 1001, "\ud800"])
def test_an_impossible_name_is_refused_without_a_request(side, name):
    side.failure(ImageRefused, side.source.fetch_image, name)
    assert side.flow.log == []


# Failures


@EACH_KIND
@pytest.mark.parametrize(("status", "pause"), [(429, 7.0), (503, None)])
def test_every_call_can_be_told_to_slow_down(side, kind, status, pause):
    side.flow.fail_next(status, side.kinds[kind], retry_after=pause)
    assert side.failure(SlowDown, *call_of(side, kind)).retry_after_seconds == pause


@EACH_KIND
@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_failure_of_the_service_is_safe_to_try_again(side, kind, status):
    side.flow.fail_next(status, side.kinds[kind])
    call = call_of(side, kind)
    side.failure(FlowUnavailable, *call)
    assert call[0](*call[1:])


@EACH_KIND
def test_a_cut_or_dropped_response_is_safe_to_try_again(side, kind):
    side.flow.cut_next(side.kinds[kind], at_bytes=100)
    side.flow.drop_next(side.kinds[kind])
    call = call_of(side, kind)
    side.failure(FlowUnavailable, *call)
    side.failure(FlowUnavailable, *call)
    assert call[0](*call[1:])


def test_a_body_that_ends_too_early_is_safe_to_try_again(side):
    for body in ("", ')]}\'\n\n90\n[["wrb.fr"' if side.is_new else '{"result":{"data":'):
        side.flow.respond_next(side.kinds[PAGE], body)
        side.failure(FlowUnavailable, side.first_page)


@EACH_KIND
@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
def test_a_sign_in_page_is_signed_out(side, kind, content_type):
    side.flow.respond_next(side.kinds[kind], "\n" + SIGN_IN_PAGE, content_type)
    side.failure(SignedOut, *call_of(side, kind))


@EACH_KIND
@pytest.mark.parametrize(
    ("location", "expected"),
    [("https://accounts.google.com/ServiceLogin?x", SignedOut), ("https://elsewhere.example/x", FlowChanged)],
)
def test_a_redirect_is_not_followed_but_explained(side, kind, location, expected):
    side.flow.respond_next(side.kinds[kind], "", "text/html", status=302, headers={"Location": location})
    side.failure(expected, *call_of(side, kind))


def test_the_sample_of_an_unknown_shape_holds_no_secret(side):
    cookie = next(iter(side.credentials.kept.values()))
    unknown = {"shape": "new", "seen": cookie, "owner": "ada@example.com", "token": "t" * 90}
    if side.is_new:
        side.flow.payload_next("project", unknown)
    else:
        side.flow.respond_next("history", unknown)
    sample = side.failure(FlowChanged, side.first_page).sample
    assert ('"<field 0>": "<text of 3>"' if side.is_new else '"shape": "new"') in sample
    assert not [secret for secret in (cookie, "ada", "ttt") if secret in sample]


@pytest.mark.parametrize("kind", [PAGE, IMAGE], ids=["page", "image"])
@pytest.mark.parametrize("body", ["no JSON", "null", "[]", "{}", b"\xff\xfe]", "[" * 90_000 + "]"])
def test_a_body_of_an_unknown_shape_is_a_change(side, kind, body):
    side.flow.respond_next(side.kinds[kind], body)
    side.failure(FlowChanged, *call_of(side, kind))


def test_a_history_response_beyond_its_limit_is_a_change(side):
    too_large = (64 if side.is_new else 16) * 1024 * 1024 + 1
    # A single project that is too large is skipped, so the listing is tested.
    side.flow.respond_next("projects" if side.is_new else "history", b" " * too_large)
    with pytest.raises(FlowChanged, match="larger than"):
        side.first_page()


def test_an_image_response_beyond_its_limit_is_refused(side):
    side.flow.respond_next(side.kinds[IMAGE], b" " * (64 * 1024 * 1024 + 1))
    assert "MB" in str(side.failure(ImageRefused, *call_of(side, IMAGE)))


# Threads


def test_many_threads_share_one_sign_in(side):
    with side.flow.holding(side.kinds[SIGN_IN]) as gate, ThreadPoolExecutor(6) as pool:
        fetched = [pool.submit(side.fetch, entry) for entry in side.entries()[:6]]
        assert gate.reached.wait(5)
        gate.release()
        contents = [side.world.content(entry.name) for entry in side.entries()[:6]]
        assert [one.result().content for one in fetched] == contents
    requests = [side.kinds[SIGN_IN], *(() if side.is_new else ("page", "script"))]
    assert [side.flow.count(kind) for kind in requests] == [1] * len(requests)


def test_threads_that_waited_for_a_failed_sign_in_share_its_failure(side):
    side.flow.fail_next(500, side.kinds[SIGN_IN], count=6)
    with side.flow.holding(side.kinds[SIGN_IN]) as gate, ThreadPoolExecutor(6) as pool:
        failed = [pool.submit(side.failure, FlowUnavailable, *call_of(side, IMAGE)) for _ in range(6)]
        assert gate.reached.wait(5)
        gate.release()
        assert len({str(one.result()) for one in failed}) == 1
    assert side.flow.count(side.kinds[SIGN_IN]) < 6


def test_a_stopped_thread_is_no_failure_of_threads_that_wait_for_it(side):
    stop, call = threading.Event(), call_of(side, IMAGE)

    def stopped():
        with side.source.cancelled_by(stop):
            return call[0](*call[1:])

    with side.flow.holding(side.kinds[SIGN_IN]) as gate, ThreadPoolExecutor(2) as pool:
        first = pool.submit(stopped)
        assert gate.reached.wait(5)
        second = pool.submit(*call)
        stop.set()
        with pytest.raises(SourceClosed):
            first.result(5)
        gate.release()
        assert second.result(5).content


@EACH_KIND
def test_a_source_that_was_told_to_stop_requests_nothing(side, kind):
    stopping = threading.Event()
    stopping.set()
    side.source = side.open(stopping=stopping)
    side.failure(SourceClosed, *call_of(side, kind))
    assert side.flow.log == []


@EACH_KIND
def test_close_ends_requests_under_way_and_is_idempotent(side, kind):
    call = call_of(side, kind)
    with side.flow.holding(side.kinds[kind]) as gate, ThreadPoolExecutor(1) as pool:
        calling = pool.submit(*call)
        assert gate.reached.wait(5)
        began = time.monotonic()
        side.source.close()
        side.source.close()
        with pytest.raises(FlowUnavailable, match="shutting down"):
            calling.result(5)
        assert time.monotonic() - began < 1

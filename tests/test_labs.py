"""The labs service over real sockets: what is asked, what answers mean, and how token and key are renewed."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from webapp import times
from webapp.config import Config
from webapp.demo import FlowServer, World
from webapp.demo.entries import Kind
from webapp.errors import (
    AccountMoved,
    BadPicture,
    CursorRefused,
    FlowChanged,
    FlowError,
    FlowUnavailable,
    GoneUpstream,
    HistoryRefused,
    ImageRefused,
    KeyRefused,
    SignedOut,
    SlowDown,
)
from webapp.sources import KIND_GENERATED, KIND_UPLOADED, Account
from webapp.sources.credentials import SESSION_COOKIE
from webapp.sources.credentials.key import ApiKey, key_in, script_url
from webapp.sources.credentials.renewal import renewed_cookies
from webapp.sources.credentials.session import SignIn
from webapp.sources.http import HttpClient
from webapp.sources.labs import LabsSource
from webapp.sources.labs_history import UnknownShape, created_at, read_page
from webapp.sources.labs_site import LabsSite
from webapp.sources.signed_urls import is_picture_url

DRAWER, GENERATED = "ASSET_MANAGER", "PINHOLE"
SIGN_IN_PAGE = "<!doctype html><title>Sign in - Google Accounts</title>"
GOOGLE_HOSTS = frozenset({"storage.googleapis.com", "127.0.0.1:8000"})


@dataclass
class Kept:
    """The secrets of a profile as a database would keep them."""

    kept: dict[str, str]
    kept_key: str | None = None

    def cookies(self) -> dict[str, str]:
        return dict(self.kept)

    def renew_cookies(self, sent: dict[str, str], renewed: dict[str, str]) -> None:
        if self.kept == sent:
            self.kept = renewed

    def key(self) -> str | None:
        return self.kept_key

    def keep_key(self, key: str) -> None:
        self.kept_key = key


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def world() -> World:
    return World(uploaded=23, generated=5, videos=2, tiny_pictures=True)


@pytest.fixture
def credentials(world: World) -> Kept:
    return Kept(world.cookies())


@pytest.fixture
def source(config: Config, credentials: Kept) -> Iterator[LabsSource]:
    with closing(LabsSource(config, credentials, threading.Event())) as source:
        yield source


@pytest.fixture
def http(config: Config) -> Iterator[HttpClient]:
    with closing(HttpClient(threading.Event(), config.timeout_seconds)) as http:
        yield http


@pytest.fixture
def site(config: Config, credentials: Kept, http: HttpClient) -> LabsSite:
    return LabsSite(config, credentials, http)


@pytest.fixture
def failure(world: World, credentials: Kept) -> Callable[..., FlowError]:
    """The error of a call, of exactly one kind, in which no secret of the profile is found."""

    def shown(error: FlowError) -> str:
        return f"{error!r} {error} {getattr(error, 'sample', '')} {error.__cause__!r}"

    def failure(kind: type[FlowError], call: Callable, *arguments: object) -> FlowError:
        known = [*credentials.kept.values(), world.key, world.decoy_key, "ya29.", "AIzaSy", "Signature=", "@"]
        with pytest.raises(kind) as caught:
            call(*arguments)
        assert type(caught.value) is kind
        assert not [secret for secret in known if secret in shown(caught.value)]
        assert str(caught.value).endswith("."), "an error is a sentence"
        return caught.value

    return failure


def in_threads(call: Callable[[int], object], count: int = 8) -> list:
    """What `call` returns in so many threads at once."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def walk(source: LabsSource, history: str = DRAWER) -> list:
    pages, cursor = [], None
    while not pages or cursor:
        pages.append(source.history_page(history, cursor))
        cursor = pages[-1].next_cursor
    return pages


# The history ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "kind"), [(DRAWER, Kind.UPLOADED), (GENERATED, Kind.GENERATED)], ids=["drawer", "generated"]
)
def test_a_walk_brings_every_image_of_a_history_once_newest_first(source, world, history, kind):
    images = [image for page in walk(source, history) for image in page.images]
    assert [image.name for image in images] == world.names(history, kind)
    assert [image.created_at for image in images] == sorted(
        (image.created_at for image in images), reverse=True
    )


def test_the_head_and_later_pages_are_asked_exactly_as_the_web_page_does(source, flow, world):
    cursor = source.history_page(DRAWER, None).next_cursor
    source.history_page(DRAWER, cursor)
    head, later = flow.asked("history")
    assert head.query["input"] == (
        '{"json":{"type":"ASSET_MANAGER","pageSize":18,"responseScope":"RESPONSE_SCOPE_UNSPECIFIED",'
        '"cursor":null},"meta":{"values":{"cursor":["undefined"]}}}'
    )
    assert later.query["input"] == (
        '{"json":{"type":"ASSET_MANAGER","pageSize":18,"responseScope":"RESPONSE_SCOPE_UNSPECIFIED",'
        f'"cursor":"{cursor}"}}}}'
    )
    for request in (head, later):
        assert request.headers["cookie"] == world.cookie_header()
        assert request.headers["accept"] == "*/*"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["referer"] == f"{flow.url}/fx/tools/flow"
        assert request.headers["user-agent"].startswith("Mozilla/5.0 ")
        assert not {"authorization", "x-goog-api-key", "origin"} & set(request.headers)
        assert set(request.query) == {"input"}


def test_an_uploaded_image_has_what_the_row_says(source, world):
    image = source.history_page(DRAWER, None).images[0]
    entry = world.entry(image.name)
    assert (image.media_key, image.workflow_id, image.kind) == (
        entry.media_key,
        entry.workflow_id,
        KIND_UPLOADED,
    )
    assert image.aspect_ratio == f"IMAGE_ASPECT_RATIO_{entry.aspect}"
    assert (image.prompt, image.model_name, image.seed, image.project_id, image.fife_url) == (None,) * 5


def test_a_generated_image_has_what_the_row_says(source, world, flow):
    image = next(iter(source.history_page(GENERATED, None).images))
    entry = world.entry(image.name)
    assert (image.kind, image.prompt, image.seed) == (KIND_GENERATED, entry.shown_prompt, entry.seed)
    assert (image.model_name, image.project_id) == (entry.model_name, entry.project_id)
    assert image.fife_url.startswith(f"{flow.url}/pictures/")


def test_white_space_and_invisible_characters_leave_names(source, world):
    name = world.add_uploaded()[0]
    world.change(name, name_in_history=f" {name[:9]}\n\u00a0\u200b{name[9:]}\ufeff\r\n")
    page = source.history_page(DRAWER, None)
    assert page.images[0].name == page.names[0] == name


def test_an_entry_without_a_time_takes_that_of_the_entry_above(source, world):
    below, above = world.add_uploaded(2)
    world.change(above, created_at="2026-01-02T03:04:05Z")
    world.change(below, created_at="yesterday")
    page = source.history_page(DRAWER, None)
    assert [image.created_at for image in page.images[:2]] == ["2026-01-02T03:04:05.000000Z"] * 2


def test_without_any_time_above_there_is_none(source, world):
    world.change(world.names()[0], created_at=None)
    page = source.history_page(DRAWER, None)
    assert page.images[0].created_at is None
    assert page.last_created_at == page.images[-1].created_at


def test_what_is_no_usable_image_is_counted_and_its_name_kept(source, world):
    video, newest = world.add_videos()[0], world.add_generated()[0]
    broken = [
        world.add_broken_entry(breakage, GENERATED)
        for breakage in ("without media", "without mediaGenerationId", "without mediaKey", "without any kind")
    ]
    unnamed = [
        world.add_broken_entry(breakage, GENERATED) for breakage in ("without name", "wrong types", "null")
    ]
    page = source.history_page(GENERATED, None)
    assert page.names[:6] == (*reversed(broken), newest, video)
    assert page.entry_count == len(page.names) + len(unnamed) == len(world.names(GENERATED))
    assert page.ignored_count == page.entry_count - len(page.images) == 3 + len(broken) + len(unnamed)


def test_an_empty_account_is_a_page_without_entries(config):
    world = World()
    with FlowServer(world) as flow:
        there = replace(config, labs_url=flow.url)
        with closing(LabsSource(there, Kept(world.cookies()), threading.Event())) as source:
            page = source.history_page(DRAWER, None)
    assert (page.images, page.names, page.entry_count, page.next_cursor) == ((), (), 0, None)


def test_preview_urls_on_hosts_that_are_not_allowed_are_left_out(config, credentials):
    strict = replace(config, picture_hosts=frozenset())
    with closing(LabsSource(strict, credentials, threading.Event())) as source:
        assert {image.fife_url for image in source.history_page(GENERATED, None).images} == {None}


# What answers mean that bring no page ----------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_failure_of_the_service_is_safe_to_try_again(source, flow, failure, status):
    flow.fail_next(status, "history")
    failure(FlowUnavailable, source.history_page, DRAWER, None)
    assert source.history_page(DRAWER, None).images


@pytest.mark.parametrize("kind", ["history", "session", "page", "media"])
@pytest.mark.parametrize(("status", "pause"), [(429, 7.0), (503, None)])
def test_every_part_of_the_service_can_ask_to_slow_down(source, flow, world, failure, kind, status, pause):
    flow.fail_next(status, kind, retry_after=pause)
    call, argument = (
        (source.history_page, (DRAWER, None))
        if kind == "history"
        else (source.fetch_image, world.names()[:1])
    )
    assert failure(SlowDown, call, *argument).retry_after_seconds == pause


def test_a_cut_or_dropped_answer_is_safe_to_try_again(source, flow, failure):
    flow.cut_next("history", at_bytes=500)
    flow.drop_next("history")
    failure(FlowUnavailable, source.history_page, DRAWER, None)
    failure(FlowUnavailable, source.history_page, DRAWER, None)


def test_json_that_ends_too_early_is_safe_to_try_again(source, flow, failure):
    flow.answer_next("history", '{"result":{"data":')
    flow.answer_next("history", "")
    failure(FlowUnavailable, source.history_page, DRAWER, None)
    failure(FlowUnavailable, source.history_page, DRAWER, None)


def test_dead_cookies_are_signed_out(source, world, failure):
    world.sign_out()
    assert "paste the cookies again" in str(failure(SignedOut, source.history_page, DRAWER, None))


@pytest.mark.parametrize("status", [200, 401, 403])
@pytest.mark.parametrize("kind", ["history", "session"])
def test_a_page_for_people_is_signed_out_whatever_its_status(source, flow, failure, kind, status):
    flow.answer_next(kind, SIGN_IN_PAGE, "text/html", status=status)
    failure(SignedOut, *((source.history_page, DRAWER, None) if kind == "history" else (source.check,)))


def test_html_that_calls_itself_json_is_signed_out_all_the_same(source, flow, failure):
    flow.answer_next("history", "\n" + SIGN_IN_PAGE)
    failure(SignedOut, source.history_page, DRAWER, None)


def test_a_missing_address_is_a_change_and_no_matter_of_cookies(source, flow, failure):
    flow.answer_next("history", "<!doctype html><title>404</title>", "text/html", status=404)
    failure(FlowChanged, source.history_page, DRAWER, None)


@pytest.mark.parametrize("kind", ["history", "session", "page", "media"])
@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://accounts.google.com/ServiceLogin?continue=x", SignedOut),
        ("https://labs.google/fx/api/auth/signin?callbackUrl=x", SignedOut),
        ("https://flow.google.com/", AccountMoved),
        ("//flow.google.com/about", AccountMoved),
        ("https://elsewhere.example/x", FlowChanged),
        ("http://[broken", FlowChanged),
    ],
)
def test_redirects_are_not_followed_but_understood(source, flow, world, failure, kind, location, expected):
    flow.answer_next(kind, "", "text/html", status=307, headers={"Location": location})
    call, argument = (
        (source.history_page, (DRAWER, None))
        if kind == "history"
        else (source.fetch_image, world.names()[:1])
    )
    failure(expected, call, *argument)


def test_an_account_that_moved_is_told_apart_from_one_that_is_signed_out(source, world, failure):
    world.migrate()
    failure(AccountMoved, source.history_page, DRAWER, None)


def test_an_expired_cursor_is_refused(source, world, failure):
    cursor = source.history_page(DRAWER, None).next_cursor
    world.expire_cursors()
    error = failure(CursorRefused, source.history_page, DRAWER, cursor)
    assert cursor not in str(error)


def test_a_cursor_that_the_service_quotes_is_not_quoted_on(source, flow, failure):
    flow.answer_next("history", {"error": {"json": {"message": "Bad cursor short-cursor"}}}, status=400)
    assert "Bad cursor" in str(failure(CursorRefused, source.history_page, DRAWER, "short-cursor"))
    flow.answer_next("history", {"error": {"json": {"message": "Bad cursor short-cursor"}}}, status=400)
    assert "short-cursor" not in str(failure(CursorRefused, source.history_page, DRAWER, "short-cursor"))


def test_a_refused_head_of_the_drawer_is_no_missing_history(source, flow, failure):
    flow.fail_next(400, "history")
    failure(CursorRefused, source.history_page, DRAWER, None)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_another_history_may_not_be_offered(source, flow, failure, status):
    flow.fail_next(status, "history")
    assert GENERATED in str(failure(HistoryRefused, source.history_page, GENERATED, None))


@pytest.mark.parametrize("status", [403, 404, 415, 201])
def test_an_unknown_refusal_of_the_drawer_is_a_change(source, flow, failure, status):
    flow.fail_next(status, "history")
    failure(FlowChanged, source.history_page, DRAWER, None)


def test_the_status_that_trpc_repeats_inside_counts(source, flow, failure):
    flow.answer_next("history", {"error": {"json": {"message": "Unauthorized", "data": {"httpStatus": 401}}}})
    failure(SignedOut, source.history_page, DRAWER, None)
    flow.answer_next("history", {"result": {"data": {"json": {"result": {}, "status": 401}}}})
    failure(SignedOut, source.history_page, DRAWER, None)


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "null",
        "[]",
        "{}",
        '{"result": {"data": {"json": {"result": null}}}}',
        '{"result": {"data": {"json": {"result": {"workflows": []}}}}}',
        '{"result": {"data": {"json": {"result": {"userWorkflows": {}, "nextPageToken": ""}}}}}'.replace(
            "{},", "7,"
        ),
        '{"result": {"data": {"json": {"result": {"userWorkflows": [], "nextPageToken": 7}}}}}',
        '{"a": [' * 50_000 + "]}" * 50_000,
        b"\xff\xfe\x00",
    ],
    ids=["text", "null", "list", "empty", "no-result", "other", "no-list", "token", "deep", "binary"],
)
def test_an_answer_of_an_unknown_shape_is_a_change(source, flow, failure, body):
    flow.answer_next("history", body)
    failure(FlowChanged, source.history_page, DRAWER, None)


def test_a_change_carries_a_sample_for_a_report_without_secrets(source, flow, credentials, failure):
    cookie = credentials.kept[SESSION_COOKIE]
    flow.answer_next(
        "history", {"shape": "new", "seen": cookie, "owner": "ada@example.com", "token": "t" * 90}
    )
    sample = failure(FlowChanged, source.history_page, DRAWER, None).sample
    assert '"shape": "new"' in sample
    assert cookie not in sample
    assert "ada" not in sample
    assert "ttt" not in sample


def test_a_history_answer_beyond_16_mb_is_a_change(source, flow):
    flow.answer_next("history", b" " * (16 * 1024 * 1024 + 1))
    with pytest.raises(FlowChanged, match="larger than 16 MB"):
        source.history_page(DRAWER, None)


# Reading rows ----------------------------------------------------------------------------------


def page_of(*entries: object, **result: object) -> dict:
    return {"result": {"data": {"json": {"result": {"userWorkflows": list(entries)} | result}}}}


def entry(name: str = "CAMaJ", **shown: object) -> dict:
    ids = {"mediaType": "IMAGE", "workflowId": "w", "mediaKey": "k"}
    return {
        "name": name,
        "createTime": "2026-01-01T00:00:00Z",
        "media": {"image": shown, "mediaGenerationId": ids},
    }


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2025-10-29T13:56:15Z", "2025-10-29T13:56:15.000000Z"),
        ("2025-12-26T17:46:23.596639Z", "2025-12-26T17:46:23.596639Z"),
        ("2025-12-26T17:46:23.5Z", "2025-12-26T17:46:23.500000Z"),
        ("2025-12-26T17:46:23.596639999Z", "2025-12-26T17:46:23.596639Z"),
        ("2025-12-26T17:46:23+01:30", "2025-12-26T16:16:23.000000Z"),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2025-13-01T00:00:00Z", None),
        ("2025-10-29", None),
        ("٢٠٢٥-10-29T13:56:15Z", None),
        (1761746175, None),
        (None, None),
    ],
)
def test_times_with_whole_seconds_and_fractions_become_one_form(said, read):
    assert created_at(said) == read


def test_fields_are_bounded_and_fit_a_database():
    odd = entry(
        prompt="p" * 30_000 + "\ud800\0", seed=2**70, aspectRatio="x" * 999, modelNameType=["GEM_PIX"]
    )
    image = read_page(page_of(odd), GOOGLE_HOSTS).images[0]
    assert len(image.prompt) == 20_000
    assert (image.seed, image.aspect_ratio, image.model_name) == (None, None, None)
    assert read_page(page_of(entry(seed="-12")), GOOGLE_HOSTS).images[0].seed == -12
    assert read_page(page_of(entry(prompt="a\ud800b\0c")), GOOGLE_HOSTS).images[0].prompt == "a?bc"


@pytest.mark.parametrize("name", ["", " \u200b", "n" * 1001, "\ud800", "a\0b"])
def test_a_name_that_nothing_can_hold_makes_no_image(name):
    page = read_page(page_of(entry(name)), GOOGLE_HOSTS)
    assert (page.images, page.names, page.ignored_count) == ((), (), 1)


def test_unknown_words_are_kept_and_other_media_are_not():
    strange = read_page(page_of(entry(aspectRatio="IMAGE_ASPECT_RATIO_ROUND")), GOOGLE_HOSTS).images[0]
    assert strange.aspect_ratio == "IMAGE_ASPECT_RATIO_ROUND"
    audio = entry()
    audio["media"]["mediaGenerationId"]["mediaType"] = "AUDIO"
    assert read_page(page_of(audio), GOOGLE_HOSTS).images == ()


def test_an_empty_list_in_place_of_a_result_is_an_empty_page():
    assert read_page({"result": {"data": {"json": {"result": []}}}}, GOOGLE_HOSTS).entry_count == 0


WORDS = [
    "userWorkflows",
    "nextPageToken",
    "name",
    "createTime",
    "media",
    "image",
    "userUploadedImage",
    "video",
]
WORDS += [
    "mediaGenerationId",
    "mediaType",
    "mediaKey",
    "workflowId",
    "projectId",
    "fifeUrl",
    "prompt",
    "seed",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["IMAGE", "CAMaJ"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=20,
)


@given(JSON, st.lists(JSON, max_size=4))
def test_whatever_an_answer_holds_it_is_a_page_or_an_unknown_shape(result, entries):
    for document in (
        {"result": {"data": {"json": {"result": result}}}},
        page_of(*entries),
        page_of(entry(), result),
    ):
        try:
            page = read_page(document, GOOGLE_HOSTS)
        except UnknownShape:
            continue
        assert page.entry_count == len(page.images) + page.ignored_count
        assert all(image.name in page.names for image in page.images)


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://storage.googleapis.com/a?Expires=1&Signature=b%2B", True),
        ("https://storage.googleapis.com:443/a", True),
        ("https://STORAGE.googleapis.com/a", True),
        ("http://127.0.0.1:8000/a", True),
        ("https://127.0.0.1:8000/a", True),
        ("http://storage.googleapis.com/a", False),
        ("https://storage.googleapis.com:8443/a", False),
        ("http://127.0.0.1/a", False),
        ("http://127.0.0.1:8001/a", False),
        ("https://storage.googleapis.com.evil.example/a", False),
        ("https://evil.example/storage.googleapis.com", False),
        ("https://storage.googleapis.com@evil.example/a", False),
        ("https://evil.example\\@storage.googleapis.com/a", False),
        ("https://storage.googleapis.com:x/a", False),
        ("https://[storage.googleapis.com/a", False),
        ("https://storage.googleapis.com/a b", False),
        ("https://storage.googleapis.com/ä", False),
        ("https://storage.googleapis.com/" + "a" * 4000, False),
        ("//storage.googleapis.com/a", False),
        ("javascript:alert(1)", False),
        ("", False),
        (None, False),
    ],
)
def test_only_the_picture_hosts_are_believed(url, is_allowed):
    assert is_picture_url(url, GOOGLE_HOSTS) is is_allowed


MARKS = st.text("htps:/.@\\#?[]%8abc", max_size=12)


@given(MARKS, st.sampled_from(["storage.googleapis.com", "evil.example"]), MARKS)
def test_what_is_believed_leads_where_the_http_library_goes(before, host, after):
    url = f"https:{before}{host}{after}"
    if is_picture_url(url, GOOGLE_HOSTS):
        assert parse_url(url).host == "storage.googleapis.com"


# Session and token -----------------------------------------------------------------------------


def test_a_check_says_whom_the_cookies_sign_in(source):
    assert source.check() == Account("ada@example.com", "Ada Example")


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


def test_a_refused_token_is_renewed_by_one_thread_for_all(source, flow, world):
    names = world.names()[:8]
    source.fetch_image(names[0])
    world.expire_tokens()
    in_threads(lambda number: source.fetch_image(names[number]))
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


def test_after_a_minute_a_refused_token_is_renewed_again(site, flow, world):
    clock = Clock()
    sign_in = SignIn(site, clock)
    for expected_count in (2, 3):
        token = sign_in.token()
        world.expire_tokens()
        assert sign_in.token(refused=token) != token
        assert flow.count("session") == expected_count
        clock.seconds += 60


def test_a_token_is_renewed_five_minutes_before_its_end(site, flow, world):
    clock, ahead = Clock(), timedelta()
    sign_in = SignIn(site, clock, lambda: datetime.now(UTC) + ahead)
    token = sign_in.token()
    clock.seconds, ahead = clock.seconds + 3290, timedelta(seconds=3290)
    assert sign_in.token() == token
    world.expire_tokens()
    clock.seconds, ahead = clock.seconds + 20, timedelta(seconds=3310)
    assert sign_in.token() != token
    assert flow.count("session") == 2


def test_a_token_that_ends_in_five_minutes_is_not_renewed_more_than_once_a_minute(site, flow, world):
    world.token_lifetime_seconds = 200
    clock = Clock()
    sign_in = SignIn(site, clock)
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
    flow.answer_next("session", body)
    failure(SignedOut, source.check)


def test_a_session_with_an_error_is_signed_out_and_its_token_never_used(source, flow, world, failure):
    world.session_error = "ACCESS_TOKEN_REFRESH_NEEDED"
    assert "ACCESS_TOKEN_REFRESH_NEEDED" in str(failure(SignedOut, source.check))
    failure(SignedOut, source.fetch_image, world.names()[0])
    assert flow.count("media") == 0


def test_a_profile_that_is_signed_out_asks_no_more_than_once_a_minute(site, flow, world, failure):
    world.sign_out()
    clock = Clock()
    sign_in = SignIn(site, clock)
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


def test_a_profile_without_cookies_is_signed_out_and_nothing_is_asked(config, flow, failure):
    with closing(LabsSource(config, Kept({}), threading.Event())) as source:
        failure(SignedOut, source.check)
        failure(SignedOut, source.history_page, DRAWER, None)
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
        '{"access_token": "one", "user": {"name": "Ada"}}',
        '{"access_token": "one", "user": []}',
    ],
)
def test_a_session_of_an_unknown_shape_is_a_change(source, flow, failure, body):
    flow.answer_next("session", body)
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


def test_a_renewal_that_came_too_late_changes_nothing(source, flow, world, credentials):
    pasted = {SESSION_COOKIE: "pasted-meanwhile"}
    with flow.holding("session") as gate, ThreadPoolExecutor(1) as pool:
        world.renew_cookie()
        checked = pool.submit(source.check)
        assert gate.reached.wait(5)
        credentials.kept = pasted
        gate.release()
        checked.result()
    assert credentials.kept == pasted


@pytest.mark.parametrize(
    ("lines", "renewed"),
    [
        ([], None),
        (["other=1; Path=/"], None),
        ([f"{SESSION_COOKIE}=a=b==; Path=/; HttpOnly"], "a=b=="),
        ([f"{SESSION_COOKIE}.1=b; Path=/", f"{SESSION_COOKIE}.0=a"], "ab"),
        ([f"{SESSION_COOKIE}.1=b", f"{SESSION_COOKIE}.2=c"], None),
        ([f"{SESSION_COOKIE}=; Max-Age=0"], None),
        ([f"{SESSION_COOKIE}=deleted; max-age=0; Path=/"], None),
        ([f"{SESSION_COOKIE}=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None),
        ([f"{SESSION_COOKIE}.0=; Max-Age=0", f"{SESSION_COOKIE}.1=; Max-Age=0", f"{SESSION_COOKIE}=a"], "a"),
        (
            [f"{SESSION_COOKIE}=; Max-Age=0", f"{SESSION_COOKIE}.0=a; Max-Age=300", f"{SESSION_COOKIE}.1=b"],
            "ab",
        ),
    ],
)
def test_set_cookie_lines_are_read_as_a_browser_does(lines, renewed):
    assert renewed_cookies(lines) == ({SESSION_COOKIE: renewed} if renewed else {})


# The API key -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_absolute", [False, True], ids=["relative", "absolute"])
def test_the_key_is_extracted_once_and_kept(source, flow, world, credentials, is_absolute):
    flow.service.script_is_absolute = is_absolute
    for name in world.names()[:2]:
        source.fetch_image(name)
    assert credentials.kept_key == world.key
    assert [flow.count("page"), flow.count("script")] == [1, 1]
    assert "cookie" not in flow.asked("script")[0].headers


def test_a_kept_key_is_used_without_extracting(source, flow, world, credentials):
    credentials.kept_key = world.key
    source.fetch_image(world.names()[0])
    assert flow.count("page") == 0


def test_a_new_key_is_extracted_by_one_thread_when_the_old_one_is_refused(source, flow, world, credentials):
    names = world.names()[:8]
    source.fetch_image(names[0])
    world.change_key()
    in_threads(lambda number: source.fetch_image(names[number]))
    assert credentials.kept_key == world.key
    assert flow.count("page") == 2


@pytest.mark.parametrize(("status", "reason"), [(400, "API_KEY_INVALID"), (403, "API_KEY_SERVICE_BLOCKED")])
def test_a_key_that_stays_refused_is_extracted_again_once(source, flow, world, failure, status, reason):
    flow.fail_next(status, "media", count=4, reason=reason)
    failure(KeyRefused, source.fetch_image, world.names()[0])
    failure(KeyRefused, source.fetch_image, world.names()[0])
    assert flow.count("page") == 2


def test_after_a_minute_a_refused_key_is_extracted_again(
    config, credentials, site, http, flow, world, failure
):
    clock = Clock()
    api_key = ApiKey(config, credentials, site, http, clock)
    for expected_count in (2, 2, 3):
        failure(KeyRefused, lambda: api_key.key(refused=api_key.key()))
        assert flow.count("page") == expected_count
        clock.seconds += 31


def test_a_key_given_by_hand_is_used_and_never_replaced(config, flow, world, credentials, failure):
    given = replace(config, flow_next_key=world.key)
    with closing(LabsSource(given, credentials, threading.Event())) as source:
        assert source.fetch_image(world.names()[0]).content
        world.change_key()
        error = failure(KeyRefused, source.fetch_image, world.names()[0])
    assert "FLOWSHELF_FLOW_NEXT_KEY" in str(error)
    assert flow.count("page") == 0
    assert credentials.kept_key is None


def test_a_page_without_the_script_is_an_error_of_its_own(source, flow, world, failure):
    flow.answer_next("page", "<!doctype html><script src='/fx/other.js'></script>", "text/html")
    assert f"{flow.url}/fx" in str(failure(KeyRefused, source.fetch_image, world.names()[0]))


@pytest.mark.parametrize("status", [200, 404])
def test_a_script_without_a_key_is_an_error_that_names_its_address(source, flow, world, failure, status):
    flow.answer_next("script", "let nothing", "application/javascript", status=status)
    error = failure(KeyRefused, source.fetch_image, world.names()[0])
    assert f"/fx/_next/static/chunks/pages/_app-{world.build}.js" in str(error)


def test_the_page_may_lie_at_another_spelling_of_its_path(source, flow, world):
    flow.answer_next("page", "", "text/html", status=308, headers={"Location": "/fx/"})
    assert source.fetch_image(world.names()[0]).content


def test_the_key_that_occurs_most_often_counts_and_on_a_tie_the_first():
    one, other = "AIzaSy" + "1" * 33, "AIzaSy" + "2" * 33
    assert key_in(f'"{one}" "{other}" "{other}"') == other
    assert key_in(f'"{one}" "{other}"') == one
    assert key_in("AIzaSyShort") is None


@pytest.mark.parametrize(
    ("page", "url"),
    [
        (
            '<script src="/fx/_next/static/chunks/pages/_app-0a.js">',
            "https://l.example/fx/_next/static/chunks/pages/_app-0a.js",
        ),
        (
            "<script src=https://cdn.example/_next/static/chunks/pages/_app-0a.js>",
            "https://cdn.example/_next/static/chunks/pages/_app-0a.js",
        ),
        (
            "<script src='_next/static/chunks/pages/_app-0a.js'>",
            "https://l.example/_next/static/chunks/pages/_app-0a.js",
        ),
        ('<script src="/fx/_next/static/chunks/pages/_app-XYZ.js">', None),
        ('<script src="http://[/_next/static/chunks/pages/_app-0a.js">', None),
    ],
)
def test_the_scripts_address_may_be_relative_or_absolute(page, url):
    assert script_url(page, "https://l.example/fx") == url


# Images ----------------------------------------------------------------------------------------


def test_uploaded_and_generated_images_come_with_their_bytes_and_a_fresh_url(source, flow, world):
    for name in (world.names(DRAWER)[0], world.names(GENERATED, Kind.GENERATED)[0]):
        fetched = source.fetch_image(name)
        assert fetched.content == world.content(name)
        assert fetched.fife_url.startswith(f"{flow.url}/pictures/")
    assert flow.count("picture") == 0


def test_an_image_is_asked_for_as_the_web_page_does(source, flow, world):
    source.fetch_image(world.names()[0])
    (request,) = flow.asked("media")
    assert request.path == f"/v1/media/{world.names()[0]}"
    assert dict(request.query) == {"key": world.key, "clientContext.tool": "PINHOLE"}
    assert request.headers["authorization"].startswith("Bearer ya29.")
    assert (request.headers["origin"], request.headers["referer"]) == (flow.url, f"{flow.url}/")
    assert "cookie" not in request.headers


def test_a_name_is_cleaned_and_encoded_before_it_is_asked_for(source, flow, world, failure):
    name = world.names()[0]
    assert source.fetch_image(f" {name[:5]}\u200b\n{name[5:]}").content == world.content(name)
    failure(ImageRefused, source.fetch_image, "../a?b&key=c/#")
    assert flow.asked("media")[-1].path == "/v1/media/..%2Fa%3Fb%26key%3Dc%2F%23"


@pytest.mark.parametrize("name", ["", "\u200b", ".", "..", "n" * 1001, "\ud800"])
def test_a_name_that_no_address_can_hold_is_refused_unasked(source, flow, failure, name):
    failure(ImageRefused, source.fetch_image, name)
    assert flow.log == []


def test_an_image_without_bytes_is_fetched_from_its_url_without_credentials(source, flow, world):
    name = world.names()[0]
    world.change(name, inline=False)
    assert source.fetch_image(name).content == world.content(name)
    (request,) = flow.asked("picture")
    assert not {"cookie", "authorization", "origin", "referer"} & set(request.headers)


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP"])
def test_a_data_prefix_and_other_formats_are_taken_as_they_are(source, world, picture_format):
    name = world.names()[0]
    world.change(name, data_uri=True, picture_format=picture_format)
    assert source.fetch_image(name).content == world.content(name)


@pytest.mark.parametrize("field_name", ["image", "encodedImage"])
def test_uploaded_bytes_may_stand_in_either_field(source, flow, world, field_name):
    name = world.names()[0]
    answer = flow.media_answer(name)
    answer["userUploadedImage"][field_name] = answer["userUploadedImage"].pop("image")
    flow.answer_next("media", answer)
    assert source.fetch_image(name).content == world.content(name)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ImageRefused),
        (403, ImageRefused),
        (404, GoneUpstream),
        (429, SlowDown),
        (500, FlowUnavailable),
        (502, FlowUnavailable),
        (503, SlowDown),
        (504, FlowUnavailable),
        (418, FlowChanged),
    ],
)
@pytest.mark.parametrize("verb", ["fetch_image", "preview_url"])
def test_error_answers_mean_what_the_table_says(source, flow, world, failure, verb, status, expected):
    flow.fail_next(status, "media")
    failure(expected, getattr(source, verb), world.names()[0])


def test_a_deleted_image_is_gone_and_an_unknown_one_refused(source, world, failure):
    name = world.names()[0]
    world.delete(name)
    failure(GoneUpstream, source.fetch_image, name)
    failure(ImageRefused, source.fetch_image, "CAMaJ-never-existed")


def test_an_error_answer_that_still_has_a_url_is_used(source, flow, world, failure):
    name = world.names()[0]
    error = {
        "error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"fifeUrl": flow.picture_url(name)}]}
    }
    flow.answer_next("media", error, status=400)
    assert source.fetch_image(name).content == world.content(name)
    flow.answer_next("media", error, status=400)
    assert source.preview_url(name) == error["error"]["details"][0]["fifeUrl"]
    flow.answer_next("media", error, status=400)
    flow.fail_next(403, "picture")
    failure(ImageRefused, source.fetch_image, name)


def broken(answer: dict, text: object) -> dict:
    answer["userUploadedImage"] |= {"image": text}
    del answer["userUploadedImage"]["fifeUrl"]
    return answer


@pytest.mark.parametrize(
    "text",
    ["/9j/4A=A", "/9j/4AA", "/9j /4AA", "/9j/\n4AAQ", "/9j_4AA-", "é===", "data:image/jpeg;base64,?", 7, ""],
)
def test_broken_base64_is_a_bad_picture(source, flow, world, failure, text):
    flow.answer_next("media", broken(flow.media_answer(world.names()[0]), text))
    failure(BadPicture, source.fetch_image, world.names()[0])


def test_json_that_was_cut_without_notice_is_a_bad_picture(source, flow, world, failure):
    flow.answer_next("media", json.dumps(flow.media_answer(world.names()[0]))[:-40])
    failure(BadPicture, source.fetch_image, world.names()[0])


@pytest.mark.parametrize("fault", ["cut_next", "drop_next"])
def test_a_transfer_that_breaks_off_is_safe_to_try_again(source, flow, world, failure, fault):
    getattr(flow, fault)("media")
    failure(FlowUnavailable, source.fetch_image, world.names()[0])


def test_another_image_than_the_one_asked_for_is_a_bad_picture(source, flow, world, failure):
    flow.answer_next("media", flow.media_answer(world.names()[1]))
    failure(BadPicture, source.fetch_image, world.names()[0])


@pytest.mark.parametrize("body", ["[]", "{}", '{"image": null}', "text"])
def test_a_media_answer_of_an_unknown_shape_is_a_change(source, flow, world, failure, body):
    flow.answer_next("media", body)
    failure(FlowChanged, source.fetch_image, world.names()[0])


def test_a_page_for_people_in_place_of_an_image_is_signed_out(source, flow, world, failure):
    flow.answer_next("media", SIGN_IN_PAGE, "text/html")
    failure(SignedOut, source.fetch_image, world.names()[0])


def test_a_video_is_refused(source, world, failure):
    failure(ImageRefused, source.fetch_image, world.names(GENERATED, Kind.VIDEO)[0])


def test_an_image_above_64_mb_is_refused(source, flow, world, failure):
    flow.answer_next("media", b" " * (64 * 1024 * 1024 + 1))
    assert "64 MB" in str(failure(ImageRefused, source.fetch_image, world.names()[0]))


def test_a_picture_may_be_redirected_within_the_allowed_hosts(source, flow, world):
    name = world.names()[0]
    world.change(name, inline=False)
    flow.answer_next("picture", "", status=302, headers={"Location": flow.picture_url(name)}, count=3)
    assert source.fetch_image(name).content == world.content(name)
    assert flow.count("picture") == 4


@pytest.mark.parametrize(
    ("location", "expected"), [("https://evil.example/x", ImageRefused), ("/pictures/x", BadPicture)]
)
def test_a_picture_that_leads_elsewhere_or_on_and_on_is_not_followed(
    source, flow, world, failure, location, expected
):
    name = world.names()[0]
    world.change(name, inline=False)
    flow.answer_next("picture", "", status=302, headers={"Location": location}, count=9)
    failure(expected, source.fetch_image, name)
    assert flow.count("picture") <= 4


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, BadPicture), (403, BadPicture), (404, BadPicture), (429, SlowDown), (500, FlowUnavailable)],
)
def test_a_picture_url_that_gives_no_picture_may_be_tried_again(
    source, flow, world, failure, status, expected
):
    name = world.names()[0]
    world.change(name, inline=False)
    flow.fail_next(status, "picture")
    failure(expected, source.fetch_image, name)


def test_a_picture_on_a_host_that_is_not_allowed_is_refused_by_name_of_the_host(
    config, credentials, world, flow, failure
):
    name = world.names()[0]
    world.change(name, inline=False)
    strict = replace(config, picture_hosts=frozenset())
    with closing(LabsSource(strict, credentials, threading.Event())) as source:
        error = failure(ImageRefused, source.fetch_image, name)
        assert source.preview_url(name) is None
    assert "127.0.0.1" in str(error)
    assert flow.count("picture") == 0


def test_a_preview_url_is_asked_for_without_the_bytes(source, flow, world):
    name = world.names()[0]
    assert source.preview_url(name).startswith(f"{flow.url}/pictures/")
    assert flow.count("media", returnUriOnly="true") == 1


def test_closing_ends_a_download_under_way_and_is_idempotent(source, flow, world):
    source.fetch_image(world.names()[0])
    with flow.holding("media") as gate, ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(source.fetch_image, world.names()[1])
        assert gate.reached.wait(5)
        began = time.monotonic()
        source.close()
        source.close()
        with pytest.raises(FlowUnavailable, match="shutting down"):
            fetching.result(5)
        assert time.monotonic() - began < 1


def test_a_large_image_arrives_whole(source, flow, world):
    content = b"\xff\xd8\xff" + bytes(range(256)) * 40_000
    answer = flow.media_answer(world.names()[0])
    answer["userUploadedImage"]["image"] = base64.b64encode(content).decode()
    flow.answer_next("media", answer)
    assert source.fetch_image(world.names()[0]).content == content


def test_created_at_has_the_form_of_our_times(source):
    for image in source.history_page(DRAWER, None).images:
        assert times.timestamp(times.parsed(image.created_at)) == image.created_at

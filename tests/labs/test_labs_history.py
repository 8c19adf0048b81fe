"""The history over real sockets: what is asked, what a page holds, and what other answers mean."""

import pytest
from kept import walk

from webapp import times
from webapp.demo import World
from webapp.demo.entries import Kind
from webapp.errors import (
    AccountMoved,
    CursorRefused,
    FlowChanged,
    FlowUnavailable,
    HistoryRefused,
    SignedOut,
    SlowDown,
)
from webapp.sources import KIND_GENERATED, KIND_UPLOADED, Reason
from webapp.sources.cookies import SESSION_COOKIE

DRAWER, GENERATED = "ASSET_MANAGER", "PINHOLE"
LOST_IDS = ("mediaGenerationId", "mediaKey", "workflowId")
SIGN_IN_PAGE = "<!doctype html><title>Sign in - Google Accounts</title>"


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


def test_what_is_no_usable_image_is_counted_by_its_reason_and_its_name_kept(source, world):
    video, newest = world.add_videos()[0], world.add_generated()[0]
    broken = [
        world.add_broken_entry(breakage, GENERATED) for breakage in ("without media", "without any kind")
    ]
    unnamed = [
        world.add_broken_entry(breakage, GENERATED) for breakage in ("without name", "wrong types", "null")
    ]
    page = source.history_page(GENERATED, None)
    assert page.names[:4] == (*reversed(broken), newest, video)
    assert page.entry_count == len(page.names) + len(unnamed) == len(world.names(GENERATED))
    assert page.ignored == {Reason.VIDEO: 3, Reason.UNRECOGNISED: len(broken) + len(unnamed)}
    assert page.ignored_count == page.entry_count - len(page.images)


def test_an_image_that_lacks_an_id_is_kept_and_goes_by_what_it_has(source, world):
    lacking = {lost: world.add_broken_entry(f"without {lost}") for lost in LOST_IDS}
    images = {image.name: image for image in source.history_page(DRAWER, None).images}
    for lost, name in lacking.items():
        entry = world.entry(name)
        assert (images[name].media_key, images[name].workflow_id) == {
            "mediaGenerationId": (name, name),
            "mediaKey": (name, entry.workflow_id),
            "workflowId": (entry.media_key, entry.media_key),
        }[lost]


def test_an_empty_account_is_a_page_without_entries(source, flow, credentials):
    other = World(seed=2, email="grace@example.com")
    flow.add_world(other)
    credentials.kept = other.cookies()
    page = source.history_page(DRAWER, None)
    assert (page.images, page.names, page.entry_count, page.next_cursor) == ((), (), 0, None)


def test_preview_urls_on_hosts_that_are_not_allowed_are_left_out(open_source):
    page = open_source(picture_hosts=frozenset()).history_page(GENERATED, None)
    assert {image.fife_url for image in page.images} == {None}


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
    flow.respond_next("history", '{"result":{"data":')
    flow.respond_next("history", "")
    failure(FlowUnavailable, source.history_page, DRAWER, None)
    failure(FlowUnavailable, source.history_page, DRAWER, None)


def test_dead_cookies_are_signed_out(source, world, failure):
    world.sign_out()
    said = str(failure(SignedOut, source.history_page, DRAWER, None))
    assert "paste the cookies again" in said
    assert "https://flow.google.com, or at labs.google/fx only if your pictures still open there" in said


@pytest.mark.parametrize("status", [200, 401, 403])
@pytest.mark.parametrize("kind", ["history", "session"])
def test_a_page_for_people_is_signed_out_whatever_its_status(source, flow, failure, kind, status):
    flow.respond_next(kind, SIGN_IN_PAGE, "text/html", status=status)
    failure(SignedOut, *((source.history_page, DRAWER, None) if kind == "history" else (source.check,)))


def test_html_that_calls_itself_json_is_signed_out_all_the_same(source, flow, failure):
    flow.respond_next("history", "\n" + SIGN_IN_PAGE)
    failure(SignedOut, source.history_page, DRAWER, None)


def test_a_missing_address_is_a_change_and_no_matter_of_cookies(source, flow, failure):
    flow.respond_next("history", "<!doctype html><title>404</title>", "text/html", status=404)
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
    flow.respond_next(kind, "", "text/html", status=307, headers={"Location": location})
    call, argument = (
        (source.history_page, (DRAWER, None))
        if kind == "history"
        else (source.fetch_image, world.names()[:1])
    )
    failure(expected, call, *argument)


def test_an_account_that_moved_is_told_apart_from_one_that_is_signed_out(source, world, failure):
    world.migrate()
    said = str(failure(AccountMoved, source.history_page, DRAWER, None))
    assert "type flow.google.com in the address bar" in said
    assert "the request named flow.google.com and choose “Copy as cURL”" in said
    assert "labs.google" not in said


def test_an_expired_cursor_is_refused(source, world, failure):
    cursor = source.history_page(DRAWER, None).next_cursor
    world.expire_cursors()
    error = failure(CursorRefused, source.history_page, DRAWER, cursor)
    assert cursor not in str(error)


def test_a_cursor_that_the_service_quotes_is_not_quoted_on(source, flow, failure):
    flow.respond_next("history", {"error": {"json": {"message": "Bad cursor short-cursor"}}}, status=400)
    assert "Bad cursor" in str(failure(CursorRefused, source.history_page, DRAWER, "short-cursor"))
    flow.respond_next("history", {"error": {"json": {"message": "Bad cursor short-cursor"}}}, status=400)
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
    flow.respond_next(
        "history", {"error": {"json": {"message": "Unauthorized", "data": {"httpStatus": 401}}}}
    )
    failure(SignedOut, source.history_page, DRAWER, None)
    flow.respond_next("history", {"result": {"data": {"json": {"result": {}, "status": 401}}}})
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
    flow.respond_next("history", body)
    failure(FlowChanged, source.history_page, DRAWER, None)


def test_a_change_carries_a_sample_for_a_report_without_secrets(source, flow, credentials, failure):
    cookie = credentials.kept[SESSION_COOKIE]
    flow.respond_next(
        "history", {"shape": "new", "seen": cookie, "owner": "ada@example.com", "token": "t" * 90}
    )
    sample = failure(FlowChanged, source.history_page, DRAWER, None).sample
    assert '"shape": "new"' in sample
    assert cookie not in sample
    assert "ada" not in sample
    assert "ttt" not in sample


def test_a_history_answer_beyond_16_mb_is_a_change(source, flow):
    flow.respond_next("history", b" " * (16 * 1024 * 1024 + 1))
    with pytest.raises(FlowChanged, match="larger than 16 MB"):
        source.history_page(DRAWER, None)


def test_created_at_has_the_form_of_our_times(source):
    for image in source.history_page(DRAWER, None).images:
        assert times.timestamp(times.parsed(image.created_at)) == image.created_at

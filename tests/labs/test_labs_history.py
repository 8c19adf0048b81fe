"""The history of labs.google: requests, entries, and refusals."""

import pytest

from webapp.errors import (
    AccountMoved,
    CursorRefused,
    FlowChanged,
    HistoryRefused,
    SignedOut,
)
from webapp.sources import Reason

DRAWER, GENERATED = "ASSET_MANAGER", "PINHOLE"
LOST_IDS = ("mediaGenerationId", "mediaKey", "workflowId")
SIGN_IN_PAGE = "<!doctype html><title>Sign in - Google Accounts</title>"


def test_history_requests_are_those_of_the_web_page(source, flow, world):
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


def test_white_space_and_invisible_characters_are_removed_from_names(source, world):
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


def test_an_entry_without_a_time_and_without_one_above_has_none(source, world):
    world.change(world.names()[0], created_at=None)
    page = source.history_page(DRAWER, None)
    assert page.images[0].created_at is None
    assert page.last_created_at == page.images[-1].created_at


def test_entries_that_are_no_image_are_counted_by_reason_and_named(source, world):
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


def test_a_missing_id_is_replaced_by_another_id(source, world):
    lacking = {lost: world.add_broken_entry(f"without {lost}") for lost in LOST_IDS}
    images = {image.name: image for image in source.history_page(DRAWER, None).images}
    for lost, name in lacking.items():
        entry = world.entry(name)
        assert (images[name].media_key, images[name].workflow_id) == {
            "mediaGenerationId": (name, name),
            "mediaKey": (name, entry.workflow_id),
            "workflowId": (entry.media_key, entry.media_key),
        }[lost]


@pytest.mark.parametrize("status", [401, 403])
def test_a_sign_in_page_is_signed_out_whatever_its_status(source, flow, failure, status):
    flow.respond_next("history", SIGN_IN_PAGE, "text/html", status=status)
    failure(SignedOut, source.history_page, DRAWER, None)


def test_a_page_for_404_is_a_change_and_not_signed_out(source, flow, failure):
    flow.respond_next("history", "<!doctype html><title>404</title>", "text/html", status=404)
    failure(FlowChanged, source.history_page, DRAWER, None)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://labs.google/fx/api/auth/signin?callbackUrl=x", SignedOut),
        ("https://flow.google.com/", AccountMoved),
        ("//flow.google.com/about", AccountMoved),
        ("http://[broken", FlowChanged),
    ],
)
def test_a_redirect_says_signed_out_or_moved(source, flow, failure, location, expected):
    flow.respond_next("history", "", "text/html", status=307, headers={"Location": location})
    failure(expected, source.history_page, DRAWER, None)


def test_an_account_that_has_moved_is_not_signed_out(source, world, failure):
    world.migrate()
    error = str(failure(AccountMoved, source.history_page, DRAWER, None))
    assert "type flow.google.com in the address bar" in error
    assert "the request named flow.google.com and choose “Copy as cURL”" in error
    assert "labs.google" not in error


def test_a_cursor_quoted_by_the_service_is_redacted(source, flow, failure):
    flow.respond_next("history", {"error": {"json": {"message": "Bad cursor short-cursor"}}}, status=400)
    assert "Bad cursor" in str(failure(CursorRefused, source.history_page, DRAWER, "short-cursor"))
    flow.respond_next("history", {"error": {"json": {"message": "Bad cursor short-cursor"}}}, status=400)
    assert "short-cursor" not in str(failure(CursorRefused, source.history_page, DRAWER, "short-cursor"))


def test_a_refused_first_page_of_the_drawer_is_a_refused_cursor(source, flow, failure):
    flow.fail_next(400, "history")
    failure(CursorRefused, source.history_page, DRAWER, None)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_any_other_history_may_be_refused(source, flow, failure, status):
    flow.fail_next(status, "history")
    assert GENERATED in str(failure(HistoryRefused, source.history_page, GENERATED, None))


@pytest.mark.parametrize("status", [403, 404, 415, 201])
def test_an_unknown_refusal_of_the_drawer_is_a_change(source, flow, failure, status):
    flow.fail_next(status, "history")
    failure(FlowChanged, source.history_page, DRAWER, None)


def test_the_status_in_the_body_counts(source, flow, failure):
    flow.respond_next(
        "history", {"error": {"json": {"message": "Unauthorized", "data": {"httpStatus": 401}}}}
    )
    failure(SignedOut, source.history_page, DRAWER, None)
    flow.respond_next("history", {"result": {"data": {"json": {"result": {}, "status": 401}}}})
    failure(SignedOut, source.history_page, DRAWER, None)


@pytest.mark.parametrize(
    "result",
    [None, {"workflows": []}, {"userWorkflows": 7}, {"userWorkflows": [], "nextPageToken": 7}],
    ids=["none", "other fields", "entries", "token"],
)
def test_a_result_of_an_unknown_shape_is_a_change(source, flow, failure, result):
    flow.respond_next("history", {"result": {"data": {"json": {"result": result}}}})
    failure(FlowChanged, source.history_page, DRAWER, None)

"""Projects as history pages: the calls, cursors, the end of a walk, and failures."""

import json

import pytest
from kept import walk

from webapp.errors import CursorRefused, FlowChanged, FlowUnavailable, ProjectFailed
from webapp.sources import Reading, Reason
from webapp.sources.flow_google import FlowGoogleSource
from webapp.sources.flow_google.projects import ProjectList, read_listing_page

PROJECTS = "PROJECTS"


def read_ids(pages):
    return [page.project.id for page in pages if page.project]


def test_its_capabilities_are_projects_in_no_order_of_time(source):
    assert (source.capabilities.histories, source.capabilities.is_newest_first) == ((PROJECTS,), False)
    assert source.capabilities.available == (PROJECTS,)
    assert source.name == "flow.google.com"


def test_a_walk_reads_every_project_and_every_listing_page_once(source, flow, world):
    pages = walk(source, PROJECTS)
    ids = world.projects.ids()
    assert read_ids(pages) == ids
    assert flow.count("project") == len(ids)
    assert flow.count("projects") == -(-len(ids) // 4)
    assert [page.next_cursor is None for page in pages] == [False] * (len(ids) - 1) + [True]


def test_a_call_is_sent_as_the_protocol_says(source, flow, world):
    source.history_page(PROJECTS, None)
    listing, media = flow.asked("projects")[0], flow.asked("project")[0]
    assert listing.path == "/_/AiSandboxAngularFrontend/data/batchexecute"
    fields = dict(listing.query)
    assert int(media.query["_reqid"]) > int(fields.pop("_reqid"))
    assert fields == {
        "rpcids": "UpteDb",
        "source-path": "/",
        "bl": world.google.build,
        "f.sid": world.google.session_id,
        "hl": "en",
        "rt": "c",
    }
    assert listing.body.startswith(
        b"f.req=%5B%5B%5B%22UpteDb%22%2C%22%5B%5C%22projects%2F%2A%5C%22%2C20%2Cnull"
    )
    assert f"&at={world.google.token.replace(':', '%3A')}".encode() in listing.body
    for request in (listing, media):
        assert request.headers["cookie"] == world.google.cookie_header()
        assert "authorization" not in request.headers
        assert "Chrome" not in request.headers["user-agent"], "we say who we are"
        assert not [name for name in request.headers if name.startswith("sec-")]


def test_an_empty_project_is_a_page_of_one_entry(source, world):
    project_id = world.add_project("Ideas")
    page = source.history_page(PROJECTS, None)
    assert (page.project.id, page.project.title) == (project_id, "Ideas")
    assert (page.images, page.names, page.entry_count, page.ignored_count) == ((), (project_id,), 1, 0)


def test_a_project_has_the_title_and_time_of_its_card(source, world):
    project_id = world.projects.ids()[0]
    world.projects.rename(project_id, "  Kites — 凧 🪁 ")
    project = source.history_page(PROJECTS, None).project
    assert project.title == "Kites — 凧 🪁"
    assert project.made_at[:19] == world.projects.find(project_id).made_at.isoformat()[:19]


def test_skipped_projects_are_not_requested(source, flow, world):
    ids = world.projects.ids()
    page = source.history_page(PROJECTS, None, lambda project: project.id in ids[:6])
    assert page.project.id == ids[6]
    assert page.names[:7] == tuple(ids[:7])
    assert page.entry_count == 7 + len(world.entries_in(ids[6]))
    assert flow.count("project") == 1


def test_a_last_page_names_skipped_projects(source, flow, world):
    ids = world.projects.ids()
    cursor = source.history_page(PROJECTS, None).next_cursor
    page = source.history_page(PROJECTS, cursor, lambda project: True)
    assert (page.project, page.names, page.entry_count) == (None, tuple(ids[1:]), len(ids) - 1)
    assert [project.id for project in page.passed] == ids[1:]
    assert (page.images, page.next_cursor) == ((), None)
    assert flow.count("project") == 1


@pytest.mark.parametrize("read_count", [1, 3, 4, 5, 8])
def test_another_source_continues_at_any_project(open_source, world, read_count):
    source, cursor, ids = open_source(), None, world.projects.ids()
    for _ in range(read_count):
        cursor = source.history_page(PROJECTS, cursor).next_cursor
    assert read_ids(walk(open_source(), PROJECTS, cursor)) == ids[read_count:]


@pytest.mark.parametrize("is_kept", [True, False], ids=["same source", "another source"])
def test_new_projects_do_not_make_a_walk_miss_others(open_source, world, is_kept):
    source, ids = open_source(), world.projects.ids()
    cursor = source.history_page(PROJECTS, source.history_page(PROJECTS, None).next_cursor).next_cursor
    for _ in range(5):
        world.add_generated()
    rest = read_ids(walk(source if is_kept else open_source(), PROJECTS, cursor))
    assert set(ids[2:]) <= set(rest)


def test_a_listing_page_is_read_again_if_the_last_project_is_gone(open_source, world):
    source, ids = open_source(), world.projects.ids()
    cursor = source.history_page(PROJECTS, source.history_page(PROJECTS, None).next_cursor).next_cursor
    world.remove_project(ids[1])
    assert read_ids(walk(open_source(), PROJECTS, cursor)) == [ids[0], *ids[2:]]


def test_a_cursor_with_nothing_behind_it_any_more_is_the_end(open_source, world):
    source, ids = open_source(), world.projects.ids()
    cursor = source.history_page(PROJECTS, None).next_cursor
    for project_id in ids[1:]:
        world.remove_project(project_id)
    page = open_source().history_page(PROJECTS, cursor)
    assert (page.names, page.entry_count, page.project, page.next_cursor) == ((ids[0],), 1, None, None)


def test_a_cursor_to_an_empty_listing_page_is_refused(open_source, world, failure):
    source, cursor, ids = open_source(), None, world.projects.ids()
    for _ in range(4):
        cursor = source.history_page(PROJECTS, cursor).next_cursor
    assert json.loads(cursor)[1] is None
    for project_id in ids[4:]:
        world.remove_project(project_id)
    failure(CursorRefused, open_source().history_page, PROJECTS, cursor)


def test_a_cached_listing_page_is_not_requested_again(source, flow, world):
    cursor = source.history_page(PROJECTS, None).next_cursor
    asked_count = flow.count("projects")
    source.history_page(PROJECTS, cursor)
    assert flow.count("projects") == asked_count


def test_a_listing_page_is_cached_while_a_walk_uses_it(clock):
    asked = []

    def ask(cursor, seen):
        asked.append(cursor)
        return read_listing_page([[[f"p-{number}", None] for number in range(5)]], cursor, seen)

    projects = ProjectList(ask, clock)
    cursor = None
    for number in range(4):
        listing, project = next(projects.from_cursor(cursor))
        assert project.id == f"p-{number}"
        cursor = projects.cursor_behind(listing, project)
        clock.seconds += 400
    assert asked == [None]
    clock.seconds += 601
    next(projects.from_cursor(cursor))
    assert asked == [None, None]


def test_the_first_listing_page_is_always_requested(source, world):
    source.history_page(PROJECTS, None)
    project_id = world.add_project()
    assert source.history_page(PROJECTS, None).project.id == project_id


def test_a_listing_page_without_unseen_projects_is_the_end(source, flow, world):
    cards = [[project_id, ["", None, [1789201863, 0], None, None]] for project_id in world.projects.ids()[:3]]
    flow.payload_next("projects", [cards, "again"], count=9)
    assert len(walk(source, PROJECTS)) == 3
    assert flow.count("projects") == 2


def test_a_listing_page_without_projects_is_the_end(source, flow, world):
    cards = [[world.projects.ids()[0], None]]
    flow.payload_next("projects", [cards, "more"])
    flow.payload_next("projects", [])
    page = source.history_page(PROJECTS, None)
    assert (page.project.title, page.project.made_at, page.next_cursor) == ("", None, None)


def test_the_listing_token_is_sent_in_its_slot(source, flow, world):
    walk(source, PROJECTS)
    later = flow.asked("projects")[1]
    assert b"%5C%22projects%2F%2A%5C%22%2C20%2C%5C%22qgGS" in later.body


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "7",
        "null",
        "[]",
        '["a"]',
        '["a",7]',
        '[1,"b"]',
        '{"a":1}',
        "[" * 50_000,
        '["' + "a" * 60_000 + '",null]',
    ],
)
def test_a_malformed_cursor_is_refused_without_a_request(source, flow, failure, cursor):
    failure(CursorRefused, source.history_page, PROJECTS, cursor)
    assert flow.log == []


def test_a_project_deleted_during_a_walk_is_a_page_that_says_so(source, world):
    first = source.history_page(PROJECTS, None)
    gone = world.projects.ids()[1]
    world.remove_project(gone)
    page = source.history_page(PROJECTS, first.next_cursor)
    assert (page.project.id, page.images, page.entry_count) == (gone, (), 1)
    assert page.reading is Reading.NOT_FOUND


@pytest.mark.parametrize("code", [3, 5, 6, 7, 9, 11, 12, 15, 99])
def test_a_refused_project_is_a_page_that_says_why(source, world, code):
    refused = world.projects.ids()[1]
    world.refuse_project(refused, code, "PUBLIC_ERROR_SOMETHING")
    pages = walk(source, PROJECTS)
    assert read_ids(pages) == world.projects.ids()
    readings = {page.project.id: page.reading for page in pages}
    assert readings.pop(refused) is (Reading.NOT_FOUND if code == 5 else Reading.REFUSED)
    assert set(readings.values()) == {Reading.READ}
    assert pages[1].failure == ("not found" if code == 5 else "PUBLIC_ERROR_SOMETHING")


@pytest.mark.parametrize("code", [2, 4, 10, 13, 14])
def test_a_transient_failure_carries_a_page_to_continue_with(source, world, code):
    world.refuse_project(world.projects.ids()[0], code, "PUBLIC_ERROR_INTERNAL")
    with pytest.raises(ProjectFailed) as raised:
        source.history_page(PROJECTS, None)
    page = raised.value.page
    assert (page.reading, page.failure) == (Reading.REFUSED, "PUBLIC_ERROR_INTERNAL")
    assert source.history_page(PROJECTS, page.next_cursor).project.id == world.projects.ids()[1]


@pytest.mark.parametrize("status", [400, 404, 410, 413])
def test_a_project_refused_by_the_transport_is_a_page_too(source, flow, world, status):
    flow.fail_next(status, "project")
    assert source.history_page(PROJECTS, None).reading is Reading.REFUSED


@pytest.mark.parametrize("slot", [5, 6])
def test_an_error_row_has_its_code_at_five_or_six(source, flow, world, failure, slot):
    world.google.error_slot = slot
    flow.fail_next(500, "projects")
    failure(FlowUnavailable, source.history_page, PROJECTS, None)


def test_a_missing_response_carries_a_page_to_continue_with(source, flow, world):
    flow.drop_next("project")
    with pytest.raises(FlowUnavailable) as raised:
        source.history_page(PROJECTS, None)
    assert raised.value.page.reading is Reading.REFUSED


def test_a_project_that_is_too_large_is_a_page_that_says_so(source, flow, world):
    flow.respond_next("project", b" " * (64 * 1024 * 1024 + 1))
    page = source.history_page(PROJECTS, None)
    assert (page.reading, page.failure) == (Reading.REFUSED, "its answer is too large")


@pytest.mark.parametrize("payload", [None, [], [None], [None, None], [None, None, None], [None, [], []]])
def test_an_empty_project_has_many_forms(source: FlowGoogleSource, flow, payload):
    flow.payload_next("project", payload)
    page = source.history_page(PROJECTS, None)
    assert (page.images, page.entry_count) == ((), 1)


@pytest.mark.parametrize(
    "payload", [7, "x", {"a": 1}, [None, {}], [None, [], 7], [None, None, "x"], [None, [], [], {"a": 1}]]
)
def test_contents_of_an_unknown_shape_are_a_change(source, flow, failure, payload):
    flow.payload_next("project", payload)
    failure(FlowChanged, source.history_page, PROJECTS, None)


@pytest.mark.parametrize("payload", [7, {"a": 1}, [7], [{}], [[["id", None]], 7]])
def test_a_listing_of_an_unknown_shape_is_a_change(source, flow, failure, payload):
    flow.payload_next("projects", payload)
    failure(FlowChanged, source.history_page, PROJECTS, None)


@pytest.mark.parametrize("odd", [7, None, [], [7], ["", None], {"id": "x"}])
def test_a_card_without_an_id_is_counted_and_does_not_lose_another(source, flow, world, odd):
    first, second = world.projects.ids()[:2]
    flow.payload_next("projects", [[[first, None], odd, [second, None]]])
    pages = walk(source, PROJECTS)
    assert read_ids(pages) == [first, second]
    assert sum(page.ignored.get(Reason.UNRECOGNISED, 0) for page in pages) == 1
    assert "card without an id" in pages[0].sample


def test_a_listing_page_of_cards_without_ids_is_not_the_end(source, flow, world):
    first, second = world.projects.ids()[:2]
    flow.payload_next("projects", [[[first, None]], "more"])
    flow.payload_next("projects", [[[7], [8]], "and more"])
    flow.payload_next("projects", [[[second, None]]])
    assert read_ids(walk(source, PROJECTS)) == [first, second]


def test_an_account_with_cards_without_ids_is_not_empty(source, flow):
    flow.payload_next("projects", [[[7], [8]]])
    page = source.history_page(PROJECTS, None)
    assert (page.entry_count, page.ignored) == (2, {Reason.UNRECOGNISED: 2})

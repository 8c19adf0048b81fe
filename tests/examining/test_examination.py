"""An examination makes each kind of call once and describes the results."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from webapp import store
from webapp.background.examination import KEEP_SECONDS, Examinations
from webapp.database.models import Gap, Image, Profile, Project, Run
from webapp.database.states import Health
from webapp.sources import Reason
from webapp.sources.examination import reasons_counted
from webapp.store import profiles

START = "start page (GET /)"
LISTING = "list of projects (UpteDb)"
PROJECT = "a project (Zzl0ze)"
ADDRESS = "URL of an image (as29s)"
PICTURE = "image file (GET)"
PERSON = "e-mail (o30O0e)"
SESSION = "sign-in (session)"
PAGE = "a page of the history (ASSET_MANAGER)"
KEY = "API key (page and script)"
IMAGE = "an image (media)"
ONCE = ["start", "projects", "project", "address", "picture", "person"]


def kinds(flow):
    return [request.kind for request in flow.log]


def rows():
    with store.connection():
        return [model.select().count() for model in (Image, Project, Run)] + [
            (gap.history, gap.cursor) for gap in Gap.select()
        ]


def test_each_call_of_the_new_flow_is_made_once_and_nothing_is_stored(moved_id, flow, examine):
    flow.reset()
    before = rows()
    found = examine(moved_id)
    assert (found["isWell"], found["service"]) == (True, "flow.google.com")
    assert kinds(flow) == ONCE
    assert list(found["by"]) == [START, LISTING, PROJECT, ADDRESS, PICTURE, PERSON]
    assert "SNlM0e, cfb2h, FdrFJe; signed in" in found["by"][START]["recognised"]
    assert found["by"][LISTING]["recognised"].startswith("signed in; 6 projects, no other page")
    assert found["by"][PICTURE]["recognised"].startswith("JPEG, ")
    assert found["by"][PERSON]["recognised"] == "the same e-mail as on the start page"
    assert rows() == before


def test_each_call_of_labs_is_made_once_and_nothing_is_stored(profile_id, flow, examine):
    flow.reset()
    before = rows()
    found = examine(profile_id)
    assert (found["isWell"], found["service"]) == (True, "labs.google")
    assert kinds(flow) == ["session", "history", "page", "script", "media"]
    assert [step["isWell"] for step in found["steps"]] == [True] * 5
    assert rows() == before


def test_an_unrecognised_record_is_reported_by_its_kind_and_later_steps_are_made(moved_id, world, examine):
    newest = world.projects.ids()[0]
    world.odd_record(newest, ["x" * 36, newest, None, None, "odd", [], None, None, ["arm"]])
    found = examine(moved_id)
    assert found["isWell"] is False
    assert found["by"][PROJECT]["unrecognised"] == "slot 4 (1), arm 8 (1)"
    assert found["by"][PICTURE]["isWell"] is True
    outlines = next(step["outline"] for step in found["report"]["steps"] if step["asked"] == PROJECT)
    assert outlines["record: arm 8"][8] == ["<text of 3>"]


def test_a_refused_project_is_a_failed_step_and_the_next_project_is_read(moved_id, world, flow, examine):
    flow.reset()
    world.refuse_project(world.projects.ids()[0])
    found = examine(moved_id)
    first, second = [step for step in found["steps"] if step["asked"] == PROJECT]
    assert (first["isWell"], first["unrecognised"]) == (
        False,
        "refused: error 7 PUBLIC_ERROR_PERMISSION_DENIED",
    )
    assert second["isWell"] is True
    assert kinds(flow).count("project") == 2


def test_at_most_three_projects_are_read(moved_id, world, flow, examine):
    flow.reset()
    for project_id in world.projects.ids():
        world.empty_project(project_id)
    found = examine(moved_id)
    assert found["isWell"] is True
    assert kinds(flow).count("project") == 3
    assert found["by"][ADDRESS]["came"] == "not asked: no image was found"
    assert found["by"][ADDRESS]["isAsked"] is False


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("projects", LISTING),
        ("project", PROJECT),
        ("address", ADDRESS),
        ("picture", PICTURE),
        ("person", PERSON),
    ],
)
def test_every_failed_call_is_a_failed_step_and_is_not_retried(moved_id, flow, examine, kind, asked):
    flow.reset()
    flow.fail_next(500, kind)
    found = examine(moved_id)
    assert [step["asked"] for step in found["steps"] if not step["isWell"]] == [asked]
    assert kinds(flow).count(kind) <= (2 if kind == "project" else 1)  # another project is read
    assert kinds(flow).count("person") == 1


def test_a_start_page_without_the_values_that_calls_need_is_reported(moved_id, running, flow):
    flow.reset()
    flow.respond_next("start", '<!doctype html><script>{"SNlM0e":"AIQ-1:2"}</script>', "text/html")
    steps = {step["asked"]: step for step in examine_anew(running, moved_id)}
    assert steps[START]["unrecognised"] == "not there: oPEP7c, cfb2h, FdrFJe"
    assert steps[LISTING]["came"] == "not asked: calls need what the start page says"
    assert kinds(flow) == ["start"]


def examine_anew(running, profile_id):
    """Examine in a new process, which has not read the start page yet."""
    response = running().test_client().post(f"/api/profiles/{profile_id}/examine", json={})
    return response.get_json()["data"]["steps"]


def test_a_start_page_without_email_and_token_is_well_if_the_calls_return_them(
    moved_id, world, flow, examine
):
    world.google.hides_email = world.google.hides_token = True
    flow.reset()
    found = examine(moved_id)
    assert found["isWell"] is True
    assert found["by"][START]["unrecognised"] == "missing, as it may be: oPEP7c, SNlM0e"
    assert found["by"][PERSON]["recognised"] == "an e-mail"
    assert kinds(flow).count("projects") == 2  # the refusal of the first brings the token
    world.google.hides_person = True
    found = examine(moved_id)
    assert found["by"][PERSON]["unrecognised"] == "no e-mail in its place"
    assert found["isWell"] is False


def test_cards_without_an_id_are_counted(moved_id, flow, examine):
    flow.payload_next("projects", [[[None, ["x"]], 7]])
    found = examine(moved_id)
    assert found["by"][LISTING]["unrecognised"] == "2 cards without an id"
    assert found["by"][PROJECT]["came"] == "not asked: no project was listed"
    assert found["isWell"] is False


def test_cookies_that_responses_renew_are_stored(moved_id, world, flow, examine):
    world.google.rotate()
    assert examine(moved_id)["isWell"] is True
    with store.connection():
        assert profiles.get_cookies(moved_id) == world.google.cookies()


def test_signed_out_ends_the_examination_and_sets_the_health_of_the_profile(moved_id, world, flow, examine):
    world.google.sign_out()
    flow.reset()
    found = examine(moved_id)
    assert found["isWell"] is False
    assert found["by"][LISTING]["unrecognised"].startswith("signed out")
    assert {step["came"] for step in found["steps"][2:]} == {"not asked: signed out"}
    assert not {"project", "address", "person"} & set(kinds(flow))
    with store.connection():
        assert Profile.get().health == Health.WAITING_FOR_COOKIES


def test_after_unusual_activity_no_further_request_is_made(moved_id, world, flow, client, examine):
    world.unusual_activity = True
    flow.reset()
    found = examine(moved_id)
    assert found["by"][LISTING]["unrecognised"].startswith("unusual activity")
    assert {step["came"] for step in found["steps"][2:]} == {"not asked: unusual activity"}
    assert kinds(flow) == ["start", "projects"]
    flow.reset()
    response = client.post(f"/api/profiles/{moved_id}/examine", json={})
    assert (response.status_code, kinds(flow)) == (503, [])
    assert "sends no requests for an hour" in response.get_json()["error"]
    page = client.post(f"/profiles/{moved_id}/examine")
    assert (page.status_code, kinds(flow)) == (422, [])
    assert "sends no requests for an hour" in page.text


def test_a_moved_account_is_reported_and_the_other_labs_calls_are_made(profile_id, world, flow, examine):
    world.migrate()
    flow.reset()
    found = examine(profile_id)
    assert found["by"][SESSION]["isWell"] is True
    assert found["by"][PAGE]["unrecognised"] == "the account has moved to flow.google.com"
    assert found["by"][KEY]["came"].endswith("leads to <URL at flow.google.com>")
    assert found["by"][IMAGE]["isAsked"] is False
    with store.connection():
        assert Profile.get().health == Health.MOVED


def test_an_unreadable_history_is_reported_with_its_outline(profile_id, flow, examine):
    flow.respond_next("history", {"result": {"data": {"json": {"rows": [1, "x"]}}}})
    found = examine(profile_id)
    step = found["report"]["steps"][1]
    assert step["unrecognised"] == "its “result” is missing"
    assert step["outline"] == {"result": {"data": {"json": {"<field 0>": [1, "<text of 1>"]}}}}
    assert found["by"][KEY]["isWell"] is True


def test_a_refused_image_of_labs_is_reported_by_its_error_name(profile_id, flow, examine):
    flow.fail_next(403, "media", reason="SOMETHING_NEW_DENIED")
    found = examine(profile_id)
    assert found["by"][IMAGE]["unrecognised"] == "refused: HTTP 403 <word>_<word>_DENIED"
    assert found["by"][PICTURE.split(" (", maxsplit=1)[0]]["isAsked"] is False


def test_a_successful_examination_sets_the_health_of_the_profile(moved_id, examine):
    with store.connection():
        profiles.note_health(moved_id, Health.WAITING_FOR_COOKIES, "They had expired.")
    examine(moved_id)
    with store.connection():
        assert Profile.get().health == Health.WELL


def test_cookies_of_another_account_are_reported(moved_id, examine):
    with store.connection():
        Profile.update(account_email="grace@example.com", account_key=None).execute()
    found = examine(moved_id)
    assert found["steps"][-1]["unrecognised"] == "the cookies sign in to another account"
    assert found["isWell"] is False


def test_each_profile_has_one_examination_at_a_time(moved_id, flow, client):
    with flow.holding("project") as gate, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, f"/api/profiles/{moved_id}/examine", json={})
        assert gate.reached.wait(5)
        second = client.post(f"/api/profiles/{moved_id}/examine", json={})
        gate.release()
        assert first.result().status_code == 200
    assert (second.status_code, second.get_json()["code"]) == (409, "busy")


def test_the_result_is_a_page_with_a_report_to_download(moved_id, client, world):
    gone = client.get(f"/profiles/{moved_id}/examination")
    assert "There is no result to show" in gone.text
    response = client.post(f"/profiles/{moved_id}/examine")
    assert (response.status_code, response.headers["Location"]) == (303, f"/profiles/{moved_id}/examination")
    page = client.get(response.headers["Location"])
    assert "Everything works" in page.text
    assert "Start page (GET /)" in page.text
    report = client.get(f"/profiles/{moved_id}/examination/report.json")
    assert report.headers["Content-Disposition"].startswith('attachment; filename="flowshelf-report-')
    assert report.get_json()["service"] == "flow.google.com"
    assert client.get("/profiles/profile_x/examination/report.json").status_code == 404


def test_a_result_is_kept_for_ten_minutes(moved_id, work):
    seconds = 0.0
    examinations = Examinations(work.connections, clock=lambda: seconds)
    with store.connection():
        made = examinations.examine(moved_id)
    assert examinations.last(moved_id) is made
    seconds = KEEP_SECONDS
    assert examinations.last(moved_id) is None


def test_reasons_are_described_in_words():
    assert reasons_counted({Reason.NOT_READY: 2, Reason.UNRECOGNISED: 1}) == "; not stored: not ready (2)"

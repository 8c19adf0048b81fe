"""Which views anonymous visitors and guests can use."""

import re
from urllib.parse import urlencode

import pytest

from webapp import store
from webapp.database.models import Image
from webapp.database.states import Role
from webapp.web.views import api

# All views that are not only for the owner. Think twice before you add one.
FOR_ANONYMOUS = {"static", "health.healthz", "share.enter", "share.show_sign_in", "share.sign_in"}
FOR_ANONYMOUS |= {"companion_relay.pair", "installation.show_manifest"}
FOR_GUESTS = FOR_ANONYMOUS | {
    "gallery.show_gallery",
    "gallery.show_filters",
    "gallery.show_grid",
    "gallery.show_more",
    "images.show_image",
    "images.show_position",
    "comparison.show_comparison",
    "images.send_image",
    "images.send_thumbnail",
    "preferences.choose_density",
    "preferences.choose_theme",
    "share.sign_out",
    "api.get_local_images",
    "api.list_collections",
    "collections.show_collections",
    "collections.show_collection",
    "help.list_topics",
    "help.show_topic",
}
LOCAL = "/api/image-veo3/get-local-images"


def every_route(app):
    """Method, path and endpoint of every route."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:int[^:]*:)\w+>", "1", rule.rule)
        path = re.sub(r"<any\(([^,)]+)[^:]*:\w+>", r"\1", path)
        path = re.sub(r"<[^>]+>", "owner" if "share" in rule.rule else "x", path)
        for method in sorted(rule.methods - {"OPTIONS"}):
            yield method, path, rule.endpoint


@pytest.mark.parametrize(
    ("role", "allowed", "refusal"), [(Role.ANONYMOUS, FOR_ANONYMOUS, 401), (Role.GUEST, FOR_GUESTS, 403)]
)
def test_each_role_can_use_only_the_views_listed_here(app, visit, role, allowed, refusal):
    visitor, got = visit(role), set()
    for method, path, endpoint in every_route(app):
        if endpoint == "share.sign_out":
            continue
        response = visitor.send(method, path)
        if response.status not in (401, 403):
            got.add(endpoint)
        elif endpoint in allowed:
            assert "code" in response.text or "Sign in" in response.text, (method, path)
        else:
            assert response.status == refusal, (method, path)
    assert got <= allowed
    assert allowed - got <= {"share.sign_in", "share.sign_out", "companion_relay.pair"}  # they need a code


def test_an_unmarked_view_is_only_for_the_owner(running, visit, serving):
    app = running(share=True)
    app.add_url_rule("/new", view_func=lambda: "a secret", endpoint="new")
    codes = app.extensions["flowshelf.sharing"].codes
    with serving(app) as url:
        visitors = {role: type(visit())(url) for role in (Role.GUEST, Role.OWNER)}
        for role, visitor in visitors.items():
            visitor.get(f"/enter?code={codes.code_of(role)}")
        assert type(visit())(url).get("/new").status == 401
        assert visitors[Role.GUEST].get("/new").status == 403
        assert visitors[Role.OWNER].get("/new").text == "a secret"


def test_anonymous_requests_are_asked_to_sign_in_as_page_json_or_fragment(anonymous):
    page = anonymous.get("/profiles?q=1")
    assert page.status == 401
    assert "Sign in to Flowshelf" in page.text
    assert 'name="next" value="/profiles?q=1"' in page.text
    assert anonymous.call(LOCAL, {}).json["code"] == "sign_in"
    assert anonymous.get("/api/profiles").headers["WWW-Authenticate"] == "Bearer"
    assert anonymous.get("/panels/sync", HX_Request="true").headers["HX-Refresh"] == "true"


def test_anonymous_visitors_and_guests_get_only_the_status_of_healthz(anonymous, guest, owner):
    assert anonymous.get("/healthz").json == guest.get("/healthz").json == {"status": "ok"}
    assert "version" in owner.get("/healthz").json


def test_a_guest_sees_images_but_no_paths_accounts_or_flow_urls(guest, shelf, config, world, flow):
    shown, waiting, hidden = shelf[0], shelf[4], shelf[2]
    with store.connection():
        Image.update(local_path=None).where(Image.id == shelf[1].id).execute()
    pages = [
        guest.get(path) for path in ("/", "/?q=a", "/grid", "/grid/more", f"/?profile={shown.profile_id}")
    ]
    pages += [guest.get(f"/images/{image.id}") for image in (shown, waiting)]
    assert {page.status for page in pages} == {200}
    secrets = [str(config.data_dir), flow.picture_host, world.email, "session-token", shown.sha256]
    for page in pages:
        assert not [secret for secret in secrets if secret in page.text]
        assert hidden.id not in page.text
        assert set(re.findall(r' action="([^"]+)"', page.text)) <= {"/", "/density", "/theme", "/sign-out"}
        assert flow.picture_host not in page.headers["Content-Security-Policy"]
    assert f"/images/{shown.id}/thumbnail" in pages[0].text


def test_a_guest_sees_no_account_of_a_profile_without_a_name(guest, owner, shelf, world):
    owner.post(f"/profiles/{shelf[0].profile_id}/name", {"name": ""})
    for path in ("/", "/grid", f"/?profile={shelf[0].profile_id}", f"/images/{shelf[0].id}"):
        assert world.email not in guest.get(path).text
    assert "Shelf 1" in guest.get(f"/?profile={shelf[0].profile_id}").text
    assert "Shelf 1" in guest.get(f"/images/{shelf[0].id}").text
    assert world.email in owner.get("/profiles").text


def test_the_timeline_of_a_guest_counts_no_hidden_images_and_leads_to_none(guest, owner, shelf):
    months = ("2024-01", "2024-02", "2024-03")
    with store.connection(), store.transaction():
        for number in range(240):
            month = months[number % 3]
            moment = f"{month}-05T00:00:00.{number:06}Z"
            is_hidden = month == "2024-02" or number % 30 == 0
            Image.create(
                id=f"{number:032x}",
                profile_id=shelf[0].profile_id,
                name=f"more-{number}",
                media_key=f"more-{number}",
                workflow_id=f"more-{number}",
                created_at=moment,
                kind="generated",
                hidden_at=moment if is_hidden else None,
            )
    rail = guest.get("/").text.partition('id="timeline"')[2].partition("</nav>")[0]
    assert "March 2024 · 80 images" in rail
    assert "January 2024 · 72 images" in rail
    assert "February 2024" not in rail
    assert "hx-get" not in rail
    for path in ("/?at=2024-02", "/grid?at=2024-02"):
        shown = re.findall(r'id="card-(\w+)"', guest.get(path).text)
        assert shown
        assert all(int(image_id, 16) % 3 == 0 and int(image_id, 16) % 30 for image_id in shown)
    assert guest.get("/?at=2024-02&state=hidden").status == 403
    assert guest.get("/timeline").status == 403


def test_a_guest_can_save_an_image_but_not_find_a_hidden_one(guest, shelf, world):
    shown, hidden = shelf[0], shelf[2]
    saved = guest.get(f"/images/{shown.id}/file?attachment")
    original = world.content(shown.name)
    assert saved.content.startswith(original[:2])  # with its metadata in between
    assert saved.content.endswith(original[200:])
    assert saved.headers["Content-Disposition"].startswith("attachment")
    assert "private" in saved.headers["Cache-Control"]
    with store.connection():
        Image.update(local_path=shown.file_path).where(Image.id == hidden.id).execute()
    for path in (f"/images/{hidden.id}", f"/images/{hidden.id}/file", f"/images/{hidden.id}/thumbnail/320"):
        assert guest.get(path).status == 404
    assert guest.get("/?state=hidden").status == 403
    assert guest.get("/grid?state=failed").status == 403


def test_a_guest_can_compare_and_count_but_not_hide_delete_or_open_in_flow(guest, owner, shelf):
    shown, other, hidden = shelf[0], shelf[1], shelf[2]
    with store.connection():
        Image.update(project_id="p1").where(Image.id == shown.id).execute()
    both = guest.get(f"/compare?id={shown.id}&id={other.id}")
    assert both.status == 200
    assert f"/images/{shown.id}/file" in both.text
    assert guest.get(f"/compare?id={shown.id}&id={hidden.id}").status == 404
    assert guest.get(f"/images/{hidden.id}/position").status == 404
    assert guest.get(f"/images/{shown.id}/position?project=p1").status == 403
    assert guest.get(f"/images/{shown.id}/position").text.strip() == f"1 of {len(shelf) - 1}"
    for selector in ('id="hide"', 'id="delete"', 'id="open-in-flow"', "lightbox-tick"):
        assert selector not in guest.get(f"/images/{shown.id}").text + guest.get("/").text + both.text
    assert 'id="open-in-flow"' in owner.get(f"/images/{shown.id}").text
    with store.connection():
        moment = Image.get_by_id(hidden.id).hidden_at
    assert "hidden now" in owner.get(f"/images/{shown.id}?hid={moment}").text
    assert "hidden now" not in guest.get(f"/images/{shown.id}?hid={moment}").text


def test_no_request_of_a_guest_causes_a_request_to_flow(app, guest, shelf, flow):
    flow.world.expire_tokens()
    flow.reset()
    for method, path, _ in every_route(app):
        if path != "/sign-out":
            guest.send(method, path.replace("/x", f"/{shelf[4].id}"))
    guest.post("/previews", {"id": shelf[4].id})
    guest.post("/downloads", {"only": shelf[4].id})
    guest.call(
        "/api/image-veo3/download-single", {"profileId": shelf[4].profile_id, "imageName": shelf[4].name}
    )
    assert flow.log == []


def test_the_api_gives_guests_no_paths_or_preview_urls(anonymous, shelf, codes):
    def listed(role):
        bearer = {"Authorization": f"Bearer {codes[role]}"}
        response = anonymous.call(LOCAL, {"profileId": shelf[0].profile_id}, **bearer)
        return {name for image in response.json["data"] for name in image}

    assert {"localPath", "fifeUrl"} <= listed(Role.OWNER)
    of_the_owner = {"localPath", "fifeUrl", "projectId", "title", "version", "isArchived"}
    assert listed(Role.GUEST) == listed(Role.OWNER) - of_the_owner
    bearer = {"Authorization": f"Bearer {codes[Role.GUEST]}"}
    assert anonymous.get("/api/profiles", **bearer).json["code"] == "forbidden"


def test_a_guest_finds_and_sees_no_titles_or_projects(owner, guest, shelf):
    """Titles are the owner's own names: no page shows them, and no search tells them letter by letter."""
    titled, both = shelf[0], shelf[4]
    with store.connection():
        Image.update(prompt=None, title="Zyxthorn bride").where(Image.id == titled.id).execute()
        Image.update(prompt="a Zyxquiet sea", title="Zyxthorn sea", project_id="p1").where(
            Image.id == both.id
        ).execute()
    for words in ("Zyxthorn", "zyxt", "zyxthorn+sea", "quiet+zyxthorn", "yxt"):
        for path in ("/grid?q=", "/?q=", "/grid/more?q="):
            found = guest.get(path + words).text
            assert titled.id not in found
            assert both.id not in found
        assert both.id in owner.get(f"/grid?q={words}").text
    for words in ("zyx", "zyxquiet", "sea+zyxquiet", both.media_key, both.name):
        assert both.id in guest.get(f"/grid?q={words}").text
    for path in ("/", f"/images/{titled.id}", f"/images/{both.id}", f"/images/{both.id}?q=zyxt"):
        assert "zyxthorn" not in guest.get(path).text.lower()
    assert "Zyxthorn bride" in owner.get("/").text
    neighbours = guest.get(f"/images/{both.id}?q=zyxthorn")
    assert titled.id not in neighbours.text
    assert guest.get("/grid?project=p1").status == guest.get("/grid?project=p2").status == 403


@pytest.mark.parametrize(
    "text",
    [
        *("project:p1", "-project:p2", "kite OR project:p1", "is:hidden", "-is:hidden", "kite OR IS:Hidden"),
        *("is:pending", "is:active", "is:failed", "is:gone", "is:damaged", "is:changed"),
    ],
)
def test_a_guests_search_for_what_guests_are_not_shown_is_refused(guest, shelf, text):
    for path in ("/", "/grid", "/grid/more", f"/images/{shelf[0].id}", f"/images/{shelf[0].id}/position"):
        refused = guest.get(f"{path}?{urlencode({'q': text})}")
        assert refused.status == 403
        assert "Guests can" in refused.text


def test_a_guests_search_tells_nothing_of_titles_and_hidden_images(owner, guest, shelf):
    """Not by the images found, nor by what is said of those that are not."""
    with store.connection():
        Image.update(prompt="a sea", title="Zyxthorn", project_id="p1", seed=77).execute()
        Image.update(prompt="Qwertz", hidden_at="2026").where(Image.id == shelf[1].id).execute()
    assert shelf[0].id not in owner.get("/grid?q=sea+-zyxthorn").text
    for text in ("-zyxthorn", "sea -zyxthorn", "zyxthorn OR sea", "is:downloaded OR sea", "seed:77 sea"):
        assert shelf[0].id in guest.get(f"/grid?{urlencode({'q': text})}").text
    for text in ("zyxthorn", '"zyxthorn"', "zyxthorn OR zeppelin", "qwertz", "qwertz OR zeppelin"):
        found = guest.get(f"/grid?{urlencode({'q': text})}").text
        assert "No image" in found
        assert not [image.id for image in shelf if image.id in found]
    assert "No image has “zyxthorn” or “qwertz”." in guest.get("/grid?q=zyxthorn+qwertz+sea").text


def test_a_guest_gets_a_list_page_by_page(guest, owner, shelf, monkeypatch):
    monkeypatch.setattr(api, "MAX_GUEST_IMAGES", 2)
    profile_id, ids, before, sizes = shelf[0].profile_id, [], None, []
    while before is not None or not sizes:
        response = guest.call(LOCAL, {"profileId": profile_id, "before": before}).json
        ids += [image["id"] for image in response["data"]]
        sizes.append(len(response["data"]))
        before = response.get("nextBefore")
    assert sizes == [2, 2, 1]
    assert ids == [image.id for image in shelf if image.id != shelf[2].id]
    assert guest.call(LOCAL, {"profileId": profile_id, "limit": 1}).json["nextBefore"] == ids[0]
    refused = guest.call(LOCAL, {"profileId": profile_id, "limit": 3})
    assert (refused.status, refused.json["code"]) == (400, "bad_request")
    assert "at most 2" in refused.json["error"]
    assert "keep others waiting" in refused.json["error"]
    everything = owner.call(LOCAL, {"profileId": profile_id}).json
    assert [image["id"] for image in everything["data"]] == ids
    assert "nextBefore" not in everything


def test_a_list_of_long_prompts_is_cut_by_its_bytes(guest, shelf):
    with store.connection():
        Image.update(prompt="x" * 600_000).execute()
    response = guest.call(LOCAL, {"profileId": shelf[0].profile_id}).json
    assert [image["id"] for image in response["data"]] == [shelf[0].id]
    assert response["nextBefore"] == shelf[0].id

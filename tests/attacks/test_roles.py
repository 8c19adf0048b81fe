"""What strangers and guests get of each address, over a real socket: what is said to be theirs."""

import re

import pytest

from webapp import store
from webapp.database.models import Image
from webapp.database.states import Role

# Every view that somebody else than the owner may ask. A new one belongs here only after thinking twice.
FOR_ANONYMOUS = {"static", "health.healthz", "share.enter", "share.show_sign_in", "share.sign_in"}
FOR_GUESTS = FOR_ANONYMOUS | {
    "gallery.show_gallery",
    "gallery.show_grid",
    "gallery.show_more",
    "images.show_image",
    "images.send_image",
    "images.send_thumbnail",
    "preferences.choose_density",
    "preferences.choose_theme",
    "share.sign_out",
    "api.get_local_images",
}
LOCAL = "/api/image-veo3/get-local-images"


def every_address(app):
    """Method, path and endpoint of all that can be asked."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:int[^:]*:)\w+>", "1", rule.rule)
        path = re.sub(r"<any\(([^,)]+)[^:]*:\w+>", r"\1", path)
        path = re.sub(r"<[^>]+>", "owner" if "share" in rule.rule else "x", path)
        for method in sorted(rule.methods - {"OPTIONS"}):
            yield method, path, rule.endpoint


@pytest.mark.parametrize(
    ("role", "allowed", "refusal"), [(Role.ANONYMOUS, FOR_ANONYMOUS, 401), (Role.GUEST, FOR_GUESTS, 403)]
)
def test_each_role_gets_what_is_listed_here_and_nothing_else(app, come, role, allowed, refusal):
    visitor, got = come(role), set()
    for method, path, endpoint in every_address(app):
        if endpoint == "share.sign_out":
            continue
        answer = visitor.ask(method, path)
        if answer.status not in (401, 403):
            got.add(endpoint)
        elif endpoint in allowed:
            assert "code" in answer.text or "Sign in" in answer.text, (method, path)
        else:
            assert answer.status == refusal, (method, path)
    assert got <= allowed
    assert allowed - got <= {"share.sign_in", "share.sign_out"}  # without a code there is no way in


def test_a_view_that_nobody_marked_is_the_owners(running, come, serving):
    app = running(share=True)
    app.add_url_rule("/new", view_func=lambda: "a secret", endpoint="new")
    codes = app.extensions["flowshelf.sharing"].codes
    with serving(app) as url:
        visitors = {role: type(come())(url) for role in (Role.GUEST, Role.OWNER)}
        for role, visitor in visitors.items():
            visitor.get(f"/enter?code={codes.code_of(role)}")
        assert type(come())(url).get("/new").status == 401
        assert visitors[Role.GUEST].get("/new").status == 403
        assert visitors[Role.OWNER].get("/new").text == "a secret"


def test_strangers_are_asked_to_sign_in_as_they_can_be_answered(stranger):
    page = stranger.get("/profiles?q=1")
    assert page.status == 401
    assert "Sign in to Flowshelf" in page.text
    assert 'name="next" value="/profiles?q=1"' in page.text
    assert stranger.call(LOCAL, {}).json["code"] == "sign_in"
    assert stranger.get("/api/profiles").headers["WWW-Authenticate"] == "Bearer"
    assert stranger.get("/panels/sync", HX_Request="true").headers["HX-Refresh"] == "true"


def test_strangers_learn_that_it_is_well_and_nothing_else(stranger, guest, owner):
    assert stranger.get("/healthz").json == guest.get("/healthz").json == {"status": "ok"}
    assert "version" in owner.get("/healthz").json


def test_a_guest_sees_pictures_and_neither_paths_nor_accounts_nor_addresses_of_flow(
    guest, shelf, config, world, flow
):
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


def test_a_guest_takes_a_picture_along_and_finds_no_hidden_one(guest, shelf, world):
    shown, hidden = shelf[0], shelf[2]
    saved = guest.get(f"/images/{shown.id}/file?attachment")
    assert saved.content == world.content(shown.name)
    assert saved.headers["Content-Disposition"].startswith("attachment")
    assert "private" in saved.headers["Cache-Control"]
    with store.connection():
        Image.update(local_path=shown.local_path).where(Image.id == hidden.id).execute()
    for path in (f"/images/{hidden.id}", f"/images/{hidden.id}/file", f"/images/{hidden.id}/thumbnail/320"):
        assert guest.get(path).status == 404
    assert guest.get("/?state=hidden").status == 403
    assert guest.get("/grid?state=failed").status == 403


def test_nothing_that_a_guest_does_makes_flowshelf_ask_flow(app, guest, shelf, flow):
    flow.world.expire_tokens()
    flow.reset()
    for method, path, _ in every_address(app):
        if path != "/sign-out":
            guest.ask(method, path.replace("/x", f"/{shelf[4].id}"))
    guest.post("/previews", {"id": shelf[4].id})
    guest.post("/downloads", {"only": shelf[4].id})
    guest.call(
        "/api/image-veo3/download-single", {"profileId": shelf[4].profile_id, "imageName": shelf[4].name}
    )
    assert flow.log == []


def test_the_api_gives_a_guest_the_images_without_path_and_address(stranger, shelf, codes):
    def listed(role):
        bearer = {"Authorization": f"Bearer {codes[role]}"}
        answer = stranger.call(LOCAL, {"profileId": shelf[0].profile_id}, **bearer)
        return {name for image in answer.json["data"] for name in image}

    assert {"localPath", "fifeUrl"} <= listed(Role.OWNER)
    of_the_owner = {"localPath", "fifeUrl", "projectId", "title", "version", "isArchived"}
    assert listed(Role.GUEST) == listed(Role.OWNER) - of_the_owner
    bearer = {"Authorization": f"Bearer {codes[Role.GUEST]}"}
    assert stranger.get("/api/profiles", **bearer).json["code"] == "forbidden"

"""Names, origins, methods, shapes and headers of requests, over a real socket."""

import pytest

from webapp.database.states import Role
from webapp.web import security

ELSEWHERE = "http://evil.example"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "stranger.local",
        "localhost.local.evil",
        "127.1",
        "2130706433",
        "localhost, evil.example",
        "[::1",
        "",
        "shelf.example.org",
        "127.0.0.1:port",
        "127.0.0.1:99999",
        "owner@127.0.0.1:80:80",
    ],
)
def test_a_name_that_is_not_ours_is_refused_before_anything_is_looked_at(owner, host):
    answer = owner.get("/", Host=host)
    assert answer.status in (400, 403)
    assert "Sign in" not in answer.text
    assert 'id="grid"' not in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8765", "192.168.1.7:8765", "[fe80::1]"])
def test_addresses_and_own_names_are_answered(stranger, host):
    assert stranger.get("/healthz", Host=host).status == 200


def test_this_machines_own_names_and_a_name_of_the_setting_are_answered(
    running, serving, monkeypatch, stranger
):
    monkeypatch.setattr(security.socket, "gethostname", lambda: "Shelf-Box.lan")
    with serving(running(share=True, allowed_hosts=frozenset({"shelf.example.org"}))) as url:
        visitor = type(stranger)(url)
        for host in ("shelf-box", "SHELF-BOX.local:80", "shelf-box.lan", "shelf.example.org"):
            assert visitor.get("/healthz", Host=host).status == 200
        assert visitor.get("/healthz", Host="www.shelf.example.org").status == 403


@pytest.mark.parametrize("role", [Role.GUEST, Role.OWNER])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ELSEWHERE},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1.evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_page_of_another_site_presses_no_button(come, role, headers):
    visitor = come(role)
    was = dict(visitor.cookies)
    assert visitor.post("/sign-out", **headers).status == 403
    assert visitor.post("/theme", {"theme": "dark"}, **headers).status == 403
    assert visitor.cookies == was
    assert visitor.get("/").status == 200


def test_a_page_of_our_own_does_press_them(guest):
    origin = f"http://{guest.place.netloc}"
    assert guest.post("/theme", {"theme": "dark"}, Origin=origin, Sec_Fetch_Site="same-origin").status == 303


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_nothing_is_changed_by_another_method(owner, profile_id, method):
    for path in ("/share/guest/renew", f"/profiles/{profile_id}/sync", "/selection/delete", "/sign-out"):
        assert owner.ask(method, path).status in (404, 405, 501)
    assert owner.get("/share").status == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_the_api_takes_json_only(owner, profile_id, kind):
    body = b'{"profileId": "%s"}' % profile_id.encode()
    calls = (
        ("POST", "/api/image-veo3/get-local-images"),
        ("POST", "/api/runs/x/pause"),
        ("POST", "/api/profiles"),
    )
    calls += ("PUT", f"/api/profiles/{profile_id}/cookies"), ("DELETE", f"/api/profiles/{profile_id}")
    for method, path in calls:
        answer = owner.ask(method, path, body, Content_Type=kind)
        assert (answer.status, answer.json["code"]) == (415, "not_json")
    assert owner.get(f"/profiles/{profile_id}").status == 200


def test_every_answer_carries_the_headers_and_no_private_one_is_kept(stranger, guest, owner, shelf, codes):
    answers = [
        stranger.get("/"),
        stranger.get("/healthz"),
        stranger.get("/", Host="evil.example"),
        stranger.get(f"/enter?code={codes[Role.GUEST]}"),
        guest.get("/"),
        guest.get("/profiles"),
        guest.get("/nothing"),
        guest.call("/api/image-veo3/get-local-images", {"profileId": shelf[0].profile_id}),
        owner.get("/share"),
        owner.get("/api/profiles"),
        owner.get("/metadata.csv"),
    ]
    pictures = [guest.get(f"/images/{shelf[0].id}/{what}") for what in ("file", "thumbnail/320")]
    for answer in answers + pictures:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    assert {answer.headers["Cache-Control"].split(",")[0] for answer in pictures} == {"private"}


def test_no_page_has_a_script_or_a_style_in_itself(stranger, guest, owner, shelf):
    pages = [stranger.get("/"), guest.get("/"), guest.get(f"/images/{shelf[0].id}")]
    pages += [owner.get(path) for path in ("/", "/share", "/profiles", f"/images/{shelf[0].id}")]
    for page in pages:
        for bad in ("<script>", " style=", "<style", "onclick=", "onerror=", "javascript:"):
            assert bad not in page.text


def test_only_the_proxy_that_is_trusted_says_where_somebody_is(running, serving, stranger):
    names = frozenset({"shelf.example.org"})
    app = running(share=True, allowed_hosts=names)
    code = app.extensions["flowshelf.sharing"].codes.code_of(Role.GUEST)
    said = {
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "shelf.example.org",
        "X_Forwarded_For": "10.1.1.1",
    }
    with serving(app, trusted_proxy="127.0.0.9") as url:
        by_proxy, direct = type(stranger)(url, "127.0.0.9"), type(stranger)(url)
        cookie = by_proxy.get(f"/enter?code={code}", **said).headers["Set-Cookie"]
        assert cookie.startswith("flowshelf_443=")
        assert "Secure" in cookie
        cookie = direct.get(f"/enter?code={code}", **said).headers["Set-Cookie"]
        assert cookie.startswith(f"flowshelf_{direct.place.port}=")
        assert "Secure" not in cookie
        assert direct.get("/healthz", X_Forwarded_Host="evil.example").status == 200  # not looked at
        assert by_proxy.get("/healthz", X_Forwarded_Host="evil.example").status == 403
        origin = {"Origin": "https://shelf.example.org"}
        assert by_proxy.post("/sign-in", {"code": code}, **said, **origin).status == 303
        for _ in range(5):
            assert by_proxy.post("/sign-in", {"code": "x"}, **said).status == 401
        assert by_proxy.post("/sign-in", {"code": code}, **said).status == 429
        assert (
            by_proxy.post("/sign-in", {"code": code}, **said | {"X_Forwarded_For": "10.1.1.2"}).status == 303
        )
        spoofed = said | {"X_Forwarded_For": "10.1.1.3, 10.1.1.1"}  # what the visitor said, then the proxy
        assert by_proxy.post("/sign-in", {"code": code}, **spoofed).status == 429

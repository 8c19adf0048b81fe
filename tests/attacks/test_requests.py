"""Host, Origin, methods, media types and headers of requests to a shared Flowshelf."""

import pytest

from webapp.database.states import Role
from webapp.web import security

ELSEWHERE = "http://evil.example"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "other.local",
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
def test_a_foreign_host_name_is_refused_before_anything_else(owner, host):
    response = owner.get("/", Host=host)
    assert response.status in (400, 403)
    assert "Sign in" not in response.text
    assert 'id="grid"' not in response.text
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8765", "192.168.1.7:8765", "[fe80::1]"])
def test_addresses_and_local_names_are_accepted(anonymous, host):
    assert anonymous.get("/healthz", Host=host).status == 200


def test_the_names_of_this_machine_and_allowed_hosts_are_accepted(running, serving, monkeypatch, anonymous):
    monkeypatch.setattr(security.socket, "gethostname", lambda: "Shelf-Box.lan")
    with serving(running(share=True, allowed_hosts=frozenset({"shelf.example.org"}))) as url:
        visitor = type(anonymous)(url)
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
def test_requests_of_other_sites_are_refused_when_shared(visit, role, headers):
    visitor = visit(role)
    was = dict(visitor.cookies)
    assert visitor.post("/sign-out", **headers).status == 403
    assert visitor.post("/theme", {"theme": "dark"}, **headers).status == 403
    assert visitor.cookies == was
    assert visitor.get("/").status == 200


def test_requests_of_our_own_pages_are_accepted(guest):
    origin = f"http://{guest.url.netloc}"
    assert guest.post("/theme", {"theme": "dark"}, Origin=origin, Sec_Fetch_Site="same-origin").status == 303
    assert guest.post("/theme", {"theme": "dark"}, Origin=origin).status == 303


def test_https_is_another_origin_unless_the_browser_says_that_it_is_ours(guest):
    origin = f"https://{guest.url.netloc}"  # behind a proxy that is not named, this is our own page
    assert guest.post("/theme", {"theme": "dark"}, Origin=origin).status == 403
    assert guest.post("/theme", {"theme": "dark"}, Origin=origin, Sec_Fetch_Site="cross-site").status == 403
    assert guest.post("/theme", {"theme": "dark"}, Origin=origin, Sec_Fetch_Site="same-origin").status == 303


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_other_methods_change_nothing(owner, profile_id, method):
    for path in ("/share/guest/renew", f"/profiles/{profile_id}/sync", "/selection/delete", "/sign-out"):
        assert owner.send(method, path).status in (404, 405, 501)
    assert owner.get("/share").status == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_the_api_accepts_only_json(owner, profile_id, kind):
    body = b'{"profileId": "%s"}' % profile_id.encode()
    calls = (
        ("POST", "/api/image-veo3/get-local-images"),
        ("POST", "/api/runs/x/pause"),
        ("POST", "/api/profiles"),
    )
    calls += ("PUT", f"/api/profiles/{profile_id}/cookies"), ("DELETE", f"/api/profiles/{profile_id}")
    for method, path in calls:
        response = owner.send(method, path, body, Content_Type=kind)
        assert (response.status, response.json["code"]) == (415, "not_json")
    assert owner.get(f"/profiles/{profile_id}").status == 200


def test_every_response_has_the_headers_and_private_ones_are_not_cached(
    anonymous, guest, owner, shelf, codes
):
    responses = [
        anonymous.get("/"),
        anonymous.get("/healthz"),
        anonymous.get("/", Host="evil.example"),
        anonymous.get(f"/enter?code={codes[Role.GUEST]}"),
        guest.get("/"),
        guest.get("/profiles"),
        guest.get("/nothing"),
        guest.call("/api/image-veo3/get-local-images", {"profileId": shelf[0].profile_id}),
        owner.get("/share"),
        owner.get("/api/profiles"),
        owner.get("/metadata.csv"),
    ]
    pictures = [guest.get(f"/images/{shelf[0].id}/{what}") for what in ("file", "thumbnail/320")]
    for response in responses + pictures:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in response.headers
        assert "Access-Control-Allow-Origin" not in response.headers
    assert {response.headers["Cache-Control"] for response in responses} == {"no-store"}
    assert {response.headers["Cache-Control"].split(",")[0] for response in pictures} == {"private"}


def test_no_page_has_an_inline_script_or_style(anonymous, guest, owner, shelf):
    pages = [anonymous.get("/"), guest.get("/"), guest.get(f"/images/{shelf[0].id}")]
    pages += [owner.get(path) for path in ("/", "/share", "/profiles", f"/images/{shelf[0].id}")]
    for page in pages:
        for bad in ("<script>", " style=", "<style", "onclick=", "onerror=", "javascript:"):
            assert bad not in page.text


def test_forwarded_headers_count_only_from_the_trusted_proxy(running, serving, anonymous):
    names = frozenset({"shelf.example.org"})
    app = running(share=True, allowed_hosts=names)
    code = app.extensions["flowshelf.sharing"].codes.code_of(Role.GUEST)
    said = {
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "shelf.example.org",
        "X_Forwarded_For": "10.1.1.1",
    }
    with serving(app, trusted_proxy="127.0.0.9") as url:
        by_proxy, direct = type(anonymous)(url, "127.0.0.9"), type(anonymous)(url)
        cookie = by_proxy.get(f"/enter?code={code}", **said).headers["Set-Cookie"]
        assert cookie.startswith("flowshelf_443=")
        assert "Secure" in cookie
        cookie = direct.get(f"/enter?code={code}", **said).headers["Set-Cookie"]
        assert cookie.startswith(f"flowshelf_{direct.url.port}=")
        assert "Secure" not in cookie
        assert direct.get("/healthz", X_Forwarded_Host="evil.example").status == 200  # ignored
        assert by_proxy.get("/healthz", X_Forwarded_Host="evil.example").status == 403
        origin = {"Origin": "https://shelf.example.org"}
        assert by_proxy.post("/sign-in", {"code": code}, **said, **origin).status == 303
        for _ in range(5):
            assert by_proxy.post("/sign-in", {"code": "x"}, **said).status == 401
        assert by_proxy.post("/sign-in", {"code": "x"}, **said).status == 429
        other = said | {"X_Forwarded_For": "10.1.1.2"}
        assert by_proxy.post("/sign-in", {"code": "x"}, **other).status == 401
        spoofed = said | {
            "X_Forwarded_For": "10.1.1.3, 10.1.1.1"
        }  # the first part is from the visitor, the second from the proxy
        assert by_proxy.post("/sign-in", {"code": "x"}, **spoofed).status == 429

"""Sign-in links, codes, sessions, and guessing."""

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from webapp import store
from webapp.database.models import Session
from webapp.database.states import Role
from webapp.errors import Locked
from webapp.web.sharing.attempts import LOCK_SECONDS, MAX_WRONG, AttemptLimiter
from webapp.web.sharing.codes import Codes, _new_code, is_random

WRONG = "wrong-wrong-wrong-wrong-wrong"


def cookie_of(visitor):
    ((name, value),) = visitor.cookies.items()
    return name, value


def reopen(visitor, url):
    """The same browser after a restart of Flowshelf on another port."""
    again = type(visitor)(url)
    again.cookies = {f"flowshelf_{again.url.port}": cookie_of(visitor)[1]}
    return again


def test_a_link_signs_in_and_the_response_does_not_repeat_its_code(anonymous, codes):
    response = anonymous.get(f"/enter?code={codes[Role.GUEST]}&next=/images/x?q=1")
    assert (response.status, response.headers["Location"]) == (303, "/images/x?q=1")
    assert response.headers["Cache-Control"] == "no-store"
    set_cookie = response.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(set_cookie.split("; "))
    for secret in codes.values():
        assert secret not in str(response.headers) + response.text
        assert secret.replace("-", "") not in str(response.headers) + response.text
    assert anonymous.get("/").status == 200


def test_the_name_of_the_session_cookie_contains_the_port(guest, codes, app, serving):
    name, _ = cookie_of(guest)
    assert name == f"flowshelf_{guest.url.port}"
    with serving(app) as other:
        neighbour = type(guest)(other)
        neighbour.cookies = dict(guest.cookies)
        assert neighbour.get("/").status == 401
        neighbour.get(f"/enter?code={codes[Role.GUEST]}")
        assert len(neighbour.cookies) == 2


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "x",
    ],
)
def test_a_link_does_not_redirect_to_another_site(anonymous, codes, elsewhere):
    wanted = {"code": codes[Role.GUEST], "next": elsewhere}
    assert anonymous.post("/sign-in", wanted).headers["Location"] == "/"


def test_head_and_prefetch_requests_do_not_sign_in(anonymous, codes):
    link = f"/enter?code={codes[Role.OWNER]}"
    assert "Set-Cookie" not in anonymous.send("HEAD", link).headers
    assert "Set-Cookie" not in anonymous.get(link, Sec_Purpose="prefetch;prerender").headers
    with store.connection():
        assert Session.select().count() == 0


def test_a_typed_code_may_have_capitals_and_spaces(anonymous, codes):
    typed = " ".join(codes[Role.OWNER].upper().split("-"))
    assert anonymous.post("/sign-in", {"code": typed}).status == 303
    assert anonymous.get("/share").status == 200


def test_after_five_wrong_codes_further_ones_are_refused_by_every_way_to_sign_in(visit, codes):
    visitor = visit()
    statuses = [
        visitor.get(f"/enter?code={WRONG}").status,
        visitor.post("/sign-in", {"code": WRONG}).status,
        visitor.get("/api/profiles", Authorization=f"Bearer {WRONG}").status,
        visitor.post("/sign-in", {"code": ""}).status,
        visitor.get("/", Authorization="Bearer x", X_Forwarded_For="10.9.8.7").status,
    ]
    assert statuses == [401] * 5
    locked = visitor.post("/sign-in", {"code": WRONG})
    assert locked.status == 429
    assert 0 < int(locked.headers["Retry-After"]) <= LOCK_SECONDS
    assert "Too many wrong codes" in locked.text
    assert visitor.get(f"/enter?code={WRONG}", X_Forwarded_For="10.9.8.7").status == 429
    bearer = visitor.get("/api/profiles", Authorization=f"Bearer {WRONG}")
    assert (bearer.status, bearer.json["code"]) == (429, "locked")
    assert visit(address="127.0.0.2").get(f"/enter?code={WRONG}").status == 401


def test_a_lock_does_not_refuse_a_code_that_nobody_can_guess(visit, codes):
    for _ in range(MAX_WRONG + 1):
        visit().post("/sign-in", {"code": WRONG})
    assert visit().get(f"/enter?code={codes[Role.OWNER]}").status == 303
    assert visit().post("/sign-in", {"code": codes[Role.GUEST]}).status == 303
    assert visit().get("/api/profiles", Authorization=f"Bearer {codes[Role.OWNER]}").status == 200
    assert visit().get(f"/enter?code={WRONG}").status == 429


def test_a_lock_refuses_a_code_that_a_person_chose(running, serving, config, anonymous, codes):
    chosen = {"owner": "my cat is called felix", "guest": codes[Role.GUEST]}
    (config.data_dir / "share.json").write_text(json.dumps(chosen))
    with serving(running(share=True)) as url:
        visitor = type(anonymous)(url)
        for _ in range(MAX_WRONG):
            assert visitor.post("/sign-in", {"code": WRONG}).status == 401
        assert visitor.post("/sign-in", {"code": chosen["owner"]}).status == 429
        assert visitor.post("/sign-in", {"code": chosen["guest"]}).status == 303


def test_only_codes_made_here_count_as_impossible_to_guess():
    assert all(is_random(_new_code()) for _ in range(1000))
    repeated = ("aaaaa-aaaaa-aaaaa-aaaaa-aaaaa", "abcde-abcde-abcde-abcde-abcde")
    for chosen in (*repeated, "my cat is called felix", "x" * 25, "house-plant-table-chair-doors"):
        assert not is_random(chosen)


IMAGE = {"Accept": "image/avif,image/webp,*/*;q=0.8"}
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    "headers",
    [
        IMAGE,
        {"Accept": "*/*"},
        PAGE | {"Referer": "http://evil.example/"},
        PAGE | {"Referer": "http://127.0.0.1:1/"},
        PAGE | {"Referer": "http://[evil"},
        PAGE | {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        PAGE | {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        PAGE | {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
        PAGE | {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
        IMAGE | {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
        PAGE | {"Sec_Fetch_Site": "none"},
    ],
)
def test_a_page_of_another_site_can_neither_lock_an_address_nor_sign_in(anonymous, codes, headers):
    for _ in range(MAX_WRONG + 1):
        response = anonymous.get(f"/enter?code={WRONG}", **headers)
        assert (response.status, "Set-Cookie" in response.headers) == (200, False)
    assert f'value="{WRONG}"' in response.text  # a form to confirm
    asked = anonymous.get(f"/enter?code={codes[Role.GUEST]}", **headers)
    assert (asked.status, "Set-Cookie" in asked.headers) == (200, False)
    assert anonymous.post("/sign-in", {"code": WRONG}).status == 401
    own = f"http://{anonymous.url.netloc}"
    assert anonymous.post("/sign-in", {"code": codes[Role.GUEST]}, Origin=own).status == 303


@pytest.mark.parametrize(
    "headers",
    [
        {},
        PAGE,
        PAGE | {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        PAGE | {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
    ],
)
def test_a_link_that_a_person_opens_signs_in_at_once(anonymous, codes, headers):
    assert anonymous.get(f"/enter?code={codes[Role.GUEST]}", **headers).status == 303
    assert anonymous.get("/").status == 200


def test_cookies_that_another_port_sets_sign_nobody_out(visit, owner, guest):
    name, value = cookie_of(owner)
    junk = "; ".join(f"{name}={junk}" for junk in ("x", '"', "", "y" * 43, cookie_of(guest)[1]))
    for cookies in (f"{junk}; {name}={value}", f"{name}={value}; {junk}"):
        assert owner.get("/share", Cookie=cookies).status == 200
    assert owner.post("/sign-out", Cookie=f"{name}=x; {name}={value}").status == 303
    assert visit().get("/", Cookie=f"{name}={value}").status == 401


def test_a_session_continues_while_its_address_is_locked(guest, visit):
    for _ in range(MAX_WRONG + 1):
        visit().post("/sign-in", {"code": WRONG})
    assert guest.get("/").status == 200


def test_simultaneous_guesses_are_all_counted(visit):
    with ThreadPoolExecutor(20) as pool:
        tries = pool.map(lambda _: visit().get(f"/enter?code={WRONG}").status, range(40))
    assert sorted(tries) == [401] * MAX_WRONG + [429] * (40 - MAX_WRONG)


def test_a_lock_expires_and_counts_an_ipv6_network_as_one_address():
    seconds = 0.0
    attempts = AttemptLimiter(clock=lambda: seconds)
    for number in range(MAX_WRONG):
        attempts.note(f"2001:db8::{number}", is_right=False)
    with pytest.raises(Locked):
        attempts.note("2001:db8::ffff:9", is_right=True)
    attempts.note("2001:db8::ffff:9", is_right=True, is_random=True)
    attempts.note("2001:db8:0:1::9", is_right=True)
    seconds = LOCK_SECONDS + 1.0
    attempts.note("2001:db8::1", is_right=True)
    for _ in range(MAX_WRONG - 1):
        attempts.note("2001:db8::1", is_right=False)
    attempts.note("2001:db8::1", is_right=True)


def test_a_session_is_stored_only_as_a_hash_and_survives_a_restart(running, serving, guest, config):
    _, value = cookie_of(guest)
    files = [path for path in config.data_dir.iterdir() if path.is_file()]
    assert not [path for path in files if value.encode() in path.read_bytes()]
    with store.connection():
        assert Session.get().id_hash == hashlib.sha256(value.encode()).hexdigest()
    with serving(running(share=True)) as url:
        assert reopen(guest, url).get("/").status == 200


def test_an_invented_session_id_is_anonymous(anonymous, codes):
    for value in ("x", "owner", codes[Role.OWNER], "%00", "ü" * 50):
        response = anonymous.get(
            "/", Cookie=f"flowshelf_{anonymous.url.port}={value}".encode().decode("latin-1")
        )
        assert response.status == 401


def test_renewing_a_link_ends_only_the_sessions_of_its_role(owner, guest, anonymous, codes, app):
    assert codes[Role.GUEST] in owner.get("/share").text
    assert owner.post("/share/guest/renew").status == 303
    assert guest.get("/").status == 401
    assert anonymous.get(f"/enter?code={codes[Role.GUEST]}").status == 401
    assert owner.get("/share").status == 200
    renewed = app.extensions["flowshelf.sharing"].codes.code_of(Role.GUEST)
    assert guest.get(f"/enter?code={renewed}").status == 303
    assert guest.get("/").status == 200


def test_renewing_the_owner_link_signs_out_all_other_owners(visit, owner):
    other, was = visit(Role.OWNER), dict(owner.cookies)
    owner.post("/share/owner/renew")
    assert owner.get("/share").status == 200
    assert other.get("/share").status == 401
    owner.cookies = was
    assert owner.get("/share").status == 401


def test_a_deleted_code_file_ends_all_sessions(running, serving, guest, config):
    (config.data_dir / "share.json").unlink()
    with serving(running(share=True)) as url:
        assert reopen(guest, url).get("/").status == 401


def test_signing_out_ends_the_session_on_the_server(guest):
    was = dict(guest.cookies)
    assert guest.post("/sign-out").status == 303
    assert guest.cookies == {}
    guest.cookies = was
    assert guest.get("/").status == 401


def test_opening_a_guest_link_does_not_sign_an_owner_out(owner, codes):
    owner.get(f"/enter?code={codes[Role.GUEST]}")
    assert owner.get("/share").status == 200


def test_codes_are_created_once_and_are_long_and_different(config, codes):
    again = Codes(config.data_dir)
    assert {role: again.code_of(role) for role in codes} == codes
    assert len(set(codes.values())) == 2
    assert all(re.fullmatch(r"([a-km-np-z2-9]{5}-){4}[a-km-np-z2-9]{5}", code) for code in codes.values())
    assert (config.data_dir / "share.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"owner": 1, "guest": 2}', '{"owner": "a", "guest": "b"}'])
def test_an_unreadable_code_file_is_an_error_and_opens_nothing(running, config, text):
    config.data_dir.mkdir()
    (config.data_dir / "share.json").write_text(text)
    with pytest.raises(Exception, match="Delete this file"):
        running(share=True)


# Browsers send cookies to every port of a host: another program there may have the owner's


def stolen(visitor, address="127.0.0.1"):
    """The session of a visitor in the hands of somebody else."""
    thief = type(visitor)(visitor.url.geturl(), address)
    thief.cookies = dict(visitor.cookies)
    return thief


def let_the_code_age(app):
    with store.connection():
        Session.update(code_at="2026-01-01T00:00:00.000000Z").execute()


def test_an_owners_session_holds_for_its_own_browser_only(owner, guest):
    assert owner.get("/activity").status == 200
    assert stolen(owner, "127.0.7.7").get("/activity").status == 401
    assert stolen(owner).get("/activity", User_Agent="another program").status == 401
    assert stolen(owner).get("/activity").status == 200
    assert stolen(guest, "127.0.7.7").get("/").status == 200


ASKING = (
    ("GET", "/share"),
    ("GET", "/profiles/connect"),
    ("POST", "/share/guest/renew"),
    ("POST", "/profiles"),
    ("POST", "/profiles/{profile_id}/cookies"),
    ("POST", "/profiles/{profile_id}/renewal"),
    ("POST", "/profiles/{profile_id}/remove"),
    ("POST", "/trash/empty"),
    ("POST", "/selection/delete-for-good"),
    ("POST", "/api/trash/empty"),
    ("POST", "/companion/x/account"),
    ("POST", "/api/profiles"),
    ("PUT", "/api/profiles/{profile_id}/cookies"),
    ("DELETE", "/api/profiles/{profile_id}"),
)


@pytest.mark.parametrize(("method", "path"), ASKING)
def test_what_a_stolen_session_must_not_do_asks_for_the_code_again(
    app, owner, codes, profile_id, method, path
):
    path = path.format(profile_id=profile_id)
    let_the_code_age(app)
    before = codes_of(app)
    response = send(owner, method, path)
    assert response.status == 403
    assert re.search(r"owner(’|\\u2019)s code", response.text)
    assert not any(code in response.text for code in before.values())
    assert codes_of(app) == before
    assert owner.get("/activity").status == 200  # all else goes on
    assert owner.post("/confirm", {"code": WRONG}).status == 401
    assert owner.post("/confirm", {"code": codes[Role.GUEST]}).status == 401
    assert send(owner, method, path).status == 403
    confirmed = owner.post("/confirm", {"code": codes[Role.OWNER], "next": "/share"})
    assert (confirmed.status, confirmed.headers["Location"]) == (303, "/share")
    assert send(owner, method, path).status != 403


def send(visitor, method, path, **headers):
    if path.startswith("/api"):
        return visitor.call(path, {"cookies": "x"}, method, **headers)
    return visitor.get(path) if method == "GET" else visitor.post(path)


def codes_of(app):
    sharing = app.extensions["flowshelf.sharing"]
    return {role: sharing.codes.code_of(role) for role in (Role.OWNER, Role.GUEST)}


def test_a_script_that_sends_the_code_is_not_asked_again(app, anonymous, codes, profile_id):
    headers = {"Authorization": f"Bearer {codes[Role.OWNER]}"}
    assert send(anonymous, "DELETE", f"/api/profiles/{profile_id}", **headers).status == 200

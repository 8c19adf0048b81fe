"""Attacks on the companion: pages and programs that are no paired browser, and a key in the wrong hands."""

import hashlib
import hmac
import json
import re
import secrets
import threading
import time

import pytest

from webapp import store
from webapp.background.companion.relay import MAX_PARTS, Part
from webapp.background.companion.signatures import (
    MAX_NONCES,
    RequestGuard,
    SignedRequest,
    signature_of_request,
)
from webapp.database.models import Image, Pairing
from webapp.database.states import Role
from webapp.errors import ClockOff, PairingRefused

ORIGIN = "chrome-extension://jmcllanfikigfajfbdknppfbllapgpjl"
FOREIGN = (
    "https://evil.example",
    "http://127.0.0.1:9",
    "http://localhost",
    "null",
    "chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
)


@pytest.fixture(params=["shared", "not shared"])
def app(request, running):
    return running(share=request.param == "shared", host="127.0.0.1")


@pytest.fixture
def visitor(anonymous):
    return anonymous


def pair(visitor, code, **headers):
    body = {"code": code, "browser": "Chrome on Linux", "version": "1.0.0"}
    return visitor.call("/companion/pairing", body, **({"Origin": ORIGIN} | headers))


class Paired:
    """A pairing, whose requests can be altered."""

    def __init__(self, visitor, answer):
        self.visitor = visitor
        self.id, secret = answer.json["pairingId"], answer.json["secret"]
        self.key = hashlib.sha256(secret.encode()).digest()
        self.secret = secret

    def headers(self, path, body, *, at=None, nonce=None, key=None, method="POST"):
        moment = str(int((time.time() if at is None else at) * 1000))
        nonce = nonce or secrets.token_hex(16)
        lines = ("request", method, path, moment, nonce, hashlib.sha256(body).hexdigest())
        signature = hmac.new(key or self.key, "\n".join(lines).encode(), "sha256").hexdigest()
        return {
            "Content_Type": "application/json",
            "Origin": ORIGIN,
            "Flowshelf_Pairing": self.id,
            "Flowshelf_Time": moment,
            "Flowshelf_Nonce": nonce,
            "Flowshelf_Signature": signature,
        }

    def send(self, path, fields, method="POST", **changes):
        body = json.dumps(fields).encode()
        return self.visitor.send(method, path, body, **self.headers(path, body, method=method, **changes))

    def poll(self, **changes):
        return self.send("/companion/poll", POLL, **changes)


POLL = {"version": "1.0.0", "isPaused": False, "isWatched": False}


@pytest.fixture
def paired(work, visitor):
    with store.connection():
        return Paired(visitor, pair(visitor, work.companion.new_code()))


def refused(answer):
    return (answer.status, answer.json["code"]) == (401, "pairing_refused")


# Pages


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_page_or_other_extension_can_pair_even_with_a_code(work, visitor, origin):
    assert pair(visitor, work.companion.new_code(), Origin=origin).status == 403
    with store.connection():
        assert Pairing.select().count() == 0


def test_a_request_without_an_origin_cannot_pair(work, visitor):
    body = {"code": work.companion.new_code(), "browser": "Chrome", "version": "1"}
    assert visitor.call("/companion/pairing", body).status == 403


@pytest.mark.parametrize("origin", [*FOREIGN, ORIGIN])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api/profiles"),
        ("GET", "/profiles"),
        ("POST", "/api/image-veo3/get-local-images"),
        ("POST", "/companion/poll"),
        ("POST", "/companion/result"),
        ("OPTIONS", "/companion/poll"),
    ],
)
def test_another_origin_has_no_role_anywhere(visitor, method, path, origin):
    answer = visitor.send(method, path, b"{}", Origin=origin, Content_Type="application/json")
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_owner_without_a_signature_is_no_browser(app, visitor):
    if sharing := app.extensions["flowshelf.sharing"]:
        visitor.get(f"/enter?code={sharing.codes.code_of(Role.OWNER)}")
    for path in ("poll", "taken", "result", "unpair"):
        assert refused(visitor.call(f"/companion/{path}", POLL)), path


# Codes


def test_a_code_pairs_once(work, visitor):
    code = work.companion.new_code()
    assert len(code) == 32
    assert pair(visitor, code).status == 200
    assert refused(pair(visitor, code))


@pytest.mark.parametrize("code", ["0" * 32, "", "x", "0" * 90, None, 7, ["a"]])
def test_a_wrong_code_pairs_nothing(visitor, code):
    assert pair(visitor, code).status in (400, 401)


def test_a_code_is_valid_for_ten_minutes(work, visitor):
    codes = work.companion._codes
    code, start = work.companion.new_code(), codes._clock()
    codes._clock = lambda: start + 601
    assert refused(pair(visitor, code))


def test_of_many_who_use_one_code_at_once_one_is_paired(work, visit):
    code, got = work.companion.new_code(), []
    threads = [threading.Thread(target=lambda: got.append(pair(visit(), code).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [200, *[401] * 7]


def test_over_plain_http_a_browser_of_the_network_is_not_paired(work, visitor):
    answer = pair(visitor, work.companion.new_code(), Host="192.168.1.20:8765")
    assert answer.status == 403
    assert "https" in answer.json["error"]


def test_the_secret_is_stored_nowhere_and_the_key_never_travels(work, paired, visitor, config):
    paired.poll()
    files = [path.read_bytes() for path in config.data_dir.rglob("*") if path.is_file()]
    assert not [content for content in files if paired.secret.encode() in content]
    assert paired.key.hex() not in visitor.get("/profiles").text


# Signatures


def test_a_signed_request_is_accepted_and_its_answer_is_signed(paired):
    nonce = secrets.token_hex(16)
    answer = paired.poll(nonce=nonce)
    assert answer.status == 200
    lines = ("answer", "200", nonce, hashlib.sha256(answer.content).hexdigest())
    expected = hmac.new(paired.key, "\n".join(lines).encode(), "sha256").hexdigest()
    assert answer.headers["Flowshelf-Signature"] == expected


def test_a_program_without_the_key_can_sign_no_answer(paired):
    """Another program on the port gives the extension no orders: each answer is over its request's nonce."""
    answers = {paired.poll().headers["Flowshelf-Signature"] for _ in range(2)}
    assert len(answers) == 2


def test_a_pairing_id_without_its_key_is_nothing(paired):
    assert refused(paired.poll(key=bytes(32)))
    body = json.dumps(POLL).encode()
    headers = paired.headers("/companion/poll", body)
    for name in ("Flowshelf_Time", "Flowshelf_Nonce", "Flowshelf_Signature"):
        assert refused(paired.visitor.send("POST", "/companion/poll", body, **{**headers, name: ""})), name


def test_a_request_is_accepted_once(paired):
    body = json.dumps(POLL).encode()
    headers = paired.headers("/companion/poll", body)
    assert paired.visitor.send("POST", "/companion/poll", body, **headers).status == 200
    assert refused(paired.visitor.send("POST", "/companion/poll", body, **headers))


@pytest.mark.parametrize("seconds", [-61, 61, -86_400])
def test_a_request_of_another_minute_is_refused_with_the_time_here(paired, seconds):
    answer = paired.poll(at=time.time() + seconds)
    assert refused(answer)
    assert abs(int(answer.headers["Flowshelf-Time"]) / 1000 - time.time()) < 5
    assert "Flowshelf-Signature" not in answer.headers


def test_a_signature_holds_for_its_path_method_and_body_only(paired):
    body = json.dumps(POLL).encode()
    headers = paired.headers("/companion/poll", body)
    send = paired.visitor.send
    assert refused(send("POST", "/companion/unpair", body, **headers))
    assert refused(send("POST", "/companion/poll?x=1", body, **headers))
    assert refused(send("POST", "/companion/poll", body + b" ", **headers))
    assert send("PUT", "/companion/poll", body, **headers).status == 403
    assert send("POST", "/companion/poll", body, **headers).status == 200


def test_nonces_take_bounded_memory_and_none_is_forgotten_too_early():
    now = [1_700_000_000.0]
    guard, key = RequestGuard(lambda: now[0]), bytes(32)

    def send(nonce):
        moment = str(int(now[0] * 1000))
        signature = signature_of_request(key, "POST", "/", moment, nonce, b"")
        guard.check("p", key, SignedRequest("POST", "/", moment, nonce, signature, lambda: b""))

    for number in range(MAX_NONCES):
        send(f"{number:032x}")
    with pytest.raises(PairingRefused):
        send(f"{MAX_NONCES:032x}")
    now[0] += 121
    send(f"{MAX_NONCES:032x}")
    assert len(guard._seen["p"]) == 1


def test_a_request_from_before_the_start_is_refused_as_nobody_remembers_it():
    now, key = [1_700_000_000.0], bytes(32)
    moment, nonce = str(int(now[0] * 1000)), f"{7:032x}"
    signature = signature_of_request(key, "POST", "/", moment, nonce, b"")
    request = SignedRequest("POST", "/", moment, nonce, signature, lambda: b"")
    RequestGuard(lambda: now[0]).check("p", key, request)
    now[0] += 5
    with pytest.raises(ClockOff):
        RequestGuard(lambda: now[0]).check("p", key, request)


# The role


def test_a_paired_browser_has_its_relay_and_nothing_else(app, paired):
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<path:filename>", "app.css")
        if path.startswith("/companion/") and "<" not in path:
            continue
        for method in sorted(rule.methods - {"OPTIONS"}):
            answer = paired.send(re.sub(r"<[^>]+>", "x", path), {}, method)
            assert answer.status == 403, (method, path)
    assert paired.send("/nothing", {}).status == 403


def test_an_owners_cookie_gives_a_signed_request_no_more(app, paired):
    if sharing := app.extensions["flowshelf.sharing"]:
        paired.visitor.get(f"/enter?code={sharing.codes.code_of(Role.OWNER)}")
    assert paired.send("/api/profiles", {}, "GET").status == 403


def test_another_pairing_sees_no_call_and_returns_nothing(work, paired, visitor):
    with store.connection():
        other = Paired(visitor, pair(visitor, work.companion.new_code()))
    paired.poll()
    asking = asked(work, paired)
    (call,) = paired.send("/companion/poll", POLL | {"isWatched": True}).json["calls"]
    assert other.poll().json["calls"] == []
    assert other.send("/companion/taken", {"id": call["id"]}).json == {"isYours": False}
    assert other.send("/companion/result", result(call)).json == {"isYours": False}
    work.companion.relay.drop(paired.id)
    asking.join(5)
    assert not asking.is_alive()


# What it hands over


def asked(work, paired, max_bytes=4_000_000):
    """A thread that waits for the browser, as that of a source."""

    def ask():
        try:
            got.append(work.companion.relay.ask(paired.id, {"operation": "call"}, max_bytes, lambda: None))
        except Exception as error:
            got.append(error)

    got = []
    thread = threading.Thread(target=ask, daemon=True)
    thread.got = got
    thread.start()
    return thread


def result(call, **changes):
    return {
        "id": call["id"],
        "part": 0,
        "isLast": True,
        "status": 200,
        "location": None,
        "body": "x",
    } | changes


@pytest.fixture
def taken(work, paired):
    """A call that the browser has taken, and the thread that waits for it."""
    paired.poll()
    asking = asked(work, paired)
    (call,) = paired.send("/companion/poll", POLL | {"isWatched": True}).json["calls"]
    assert paired.send("/companion/taken", {"id": call["id"]}).json == {"isYours": True}
    return call, asking


def test_parts_are_bounded_in_size(paired, taken):
    call, asking = taken
    too_long = paired.send("/companion/result", result(call, body="x" * 2_000_001))
    assert (too_long.status, too_long.json["code"]) == (400, "bad_request")
    assert paired.send("/companion/result", {"x": "x" * 9_000_000}).status == 413
    for part in range(3):
        paired.send("/companion/result", result(call, part=part, isLast=False, body="x" * 1_900_000))
    asking.join(5)
    assert asking.got[0].error == "too_large"


def test_endless_parts_end(paired, taken, work):
    call, asking = taken
    relay = work.companion.relay
    for number in range(MAX_PARTS + 1):
        relay.add_part(paired.id, call["id"], Part(number, False, 200, None, ""))
    asking.join(5)
    assert asking.got[0].error == "too_large"


def test_a_call_that_never_ends_ends(paired, taken, work):
    _, asking = taken
    relay, start = work.companion.relay, work.companion.relay._clock()
    relay._clock = lambda: start + 301
    with relay._changed:
        relay._lines[paired.id].seen_at = start + 300
    asking.join(5)
    assert type(asking.got[0]).__name__ == "FlowUnavailable"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 0},
        {"status": 999},
        {"status": "200"},
        {"part": -1},
        {"part": "0"},
        {"body": None},
        {"body": 7},
        {"location": 7},
        {"id": None},
    ],
)
def test_a_result_of_another_shape_is_refused(paired, taken, changes):
    call, _ = taken
    assert paired.send("/companion/result", result(call, **changes)).status == 400


def test_parts_out_of_order_are_dropped(paired, taken):
    call, asking = taken
    assert paired.send("/companion/result", result(call, part=1)).json == {"isYours": False}
    assert paired.send("/companion/result", result(call, isLast=False)).json == {"isYours": True}
    assert paired.send("/companion/result", result(call, body="again")).json == {"isYours": True}
    assert paired.send("/companion/result", result(call, part=1, body="y")).json == {"isYours": True}
    asking.join(5)
    assert asking.got[0].body == "xy"


@pytest.mark.parametrize("accounts", ["x", {"index": 0}, 7])
def test_a_poll_of_another_shape_is_refused(paired, accounts):
    assert paired.send("/companion/poll", POLL | {"accounts": accounts}).status == 400


def test_accounts_are_bounded_and_odd_ones_left_out(work, paired):
    named = [{"index": number, "email": f"{number}@example.com" * 99} for number in range(-3, 5_000)]
    assert paired.send("/companion/poll", POLL | {"accounts": [*named, 7, None, {}]}).status == 200
    with store.connection():
        listed = work.companion.accounts_of(paired.id)
    assert len(listed) == 10
    assert max(len(one.email) for one in listed) == 200


def test_polls_hold_few_threads_of_the_server(work, paired, visitor):
    """While as many as may are held, the next one is answered at once."""
    relay = work.companion.relay
    while relay._holding.acquire(blocking=False):
        pass
    answer = paired.send("/companion/poll", POLL | {"isWatched": True}).json
    assert (answer["calls"], answer["again"]) == ([], 1.0)


def test_a_stored_pairing_shows_nothing_to_guests(app, paired, visitor):
    sharing = app.extensions["flowshelf.sharing"]
    if sharing is None:
        return
    visitor.get(f"/enter?code={sharing.codes.code_of(Role.GUEST)}")
    for path in ("/profiles", f"/companion/{paired.id}/account", f"/companion/{paired.id}/revoke"):
        assert visitor.send("POST" if "companion" in path else "GET", path).status == 403
    with store.connection():
        assert Pairing.select().count() == 1
        assert Image.select().count() == 0

"""Pasted cookies of flow.google.com: recognised in every shape, complete or refused by name."""

import json
from datetime import timedelta

import pytest
from pastes import LATER, NOW, SHAPES, header

from webapp import times
from webapp.demo import World
from webapp.errors import BadCookies
from webapp.sources.cookies import FLOW_HOST, LABS_HOST, SESSION_COOKIE, parse_cookies, service_of
from webapp.sources.http import redacted

FAMILY = World().google.cookies()
TOKEN = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..QUFB.QkJCQkJC.Q0ND"
CURL = "curl 'https://{}/fx' -b '{}'"


def without(*names):
    return {name: value for name, value in FAMILY.items() if name not in names}


def rows(cookies, domain=".google.com", **fields):
    return [{"name": name, "value": value, "domain": domain, **fields} for name, value in cookies.items()]


def refusal(text):
    with pytest.raises(BadCookies) as caught:
        parse_cookies(text, NOW)
    assert caught.value.__context__ is None, "a cause may quote the paste"
    assert not [value for value in FAMILY.values() if value in str(caught.value)]
    return str(caught.value)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "a row of Firefox"])
def test_every_shape_holds_the_family(shape):
    text = SHAPES[shape](FAMILY | {"_ga": "x", "NID": "511=x"}).replace("labs.google", FLOW_HOST)
    pasted = parse_cookies(text, NOW)
    assert (pasted.service, pasted.cookies) == (FLOW_HOST, FAMILY)
    assert set(pasted.found_names) >= {"_ga", *FAMILY}


def test_only_cookies_of_googles_and_flows_own_hosts_are_kept():
    cookies = rows(without("OSID")) + rows({"OSID": FAMILY["OSID"]}, FLOW_HOST)
    others = rows({"OSID": "theirs", "SID": "theirs"}, "mail.google.com") + rows({"SID": "x"}, ".youtube.com")
    assert parse_cookies(json.dumps(cookies + others), NOW).cookies == FAMILY
    assert parse_cookies(json.dumps(others + cookies), NOW).cookies == FAMILY


def test_either_of_its_own_two_names_does():
    cookies = without("OSID") | {"__Secure-OSID": "own"}
    assert parse_cookies(header(cookies), NOW).cookies == cookies


def test_rotating_cookies_may_be_missing():
    lasting = without("__Secure-1PSIDTS", "__Secure-3PSIDTS")
    assert parse_cookies(header(lasting), NOW).cookies == lasting


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        (
            ("SID", "HSID", "APISID"),
            "SID, HSID and APISID are missing: an export of only the cookies marked “Secure”",
        ),
        (("OSID",), "OSID is missing: flow.google.com sets it"),
        (("SSID",), "SSID is missing"),
        (("SSID",), "Only if your pictures still open at labs.google/fx"),
        (("__Secure-1PSID", "OSID"), "__Secure-1PSID and OSID are missing"),
    ],
)
def test_a_refusal_names_what_is_missing_and_why(lost, sentence):
    said = refusal(header(without(*lost)))
    assert sentence in said
    assert "Copy as cURL" in said


def test_of_what_is_missing_every_name_is_told():
    said = refusal(f"OSID={FAMILY['OSID']}")
    assert "SID, HSID, SSID, APISID, SAPISID, __Secure-1PSID and __Secure-3PSID are missing" in said


def test_cookies_of_another_of_googles_hosts_are_refused_by_that_host():
    assert "belong to mail.google.com, not to flow.google.com" in refusal(
        CURL.format("mail.google.com", header(FAMILY))
    )


def test_expired_cookies_are_refused_by_the_day():
    ended = rows(FAMILY, expirationDate=(NOW - timedelta(days=1)).timestamp())
    assert "expired on 2026-09-30" in refusal(json.dumps(ended))


@pytest.mark.parametrize("value", ["cut…", "two words", "é"])
def test_a_value_that_cannot_be_one_is_refused_by_its_name(value):
    assert "The cookie SID" in refusal(json.dumps(FAMILY | {"SID": value}))


def test_the_end_is_that_of_the_first_lasting_cookie():
    cookies = rows(FAMILY, expirationDate=(LATER + timedelta(days=300)).timestamp())
    for cookie in cookies:
        if cookie["name"] == "OSID":
            cookie["expirationDate"] = LATER.timestamp()
        if cookie["name"] == "__Secure-1PSIDTS":
            cookie["expirationDate"] = (NOW + timedelta(hours=1)).timestamp()
    assert parse_cookies(json.dumps(cookies), NOW).expires_at == times.timestamp(LATER)


def test_a_paste_with_all_of_both_is_taken_for_the_new_service():
    pasted = parse_cookies(json.dumps(FAMILY | {SESSION_COOKIE: TOKEN}), NOW)
    assert (pasted.service, pasted.cookies) == (FLOW_HOST, FAMILY)


def test_a_paste_about_one_host_is_taken_for_its_service():
    both = header(FAMILY | {SESSION_COOKIE: TOKEN})
    assert parse_cookies(CURL.format("labs.google", both), NOW).service == LABS_HOST
    assert parse_cookies(CURL.format(FLOW_HOST, both), NOW).service == FLOW_HOST


def test_a_labs_session_counts_when_the_family_is_not_whole():
    pasted = parse_cookies(json.dumps(without("OSID") | {SESSION_COOKIE: TOKEN}), NOW)
    assert (pasted.service, pasted.cookies) == (LABS_HOST, {SESSION_COOKIE: TOKEN})


def test_cookies_of_the_server_in_the_settings_are_taken():
    text = json.dumps(rows(FAMILY, "flow.example"))
    assert parse_cookies(text, NOW, flow_host="flow.example").cookies == FAMILY


@pytest.mark.parametrize(
    ("names", "service"),
    [
        ([SESSION_COOKIE], LABS_HOST),
        ([f"{SESSION_COOKIE}.0", f"{SESSION_COOKIE}.1"], LABS_HOST),
        (list(FAMILY), FLOW_HOST),
        (["__Secure-OSID", "SAPISID"], FLOW_HOST),
        ([], LABS_HOST),
    ],
)
def test_kept_cookies_tell_their_service(names, service):
    assert service_of(names) == service


def test_a_repr_shows_names_only():
    shown = repr(parse_cookies(header(FAMILY), NOW))
    assert "OSID" in shown
    assert not [value for value in FAMILY.values() if value in shown]


@pytest.mark.parametrize(
    "text",
    [
        '[{"48448350":["xsrf","AIQ-secret",["1"]]}]',
        '{"SNlM0e":"secret:17","FdrFJe":"-secret","oPEP7c":"secret"}',
        '{\\"SNlM0e\\":\\"secret\\"}',
        *(f"{name}=secret; x=y" for name in FAMILY),
    ],
)
def test_what_the_new_service_hands_out_is_redacted(text):
    assert "secret" not in redacted(text)

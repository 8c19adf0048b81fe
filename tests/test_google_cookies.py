"""Pasted cookies of flow.google.com: found in every format, complete or refused with an explanation."""

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


def error_for(text):
    with pytest.raises(BadCookies) as caught:
        parse_cookies(text, NOW)
    assert caught.value.__context__ is None, "a cause may quote the paste"
    assert not [value for value in FAMILY.values() if value in str(caught.value)]
    return str(caught.value)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "a row of Firefox"])
def test_the_cookies_are_found_in_every_format(shape):
    text = SHAPES[shape](FAMILY | {"_ga": "x", "NID": "511=x"}).replace("labs.google", FLOW_HOST)
    pasted = parse_cookies(text, NOW)
    assert (pasted.service, pasted.cookies) == (FLOW_HOST, FAMILY)
    assert set(pasted.found_names) >= {"_ga", *FAMILY}


def test_only_cookies_of_google_and_flow_are_used():
    cookies = rows(without("OSID")) + rows({"OSID": FAMILY["OSID"]}, FLOW_HOST)
    others = rows({"OSID": "theirs", "SID": "theirs"}, "mail.google.com") + rows({"SID": "x"}, ".youtube.com")
    assert parse_cookies(json.dumps(cookies + others), NOW).cookies == FAMILY
    assert parse_cookies(json.dumps(others + cookies), NOW).cookies == FAMILY


def test_either_of_the_two_osid_cookies_is_enough():
    cookies = without("OSID") | {"__Secure-OSID": "own"}
    assert parse_cookies(header(cookies), NOW).cookies == cookies


@pytest.mark.parametrize("lost", sorted(FAMILY))
def test_one_missing_cookie_is_a_warning_by_name_at_most(lost):
    pasted = parse_cookies(header(without(lost)), NOW)
    assert pasted.cookies == without(lost)
    assert lost == "__Secure-3PSIDTS" or any(lost in warning for warning in pasted.warnings)


@pytest.mark.parametrize(
    "names",
    [("SID", "OSID"), ("__Secure-1PSID", "__Secure-OSID"), ("SID", "APISID", "SAPISID")],
)
def test_only_what_cannot_work_without_is_required(names):
    cookies = dict.fromkeys(names, "value")
    freshness, others = parse_cookies(header(cookies), NOW).warnings
    assert "__Secure-1PSIDTS is missing" in freshness
    assert "SSID" in others


def test_complete_cookies_bring_no_warning():
    assert parse_cookies(header(FAMILY), NOW).warnings == ()


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        (("SID", "__Secure-1PSID"), "SID is missing"),
        (("OSID", "APISID"), "OSID is missing: flow.google.com sets it"),
        (("SID", "__Secure-1PSID", "OSID", "SAPISID"), "SID and OSID are missing"),
    ],
)
def test_an_error_names_what_was_read_what_is_missing_and_why(lost, sentence):
    error = error_for(header(without(*lost)))
    assert "Flowshelf read a cookie header with google.com cookies (" in error
    assert sentence in error
    assert "Copy as cURL" in error


def test_cookies_of_another_google_host_are_refused_with_its_name():
    assert "belong to mail.google.com, not to flow.google.com" in error_for(
        CURL.format("mail.google.com", header(FAMILY))
    )


def test_expired_cookies_are_refused_with_their_date():
    expired = rows(FAMILY, expirationDate=(NOW - timedelta(days=1)).timestamp())
    assert "expired on 2026-09-30" in error_for(json.dumps(expired))


@pytest.mark.parametrize("value", ["cut…", "two words", "é"])
def test_an_invalid_value_is_refused_with_the_name_of_its_cookie(value):
    assert "The cookie SID" in error_for(json.dumps(FAMILY | {"SID": value}))


def test_the_session_expires_with_the_first_cookie_that_does_not_rotate():
    cookies = rows(FAMILY, expirationDate=(LATER + timedelta(days=300)).timestamp())
    for cookie in cookies:
        if cookie["name"] == "OSID":
            cookie["expirationDate"] = LATER.timestamp()
        if cookie["name"] == "__Secure-1PSIDTS":
            cookie["expirationDate"] = (NOW + timedelta(hours=1)).timestamp()
    assert parse_cookies(json.dumps(cookies), NOW).expires_at == times.timestamp(LATER)


def test_a_paste_with_the_cookies_of_both_services_belongs_to_the_new_one():
    pasted = parse_cookies(json.dumps(FAMILY | {SESSION_COOKIE: TOKEN}), NOW)
    assert (pasted.service, pasted.cookies) == (FLOW_HOST, FAMILY)


def test_a_request_to_one_host_belongs_to_its_service():
    both = header(FAMILY | {SESSION_COOKIE: TOKEN})
    assert parse_cookies(CURL.format("labs.google", both), NOW).service == LABS_HOST
    assert parse_cookies(CURL.format(FLOW_HOST, both), NOW).service == FLOW_HOST


def test_a_labs_session_is_used_when_flow_itself_set_none_of_the_cookies():
    pasted = parse_cookies(json.dumps(without("OSID") | {SESSION_COOKIE: TOKEN}), NOW)
    assert (pasted.service, pasted.cookies) == (LABS_HOST, {SESSION_COOKIE: TOKEN})


def test_cookies_of_the_configured_server_are_accepted():
    text = json.dumps(rows(FAMILY, "flow.example"))
    assert parse_cookies(text, NOW, flow_host="flow.example").cookies == FAMILY


@pytest.mark.parametrize(
    ("names", "service"),
    [
        ([SESSION_COOKIE], LABS_HOST),
        ([f"{SESSION_COOKIE}.0", f"{SESSION_COOKIE}.1"], LABS_HOST),
        (list(FAMILY), FLOW_HOST),
        (["__Secure-OSID", "SAPISID"], FLOW_HOST),
        (["__Secure-1PSID", "SAPISID", "APISID"], FLOW_HOST),
        ([], LABS_HOST),
    ],
)
def test_the_names_of_stored_cookies_determine_their_service(names, service):
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
def test_secrets_of_the_new_service_are_redacted(text):
    assert "secret" not in redacted(text)

"""Pasted cookies of labs.google: the session is found in every format, and no error quotes a value."""

import json
from datetime import timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pastes import LABS, LATER, NOW, SHAPES, header

from webapp import times
from webapp.errors import BadCookies
from webapp.sources.cookies import SESSION_COOKIE, parse_cookies

EARLIER = NOW - timedelta(days=1)
TOKEN = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..QUFB.QkJCQkJC.Q0ND"


# RFC 6265's cookie-octet.
OCTETS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '",;\\')
VALUES = st.text(OCTETS, min_size=1, max_size=80).filter(lambda value: not value.startswith("eyJ"))


@pytest.mark.parametrize("shape", SHAPES)
@given(value=VALUES, other=VALUES)
def test_the_session_is_found_in_every_format_whatever_its_value(shape, value, other):
    pasted = parse_cookies(SHAPES[shape]({SESSION_COOKIE: value, "email": other}), NOW)
    assert pasted.cookies == {SESSION_COOKIE: value}
    assert pasted.found_names[0] == SESSION_COOKIE


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "a row of Firefox"])
@given(first=VALUES, second=VALUES)
def test_parts_are_joined_by_number_in_every_format(shape, first, second):
    parts = {f"{SESSION_COOKIE}.1": second, "_ga": "x", f"{SESSION_COOKIE}.0": first}
    pasted = parse_cookies(SHAPES[shape](parts), NOW)
    assert pasted.cookies == {SESSION_COOKIE: first + second}
    assert set(pasted.found_names) >= set(parts)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f'"{TOKEN}"',
        f"“{TOKEN}”",
        TOKEN[:40] + "\n" + TOKEN[40:],
        "\ufeff" + TOKEN + "\u200b",
    ],
)
def test_the_bare_session_token_is_enough(text):
    assert parse_cookies(text, NOW).cookies == {SESSION_COOKIE: TOKEN}


@pytest.mark.parametrize(
    "text",
    [
        f"{SESSION_COOKIE}: {TOKEN}",
        f'"{SESSION_COOKIE}": "{TOKEN}",',
        f"{SESSION_COOKIE}\n{TOKEN}",
        f"{SESSION_COOKIE}  {TOKEN}  labs.google  /  2026-11-30T12:00:00.000Z",
        f"SID  x  .google.com\n{SESSION_COOKIE}.1  {TOKEN[30:]}\n{SESSION_COOKIE}.0  {TOKEN[:30]}  labs",
        f"{SESSION_COOKIE} = {TOKEN}",
    ],
)
def test_the_name_and_the_value_of_the_session_may_follow_each_other(text):
    assert parse_cookies(text, NOW).cookies == {SESSION_COOKIE: TOKEN}


@pytest.mark.parametrize(
    "text",
    [
        f"{SESSION_COOKIE}=“{TOKEN}”",
        f"curl ‘{LABS}’ -b ‘{SESSION_COOKIE}={TOKEN}’",
        f"[{{“name”: “{SESSION_COOKIE}”, “value”: “{TOKEN}”}}]",
        f"'{SESSION_COOKIE}={TOKEN}; email=x'",
    ],
)
def test_typographic_quotes_are_accepted(text):
    assert parse_cookies(text, NOW).cookies == {SESSION_COOKIE: TOKEN}


def test_of_all_google_cookies_only_the_session_is_used():
    pasted = parse_cookies(header({"SID": "g.a000x", "HSID": "y", SESSION_COOKIE: TOKEN, "email": "z"}), NOW)
    assert pasted.cookies == {SESSION_COOKIE: TOKEN}
    assert pasted.found_names == ("SID", "HSID", SESSION_COOKIE, "email")


def test_a_repr_shows_names_only():
    pasted = parse_cookies(header({"SID": "secret-sid", SESSION_COOKIE: TOKEN}), NOW)
    assert "SID" in repr(pasted)
    assert TOKEN not in repr(pasted)
    assert "secret-sid" not in repr(pasted)


def test_attributes_are_dropped_and_nothing_is_decoded():
    text = (
        f"{SESSION_COOKIE}=a%3Db=c==; path=/; Domain=.labs.google; secure; HttpOnly; SameSite=Lax; Max-Age=5"
    )
    pasted = parse_cookies(text, NOW)
    assert pasted.cookies == {SESSION_COOKIE: "a%3Db=c=="}
    assert pasted.found_names == (SESSION_COOKIE,)


@pytest.mark.parametrize(
    "fields",
    [
        {"expirationDate": LATER.timestamp()},
        {"expirationDate": LATER.timestamp() * 1000},
        {"expires": str(int(LATER.timestamp()))},
        {"expiry": int(LATER.timestamp())},
        {"expires": "2026-10-31T12:00:00.000Z"},
        {"Expires": "Sat, 31 Oct 2026 12:00:00 GMT"},
    ],
)
def test_the_expiry_of_the_session_is_read_from_every_format(fields):
    text = json.dumps([{"name": SESSION_COOKIE, "value": TOKEN, **fields}])
    assert parse_cookies(text, NOW).expires_at == times.timestamp(LATER) == "2026-10-31T12:00:00.000000Z"


@pytest.mark.parametrize(
    "expires", [0, -1, None, "Session", "", True, "soon", float("inf"), 1e300, [], "0", "-1"]
)
def test_without_a_readable_expiry_it_is_unknown(expires):
    text = json.dumps([{"name": SESSION_COOKIE, "value": TOKEN, "expires": expires}])
    assert parse_cookies(text, NOW).expires_at is None


def test_the_session_expires_with_its_first_part():
    rows = [
        {
            "name": f"{SESSION_COOKIE}.{number}",
            "value": "v",
            "expires": (LATER + timedelta(days=number)).timestamp(),
        }
        for number in range(3)
    ]
    assert parse_cookies(json.dumps(rows), NOW).expires_at == times.timestamp(LATER)


def test_of_two_sessions_the_one_that_expires_last_is_used():
    rows = [
        {"name": SESSION_COOKIE, "value": "longer", "expires": (LATER + timedelta(1)).timestamp()},
        {"name": SESSION_COOKIE, "value": "shorter", "expires": LATER.timestamp()},
    ]
    assert parse_cookies(json.dumps(rows), NOW).cookies == {SESSION_COOKIE: "longer"}


def test_a_whole_session_is_preferred_to_parts():
    pasted = parse_cookies(header({f"{SESSION_COOKIE}.1": "x", SESSION_COOKIE: TOKEN}), NOW)
    assert pasted.cookies == {SESSION_COOKIE: TOKEN}


def test_a_valid_session_is_preferred_to_an_expired_one():
    rows = [
        {"name": SESSION_COOKIE, "value": "valid", "expires": -1},
        {"name": SESSION_COOKIE, "value": "expired", "expires": EARLIER.timestamp()},
    ]
    assert parse_cookies(json.dumps(rows), NOW).cookies == {SESSION_COOKIE: "valid"}


def test_sessions_of_other_sites_are_ignored():
    rows = [
        {"name": SESSION_COOKIE, "value": "theirs", "domain": "chatgpt.com", "expires": LATER.timestamp()},
        {"name": SESSION_COOKIE, "value": "ours", "domain": "labs.google"},
    ]
    assert parse_cookies(json.dumps(rows), NOW).cookies == {SESSION_COOKIE: "ours"}


def test_cookies_of_the_configured_server_are_accepted():
    text = json.dumps([{"name": SESSION_COOKIE, "value": TOKEN, "domain": "flow.example"}])
    assert parse_cookies(text, NOW, labs_host="flow.example").cookies == {SESSION_COOKIE: TOKEN}


def error_for(text: str) -> str:
    with pytest.raises(BadCookies) as caught:
        parse_cookies(text, NOW)
    assert caught.value.__context__ is None, "a cause may quote the paste"
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nothing in the pasted text"),
        (" \n\u200b", "nothing in the pasted text"),
        ("hello there", "No cookies were found"),
        ("SID=secret; HSID=secret; __Secure-1PSIDTS=secret", "(SID, HSID and __Secure-1PSIDTS)"),
        ("SID=secret", "flow.google.com"),
        ("_ga=secret; theme=secret", "with 2 cookies, but none"),
        (f"{SESSION_COOKIE}=", "none signs in to Flow"),
        (f"{SESSION_COOKIE}.1=secret", "…session-token.1 found, …session-token.0 missing"),
        (f"{SESSION_COOKIE}.0=secret; {SESSION_COOKIE}.2=secret", "…session-token.1 missing"),
        (f"{SESSION_COOKIE}=secret…", "was cut"),
        (f"{SESSION_COOKIE}=secret in two", "such as a space"),
        (f"{SESSION_COOKIE}=secrét", "no cookie has"),
        (f"{SESSION_COOKIE}=secret\x00", "control characters"),
        (json.dumps({SESSION_COOKIE: "secret\r\nX: y"}), "no cookie has"),
        ("eyJsecret..QUFB.QkJC", "its end is missing"),
        ("eyJsecret..QUFB.QkJC.", "its end is missing"),
        (f"{SESSION_COOKIE}.0=eyJsecret..QUFB.; {SESSION_COOKIE}.1=QkJC", "in parts"),
        ("eyJsecret..QUFB.QkJC.QUFB.QkJC", "pasted twice"),
        (f'[{{"name": "{SESSION_COOKIE}", "value": "secret', "the JSON it begins has no end"),
        ("{SID: 'secret'}", "OSID is missing"),
        ("[" * 100_000, "the JSON it begins has no end"),
        (f"curl '{LABS}' -b '{SESSION_COOKIE}=secret", "has no end"),
        (f'fetch("{LABS}", {{"headers": {{"accept": "*/*"}}, "credentials": "include"}});', "Copy as cURL"),
        (
            f"curl 'https://chatgpt.com/' -b '{SESSION_COOKIE}=secret'",
            "belongs to chatgpt.com, not to Flow",
        ),
        (
            json.dumps([{"name": SESSION_COOKIE, "value": "secret", "domain": "secret"}]),
            "belongs to another site",
        ),
        (
            json.dumps([{"name": SESSION_COOKIE, "value": "secret", "expires": 1790000000}]),
            "expired on 2026-09-21",
        ),
        ("a" * 1_000_001, "longer than cookies can be (1,000,001 characters)"),
    ],
)
def test_an_error_says_what_was_found_and_what_is_missing(text, sentence):
    error = error_for(text)
    assert sentence in error
    assert "secret" not in error


@pytest.mark.parametrize("text", ["", "hello there", "_ga=x", "SID=x", "a" * 1_000_001])
def test_an_error_explains_todays_flow_alone(text):
    error = error_for(text)
    assert "type flow.google.com in the address bar" in error
    assert "the request named flow.google.com and choose “Copy as cURL”" in error
    assert "labs.google" not in error


@pytest.mark.parametrize(
    "text",
    [
        f"{SESSION_COOKIE}=x…",
        f"curl 'https://chatgpt.com/' -b '{SESSION_COOKIE}=x'",
        json.dumps([{"name": SESSION_COOKIE, "value": "x", "expires": 1790000000}]),
        f"curl '{LABS}' -b '_ga=x'",
    ],
)
def test_an_error_about_the_old_flow_explains_todays_first(text):
    todays, _, old = error_for(text).partition("only if your images still open at labs.google/fx")
    assert "type flow.google.com in the address bar" in todays
    assert "the request named flow.google.com and choose “Copy as cURL”" in todays
    assert SESSION_COOKIE in old


def outcome(text: str) -> list[str] | str:
    """The names of the cookies in a paste, or the text of the error."""
    try:
        return list(parse_cookies(text, NOW).cookies)
    except BadCookies as error:
        return str(error)


@given(st.text())
def test_any_text_gives_cookies_or_an_error(text):
    result = outcome(text)
    assert result == [SESSION_COOKIE] or result.endswith((".", ")"))


STARTS = [
    "curl ",
    'curl ^"',
    "fetch(",
    "$session = ",
    "Cookie: ",
    "[",
    "{",
    "eyJ",
    "a\tb\tc\n",
    "#HttpOnly_a\t",
]


@given(st.sampled_from(STARTS), st.text("abc=;: \t\n\"'\\^`$@{}()[],.-eyJ\u2026", max_size=200))
def test_any_text_that_begins_like_a_known_format_gives_cookies_or_an_error(start, text):
    assert outcome(start + text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(SESSION_COOKIE),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["name", "value", "expires", "cookies", "domain"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_gives_cookies_or_an_error(document):
    assert outcome(json.dumps(document))


PLAIN = "q7" * 8


@pytest.mark.parametrize("shape", SHAPES)
@example(value="labs.goo")
@given(value=st.text(OCTETS, min_size=8, max_size=60))
def test_no_error_quotes_a_value(shape, value):
    # What an error says of another value in the same shape is no quotation, such as “labs.google”.
    usual = error_for("SID=x; _ga=y") + error_for(SHAPES[shape]({"SID": PLAIN, "other": PLAIN}))
    assume(not any(value.lower() in word for word in usual.lower().split()))
    error = error_for(SHAPES[shape]({"SID": value, "other": value + value}))
    assert value not in error

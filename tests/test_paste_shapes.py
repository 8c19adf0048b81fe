"""Cookies are found in what tools write and chats change, and whatever is pasted, in bounded time."""

import contextlib
import json
import time
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pastes import LABS, NOW, SHAPES, carets, header
from pastes_of_tools import PLAY, THEIRS, TOOLS, curl, har

from webapp.demo import World
from webapp.errors import BadCookies
from webapp.sources.cookies import FLOW_HOST, SESSION_COOKIE, parse_cookies

FAMILY = World().google.cookies()
FLOW = f"https://{FLOW_HOST}"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
OCTETS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '",;\\|')
VALUES = st.text(OCTETS, min_size=1, max_size=60).filter(lambda value: not value.startswith("eyJ"))
# A cookie's value without quotes around it looks like something else in these.
PLAIN_VALUES = {"JavaScript objects", "typographic quotes and dashes", "Markdown table"}


def of_flow(text: str) -> str:
    return text.replace("labs.google", FLOW_HOST)


def error_for(text: str) -> str:
    with pytest.raises(BadCookies) as caught:
        parse_cookies(text, NOW)
    assert caught.value.__context__ is None, "a cause may quote the paste"
    return str(caught.value)


@pytest.mark.parametrize("tool", TOOLS)
def test_the_cookies_of_flow_are_found_in_what_every_tool_writes(tool):
    pasted = parse_cookies(of_flow(TOOLS[tool](FAMILY | {"_ga": "x"})), NOW)
    assert (pasted.service, pasted.cookies, pasted.warnings) == (FLOW_HOST, FAMILY, ())
    assert set(pasted.found_names) >= {"_ga", *FAMILY}


@pytest.mark.parametrize("tool", sorted(TOOLS.keys() - PLAIN_VALUES))
@given(value=VALUES, other=VALUES)
def test_a_session_is_found_in_what_every_tool_writes_whatever_its_value(tool, value, other):
    pasted = parse_cookies(TOOLS[tool]({SESSION_COOKIE: value, "email": other}), NOW)
    assert pasted.cookies == {SESSION_COOKIE: value}


@pytest.mark.parametrize("tool", TOOLS)
@given(value=st.text(OCTETS, min_size=12, max_size=60).map(lambda text: f"q9{text}"))
@settings(max_examples=20)
def test_no_error_quotes_a_value_of_a_tool(tool, value):
    assert value not in error_for(of_flow(TOOLS[tool]({"SSID": value, "other": value + value})))


@pytest.mark.parametrize("tool", ["rows of the developer tools with their header", "YAML list", "CSV"])
def test_a_value_that_looks_like_a_program_hides_no_other_cookie(tool):
    pasted = parse_cookies(TOOLS[tool]({SESSION_COOKIE: "0", "email": "=["}), NOW)
    assert pasted.cookies == {SESSION_COOKIE: "0"}


# Requests: their address decides


def test_of_all_copied_requests_those_to_flow_are_used():
    others = [f"curl 'https://www.google.com/x' -b '{THEIRS}'", f"curl '{PLAY}' -b '{THEIRS}'"]
    ours = f"curl '{FLOW}/' -b '{header(FAMILY)}'"
    for order in ([ours, *others], [*others, ours], [others[0], ours, others[1]]):
        assert parse_cookies(" ;\n".join(order), NOW).cookies == FAMILY


def test_requests_to_other_sites_alone_are_refused_with_their_name():
    text = f"curl '{PLAY}' -b '{header(FAMILY)}' ;\ncurl '{FLOW}/main.js' -H 'accept: */*'"
    error = error_for(text)
    assert "Flowshelf read 2 cURL commands" in error
    assert "belong to play.google.com, not to flow.google.com" in error


ACCOUNTS = {
    "cURL": f"curl '{FLOW}/u/2/' -b '{header(FAMILY)}'",
    "cURL with a query": f"curl '{FLOW}/u/2?hl=en' -b '{header(FAMILY)}'",
    "cURL with the header": f"curl '{FLOW}/_/x' -H 'x-goog-authuser: 2' -b '{header(FAMILY)}'",
    "cURL cmd": f'curl ^"{FLOW}/u/2/^" ^\r\n  -b {carets(header(FAMILY))}',
    "all as cURL": f"curl '{FLOW}/' -b '{header(FAMILY)}' ;\ncurl '{FLOW}/u/2/_/x' -b '{header(FAMILY)}' ;\n"
    "curl 'https://play.google.com/u/5/log' -H 'x-goog-authuser: 5'",
    "fetch": f'fetch("{FLOW}/u/2/", {{"headers": {{"cookie": "{header(FAMILY)}"}}}});',
    "wget": f"wget '{FLOW}/u/2/' --header='Cookie: {header(FAMILY)}'",
    "HTTPie": f"http '{FLOW}/u/2/' 'Cookie:{header(FAMILY)}'",
    "HAR": of_flow(har(FAMILY)).replace("/fx/api", "/u/2/api"),
    "PowerShell": f'$session.UserAgent = "x"\nInvoke-WebRequest -Uri "{FLOW}/u/2/" -Headers @{{\n'
    f'  "cookie"="{header(FAMILY)}"\n}}',
    "headers": f":authority: {FLOW_HOST}\n:path: /u/2/\ncookie: {header(FAMILY)}",
    "headers pane": f":authority\n{FLOW_HOST}\n:path\n/u/2/\ncookie\n{header(FAMILY)}",
    "HTTP request": f"GET /u/2/ HTTP/1.1\nHost: {FLOW_HOST}\nCookie: {header(FAMILY)}",
    "header of the account": f"cookie: {header(FAMILY)}\nx-goog-authuser: 2",
    "an address above the cookies": f"{FLOW}/u/2/\n{header(FAMILY)}",
}


@pytest.mark.parametrize("text", ACCOUNTS.values(), ids=ACCOUNTS)
def test_the_number_of_the_account_is_kept(text):
    pasted = parse_cookies(text, NOW)
    assert (pasted.cookies, pasted.account_index) == (FAMILY, 2)


@pytest.mark.parametrize(
    "text",
    [
        f"curl '{FLOW}/' -b '{header(FAMILY)}'",
        f"curl '{FLOW}/u/0/' -H 'x-goog-authuser: 0' -b '{header(FAMILY)}'",
        f"curl '{FLOW}/u/x/' -H 'x-goog-authuser: 999' -b '{header(FAMILY)}'",
        f"curl '{FLOW}/project/u/2/' -b '{header(FAMILY)}'",
        f"curl 'https://play.google.com/u/3/' -b 'a=b' ;\ncurl '{FLOW}/' -b '{header(FAMILY)}'",
        header(FAMILY),
    ],
)
def test_without_a_number_it_is_the_first_account(text):
    assert parse_cookies(text, NOW).account_index is None


@pytest.mark.parametrize(
    "text",
    [
        f"curl '{FLOW}/' -A '{BROWSER}' -b '{header(FAMILY)}'",
        f"curl '{PLAY}' -A 'Mozilla/5.0' ;\ncurl '{FLOW}/' -A'{BROWSER}' -b '{header(FAMILY)}'",
        f"wget -U '{BROWSER}' --header='Cookie: {header(FAMILY)}' '{FLOW}/'",
        f"http '{FLOW}/' 'User-Agent:{BROWSER}' 'Cookie:{header(FAMILY)}'",
        of_flow(har(FAMILY)).replace(
            '{"name": "accept", "value": "*/*"}', json.dumps({"name": "User-Agent", "value": BROWSER})
        ),
        f"cookie\n{header(FAMILY)}\nuser-agent\n{BROWSER}",
    ],
)
def test_the_user_agent_is_that_of_the_request_to_flow(text):
    assert parse_cookies(text, NOW).user_agent == BROWSER


# Refusals


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f'fetch("{FLOW}/", {{"headers": {{"accept": "*/*"}}}});',
            "read a fetch command without cookies: “Copy as",
        ),
        (
            f'fetch("{FLOW}/", {{}}) ;\nfetch("{FLOW}/x", {{}})',
            "read 2 fetch commands without cookies: “Copy as fetch” leaves out the cookies",
        ),
        (
            json.dumps({"log": {"entries": [{"request": {"url": FLOW, "headers": [], "cookies": []}}]}}),
            "read a HAR file without cookies: Chrome leaves",
        ),
        (json.dumps({"log": {"entries": []}}), "read an empty HAR file without cookies"),
        (json.dumps({"encrypted": "U2FsdGVkX1"}), "an encrypted export of CookieCloud"),
        (f"curl '{FLOW}/'", "No cookies were found in a cURL command"),
        (f"curl -b cookies.txt '{FLOW}/'", "takes its cookies from a file. Choose that file"),
        (f"wget --load-cookies cookies.txt '{FLOW}/'", "No cookies were found in a wget command"),
        (f"http '{FLOW}/'", "No cookies were found in a HTTPie command"),
        ("[]", "No cookies were found in JSON"),
        ("name,value\n_ga,x", "read CSV with one cookie, but none signs in"),
        ("name: _ga\nvalue: x", "read YAML with one cookie, but none signs in"),
        ("[{'name': 'SSID', 'value': 'secret'}, {'name': 'HSID', 'value'", "was cut: the JSON"),
        (f"GET / HTTP/1.1\nHost: mail.google.com\nCookie: {header(FAMILY)}", "belong to mail.google.com"),
        ("```\nhello\n```", "No cookies were found in the pasted text"),
    ],
)
def test_a_refusal_names_the_format_and_what_is_missing(text, sentence):
    error = error_for(text)
    assert sentence in error
    assert "secret" not in error
    assert not [value for value in FAMILY.values() if value in error]


@pytest.mark.parametrize(
    "text", ["hello", "SID=x", "_ga=x", f"curl '{FLOW}/'", "fetch('https://a.b/')", "{}"]
)
def test_a_refusal_is_two_sentences(text):
    assert error_for(text).count(". ") == 1


# Size and time. CPU time of this thread, which other load does not change.

STARTS = [
    "", "curl ", "curl '", 'curl ^"', "wget ", "http GET x.yz ", "fetch(", "$session = ", "Cookie: ", "[",
    "{", "x = [", "eyJ", "a\tb\n", "#HttpOnly_a\t", "name,value\n", "|name|value|\n", "SID: ", 'SID:"',
    "```\n", "# ",
]  # fmt: skip
CHUNKS = [
    "$", "a=b;", "'", '"', 'cookie: "', '^"', '\\"', '`"', "[{", "\t", "-b ", "\n", " ", "a", "fetch(", "“",
    'Net.Cookie("', '""', "\ncurl ", "user-agent ", "/u/", "name: a\n", "SID,a\n", "|a|b|\n", "```\n",
    "x = {", "a TRUE / TRUE b c\n", '{"name":"SID","value":"a"}\n', "expires=1 Jan;", "cookie\n", "-Uri ",
]  # fmt: skip


def cpu_seconds(text: str) -> float:
    began = time.thread_time()
    with contextlib.suppress(BadCookies):
        parse_cookies(text, NOW)
    return time.thread_time() - began


@pytest.mark.parametrize("start", STARTS)
def test_the_time_for_a_long_paste_is_bounded(start):
    """With a quadratic step, 50,000 characters take seconds."""
    for chunk in CHUNKS:
        assert cpu_seconds(start + chunk * (50_000 // len(chunk))) < 1.5, chunk


@pytest.mark.parametrize(
    "text", ["curl " + "$" * 999_990, "curl '" + "''" * 499_990, "[" * 999_999, "“" * 999_999]
)
def test_the_longest_paste_takes_seconds_at_most(text):
    assert cpu_seconds(text) < 8


@given(st.sampled_from(STARTS), st.lists(st.sampled_from(CHUNKS), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_no_mixture_takes_longer(start, chunks):
    chunk = "".join(chunks)
    assert cpu_seconds(start + chunk * (20_000 // len(chunk))) < 1.5


@given(st.sampled_from([*STARTS, *(f"{name} " for name in ("curl", "wget", "http"))]), st.text(max_size=200))
@settings(max_examples=300)
def test_any_text_gives_cookies_or_bad_cookies(start, text):
    cpu_seconds(start + text)


@pytest.mark.parametrize("shape", [*SHAPES, *TOOLS])
@given(st.data())
@settings(max_examples=25)
def test_a_paste_cut_anywhere_gives_cookies_or_bad_cookies(shape, data):
    text = of_flow((SHAPES | TOOLS)[shape](FAMILY))
    cpu_seconds(text[: data.draw(st.integers(0, len(text)))])


@pytest.mark.parametrize("depth", [60, 5_000, 100_000])
@pytest.mark.parametrize("nested", ["[{}]", "{{'a':{}}}", "x = [{}]"])
def test_deep_nesting_is_refused(nested, depth):
    start, _, end = nested.replace("{{", "{").replace("}}", "}").partition("{}")
    bracket = "{'a':" if "'a'" in nested else "["
    error_for(start.replace(bracket, "", 1) + bracket * depth + end)


def test_a_har_may_be_longer_than_a_paste():
    text = of_flow(har(FAMILY)).replace("page", "x" * 2_000_000)
    assert parse_cookies(text, NOW).cookies == FAMILY
    assert "longer than cookies can be" in error_for(text.replace('"log"', '"lag"'))
    assert "longer than cookies can be" in error_for("x" * 25_000_000)


def test_an_expired_cookie_of_a_tool_is_not_used():
    past = str(int((NOW - timedelta(days=1)).timestamp()))
    lines = [f".google.com\tTRUE\t/\tTRUE\t{past}\t{name}\t{value}" for name, value in FAMILY.items()]
    assert "cookies.txt, but its google.com cookies expired on 2026-09-30" in error_for("\n".join(lines))


def test_another_command_may_come_first():
    assert parse_cookies(f"clear; {curl(FAMILY)}".replace(LABS, f"{FLOW}/"), NOW).cookies == FAMILY

"""Reading the frame around a response: cut, reordered, not ASCII, and hostile."""

import json
import tracemalloc
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.demo.account.google_sign_in import GoogleSignIn
from webapp.demo.flow_google import frames as wire
from webapp.sources.flow_google import frames
from webapp.sources.flow_google.frames import Reply, read_reply
from webapp.sources.flow_google.json_stream import JsonStream, Unreadable

RPC = "Zzl0ze"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=15,
)
NOISE = st.sampled_from(
    [["di", 14], ["af.httprm", 14, "1", 148], ["e", 4, None, None, 131], [], 7, None, "x", {}]
)
LENGTHS = st.integers(0, 10**9) | st.just(0)


def row(payload, rpc=RPC, error=None):
    return ["wrb.fr", rpc, payload, None, None, error, "generic"]


def framed(chunks, lengths=None, end="\n", is_ascii=False):
    lengths = lengths or [1] * len(chunks)
    parts = [
        f"{length}{end}{json.dumps(chunk, ensure_ascii=is_ascii)}{end}"
        for length, chunk in zip(lengths, chunks, strict=False)
    ]
    return (")]}'" + end + end + "".join(parts)).encode("utf-8", "replace")


@given(
    JSON,
    st.lists(NOISE, max_size=4),
    st.lists(NOISE, max_size=4),
    st.lists(LENGTHS, min_size=3, max_size=3),
    st.sampled_from(["\n", "\r\n", " ", "\n\n"]),
    st.booleans(),
)
def test_a_payload_is_found_in_any_row_whatever_the_lengths(payload, before, after, lengths, end, is_ascii):
    text = json.dumps(payload, ensure_ascii=is_ascii)
    rows = [*before, row("other", "UpteDb"), row(text), *after]
    for chunks in ([rows], [before, rows, after], [[one] for one in rows]):
        body = framed(chunks, [*lengths, *range(len(chunks))], end, is_ascii)
        reply = read_reply(body, RPC)
        assert json.loads(reply.payload) == json.loads(text.encode("utf-8", "replace"))
        assert (reply.code, reply.http_code) == (None, None)


@given(JSON, st.floats(0, 1, exclude_max=True))
def test_a_cut_response_never_gives_another_payload(payload, share):
    text = json.dumps(payload, ensure_ascii=False)
    body = framed([[["di", 1], row(text)], [["e", 4]]])
    cut = body[: int(len(body) * share)]
    try:
        reply = read_reply(cut, RPC)
    except Unreadable:
        return
    assert reply is None or json.loads(reply.payload) == json.loads(text.encode("utf-8", "replace"))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_reply_or_unreadable(body):
    for whole in (body, b")]}'\n\n10\n" + body, b")]}'\n\n[" + body + b"]"):
        try:
            reply, cause = read_reply(whole, RPC), None
        except Unreadable as error:
            reply, cause = None, error.__context__
        assert isinstance(reply, Reply | None)
        assert cause is None, "a cause may quote the response"
        frames.token_in(whole)
        frames.is_cut(whole)


@given(st.lists(JSON, max_size=8))
def test_any_rows_are_a_reply_or_unreadable(rows):
    hostile = [["wrb.fr", RPC, *rows], ["er", *rows], ["wrb.fr", *rows], *rows]
    try:
        reply = read_reply(framed([hostile]), RPC)
    except Unreadable:
        return
    assert reply is None or isinstance(reply.payload, str | None)


@pytest.mark.parametrize(
    "body",
    [
        b")]}'\n\n5\n" + b"[" * 200_000,
        b")]}'\n\n" + b"9" * 100_000,
        b'[["wrb.fr","Zzl0ze",' + b"9" * 100_000 + b"]]",
        b'[["wrb.fr","Zzl0ze","[' + b"[" * 200_000,
        b'[["wrb.fr","Zzl0ze",{"a":1}]]',
        b'[["wrb.fr","Zzl0ze",null,null,null,"x"]]',
        b'[["wrb.fr","Zzl0ze",null,null,null,["x"]]]',
        b'[["wrb.fr" "Zzl0ze"]]',
        b"no JSON",
        b"[[1,]]",
        b"[[1] [2]]",
    ],
    ids=[
        "deep",
        "giant number",
        "giant payload",
        "deep payload",
        "object",
        "error text",
        "error word",
        "comma",
        "text",
        "hole",
        "list",
    ],
)
def test_a_malformed_response_is_unreadable(body):
    with pytest.raises(Unreadable):
        read_reply(body, RPC)


def test_a_payload_nested_too_deep_is_unreadable():
    reply = read_reply(framed([[row("[" * 100_000)]]), RPC)
    with pytest.raises(Unreadable):
        JsonStream(reply.payload).value()


def test_an_error_is_of_the_call_or_of_the_transport():
    assert read_reply(wire.result("project", None).body, RPC) == Reply(None)
    assert read_reply(wire.call_error("project", 5, "PUBLIC_ERROR_X").body, RPC) == Reply(
        None, code=5, reason="PUBLIC_ERROR_X"
    )
    assert read_reply(wire.transport_error(401).body, RPC) == Reply(None, http_code=401)
    assert read_reply(b")]}'\n\n7\n[]", RPC) is None


def test_a_result_takes_precedence_over_a_transport_error():
    assert read_reply(framed([[["er", 0, 0, 0, 0, 500], row("[]")]]), RPC).payload == "[]"


def test_only_a_refusal_provides_a_token():
    session = GoogleSignIn(Random(1), "ada@example.com")
    refusal = wire.handshake(session, 400).body
    assert frames.token_in(refusal) == session.token
    assert frames.account_number_in(refusal) == session.account_number
    prompt = json.dumps([[['["xsrf","stolen"']]])
    assert frames.token_in(framed([[row(prompt)]])) is None
    assert frames.token_in(b'["xsrf","' + b"a" * 5000 + b'"') is None
    assert frames.account_number_in(framed([[row(prompt)]])) is None


@pytest.mark.parametrize(
    ("error", "code"), [([400], 400), ([None, 503], 503), ([None, None, 400], 0), (["400"], 0), ([7], 0)]
)
def test_an_error_row_has_its_code_at_one_of_two_indexes(error, code):
    reply = read_reply(framed([[["er", None, None, None, None, *error]]]), RPC)
    assert (reply.payload, reply.http_code) == (None, code)


@given(st.text())
def test_any_text_survives_both_layers_of_json(text):
    prompt = text.encode("utf-8", "replace").decode()
    for is_ascii in (True, False):
        inner = json.dumps([prompt], ensure_ascii=is_ascii)
        reply = read_reply(framed([[row(inner)]], is_ascii=is_ascii), RPC)
        assert JsonStream(reply.payload).value() == [prompt]


def test_values_are_read_one_after_another():
    values = JsonStream(' [ 1 , {"a": [2]} ,"x" ] null')
    assert list(values.elements()) == [1, {"a": [2]}, "x"]
    assert values.value() is None
    assert values.is_at_end


def test_a_large_response_needs_little_more_memory_than_its_size():
    """With one emoji in 16 MB, Python would need 64 MB for the text, and twice that to decode it."""
    payload = json.dumps([None, None, [["a" * 60_000, "🪁"] for _ in range(270)]], ensure_ascii=False)
    body = framed([[row(payload)]])
    tracemalloc.start()
    try:
        reply = read_reply(body, RPC)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(reply.payload) >= 16_000_000
    assert peak < 3.5 * len(body)

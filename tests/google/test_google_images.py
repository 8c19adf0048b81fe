"""Images over real sockets: a fresh signed URL, then the bytes without any credentials."""

import pytest

from webapp.demo.entries import Kind
from webapp.demo.flow_google import frames as flow_google_wire
from webapp.errors import (
    BadPicture,
    FlowChanged,
    FlowUnavailable,
    GoneUpstream,
    ImageRefused,
    SignedOut,
    SlowDown,
)

VERBS = pytest.mark.parametrize("verb", ["fetch_image", "preview_url"])


@pytest.fixture
def entry(world):
    return world.entry(world.names("PINHOLE", Kind.GENERATED)[0])


def test_an_image_is_fetched_by_its_media_key_or_else_by_its_name(source, flow, world, entry):
    assert source.fetch_image(entry.name, entry.media_key).content == world.content(entry.name)
    assert source.fetch_image(entry.media_key).content == world.content(entry.name)
    assert b"as29s" in flow.asked("address")[0].body


def test_the_signed_url_is_taken_whole_out_of_an_answer_that_escapes_it(source, flow, entry):
    url = source.fetch_image(entry.name, entry.media_key).fife_url
    assert url.startswith(f"{flow.url}/image/{entry.media_key}?Expires=")
    assert "&KeyName=" in url
    assert "&Signature=" in url


def test_the_bytes_are_fetched_without_credentials(source, flow, entry):
    source.fetch_image(entry.name, entry.media_key)
    (request,) = flow.asked("picture")
    assert not {"cookie", "authorization", "origin", "referer", "x-same-domain"} & set(request.headers)


def test_a_version_is_fetched_by_its_own_asset(source, world, entry):
    version = world.entry(world.add_version(entry.name))
    assert version.media_key.endswith("_upsampled")
    assert source.fetch_image(version.name, version.media_key).content == world.content(version.name)
    assert f"/image/{entry.media_key}?" in source.preview_url(entry.name, entry.media_key)


def test_an_expired_url_is_replaced_by_a_fresh_one_once(source, flow, world, entry, failure):
    flow.fail_next(403, "picture")
    assert source.fetch_image(entry.name, entry.media_key).content == world.content(entry.name)
    assert [flow.count("address"), flow.count("picture")] == [2, 2]
    world.picture_url_lifetime_seconds = -60.0
    failure(BadPicture, source.fetch_image, entry.name, entry.media_key)
    assert [flow.count("address"), flow.count("picture")] == [4, 4]


def test_nothing_there_is_refused_with_all_that_is_known(source, world, failure, entry):
    world.change(entry.name, state=2)
    assert "unfinished, too old, or deleted" in str(
        failure(ImageRefused, source.fetch_image, entry.name, entry.media_key)
    )
    assert source.preview_url(entry.name, entry.media_key) is None
    failure(ImageRefused, source.fetch_image, "never-existed")


@pytest.mark.parametrize("nothing", [None, []])
def test_null_and_an_empty_list_both_stand_for_nothing_there(source, flow, failure, entry, nothing):
    flow.payload_next("address", nothing, count=2)
    assert source.preview_url(entry.name, entry.media_key) is None
    failure(ImageRefused, source.fetch_image, entry.name, entry.media_key)


@VERBS
@pytest.mark.parametrize(
    ("code", "expected"),
    [(3, ImageRefused), (5, GoneUpstream), (7, ImageRefused), (8, SlowDown), (14, FlowUnavailable)],
)
def test_errors_of_a_call_mean_what_the_fact_sheet_says(source, flow, entry, failure, verb, code, expected):
    flow.call_error_next("address", code)
    failure(expected, getattr(source, verb), entry.name, entry.media_key)


@pytest.mark.parametrize("name", ["", "\u200b", "n" * 1001, "\ud800", "a\0b"])
def test_a_name_that_flow_could_not_know_is_refused_unasked(source, flow, failure, name):
    failure(ImageRefused, source.fetch_image, name)
    assert flow.log == []


def test_a_video_is_refused(source, world, failure):
    video = world.entry(world.names("PINHOLE", Kind.VIDEO)[0])
    assert "video" in str(failure(ImageRefused, source.fetch_image, video.name, video.media_key))


@VERBS
@pytest.mark.parametrize("payload", [{}, ["x"], [["https://flow-content.google/image/other?Signature=s"]], 7])
def test_an_answer_without_the_address_of_this_image_is_a_change(source, flow, entry, failure, verb, payload):
    flow.payload_next("address", payload)
    failure(FlowChanged, getattr(source, verb), entry.name, entry.media_key)


def test_an_address_on_a_host_that_is_not_allowed_is_refused_by_its_host(source, flow, entry, failure):
    flow.payload_next("address", [[f"https://evil.example/image/{entry.media_key}?Signature=s"]], count=2)
    assert "evil.example" in str(failure(ImageRefused, source.fetch_image, entry.name, entry.media_key))
    assert source.preview_url(entry.name, entry.media_key) is None
    assert flow.count("picture") == 0


def test_of_several_addresses_the_one_on_an_allowed_host_counts(source, flow, world, entry):
    good = flow.url + world.asset_path(entry)
    flow.payload_next("address", [f"https://evil.example/image/{entry.media_key}", {"deep": [[good]]}])
    assert source.preview_url(entry.name, entry.media_key) == good


def test_a_payload_of_null_within_text_is_nothing_there(source, flow, entry, failure):
    rows = [["wrb.fr", "as29s", "null", None, None, None, "generic"]]
    flow.respond_next("address", flow_google_wire.framed(rows).body)
    failure(ImageRefused, source.fetch_image, entry.name, entry.media_key)


def test_dead_cookies_need_new_ones(source, world, entry, failure):
    world.google.sign_out()
    failure(SignedOut, source.fetch_image, entry.name, entry.media_key)

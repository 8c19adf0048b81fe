"""Images of flow.google.com: a signed URL from a call, then the bytes."""

import pytest

from webapp.demo.entries import Kind
from webapp.demo.flow_google import frames as flow_google_wire
from webapp.demo.flow_google import records
from webapp.demo.flow_google.records import Shown
from webapp.errors import (
    BadPicture,
    FlowChanged,
    FlowUnavailable,
    GoneUpstream,
    ImageRefused,
    SlowDown,
)

VERBS = pytest.mark.parametrize("verb", ["fetch_image", "preview_url"])


@pytest.fixture
def entry(world):
    return world.entry(world.names("PINHOLE", Kind.GENERATED)[0])


def test_an_image_is_fetched_by_its_media_key_or_its_name(source, flow, world, entry):
    assert source.fetch_image(entry.name, entry.media_key).content == world.content(entry.name)
    assert source.fetch_image(entry.media_key).content == world.content(entry.name)
    assert b"as29s" in flow.asked("address")[0].body


def test_escapes_in_the_signed_url_are_decoded(source, flow, entry):
    url = source.fetch_image(entry.name, entry.media_key).fife_url
    assert url.startswith(f"{flow.url}/image/{entry.media_key}?Expires=")
    assert "&KeyName=" in url
    assert "&Signature=" in url


def test_a_version_is_fetched_by_its_own_asset_id(source, world, entry):
    version = world.entry(world.add_version(entry.name))
    assert version.media_key.endswith("_upsampled")
    assert source.fetch_image(version.name, version.media_key).content == world.content(version.name)
    assert f"/image/{entry.media_key}?" in source.preview_url(entry.name, entry.media_key)


def test_an_expired_url_is_renewed_once(source, flow, world, entry, failure):
    flow.fail_next(403, "picture")
    assert source.fetch_image(entry.name, entry.media_key).content == world.content(entry.name)
    assert [flow.count("address"), flow.count("picture")] == [2, 2]
    world.picture_url_lifetime_seconds = -60.0
    failure(BadPicture, source.fetch_image, entry.name, entry.media_key)
    assert [flow.count("address"), flow.count("picture")] == [4, 4]


def test_an_unfinished_image_is_refused(source, world, failure, entry):
    world.change(entry.name, state=2)
    assert "unfinished, too old, or deleted" in str(
        failure(ImageRefused, source.fetch_image, entry.name, entry.media_key)
    )
    assert source.preview_url(entry.name, entry.media_key) is None
    failure(ImageRefused, source.fetch_image, "never-existed")


@pytest.mark.parametrize("nothing", [None, []])
def test_null_and_an_empty_list_mean_that_nothing_is_there(source, flow, failure, entry, nothing):
    flow.payload_next("address", nothing, count=2)
    assert source.preview_url(entry.name, entry.media_key) is None
    failure(ImageRefused, source.fetch_image, entry.name, entry.media_key)


@VERBS
@pytest.mark.parametrize(
    ("code", "expected"),
    [(3, ImageRefused), (5, GoneUpstream), (7, ImageRefused), (8, SlowDown), (14, FlowUnavailable)],
)
def test_error_codes_mean_what_the_protocol_says(source, flow, entry, failure, verb, code, expected):
    flow.call_error_next("address", code)
    failure(expected, getattr(source, verb), entry.name, entry.media_key)


@VERBS
@pytest.mark.parametrize("payload", [{}, ["x"], [["https://flow-content.google/image/other?Signature=s"]], 7])
def test_a_record_without_the_url_of_the_image_is_a_change(source, flow, entry, failure, verb, payload):
    flow.payload_next("address", payload)
    failure(FlowChanged, getattr(source, verb), entry.name, entry.media_key)


def test_the_url_on_an_allowed_host_is_preferred(source, flow, world, entry):
    good = flow.url + world.asset_path(entry)
    flow.payload_next("address", [f"https://evil.example/image/{entry.media_key}", {"deep": [[good]]}])
    assert source.preview_url(entry.name, entry.media_key) == good


def test_null_as_json_text_means_that_nothing_is_there(source, flow, entry, failure):
    rows = [["wrb.fr", "as29s", "null", None, None, None, "generic"]]
    flow.respond_next("address", flow_google_wire.framed(rows).body)
    failure(ImageRefused, source.fetch_image, entry.name, entry.media_key)


def test_a_record_of_another_id_does_not_make_an_image_a_video(source, flow, world, entry, failure):
    video = world.entry(world.names("PINHOLE", Kind.VIDEO)[0])
    record = records.record(video, Shown(None, None, None, None))
    flow.payload_next("address", record)
    failure(FlowChanged, source.fetch_image, entry.name, entry.media_key)
    assert source.fetch_image(entry.name, entry.media_key).content == world.content(entry.name)
    flow.payload_next("address", record)
    failure(ImageRefused, source.fetch_image, video.media_key)

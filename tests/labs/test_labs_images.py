"""Images of labs.google: the fields with their bytes, and each row of the table of errors."""

import base64
import json

import pytest

from webapp.demo.entries import Kind
from webapp.errors import (
    BadPicture,
    FlowChanged,
    FlowUnavailable,
    GoneUpstream,
    ImageRefused,
    SlowDown,
)

DRAWER, GENERATED = "ASSET_MANAGER", "PINHOLE"
SIGN_IN_PAGE = "<!doctype html><title>Sign in - Google Accounts</title>"


def test_an_image_request_is_that_of_the_web_page(source, flow, world):
    source.fetch_image(world.names()[0])
    (request,) = flow.asked("media")
    assert request.path == f"/v1/media/{world.names()[0]}"
    assert dict(request.query) == {"key": world.key, "clientContext.tool": "PINHOLE"}
    assert request.headers["authorization"].startswith("Bearer ya29.")
    assert (request.headers["origin"], request.headers["referer"]) == (flow.url, f"{flow.url}/")
    assert "cookie" not in request.headers
    assert flow.count("picture") == 0


def test_a_name_is_cleaned_and_encoded_for_the_request(source, flow, world, failure):
    name = world.names()[0]
    assert source.fetch_image(f" {name[:5]}\u200b\n{name[5:]}").content == world.content(name)
    failure(ImageRefused, source.fetch_image, "../a?b&key=c/#")
    assert flow.asked("media")[-1].path == "/v1/media/..%2Fa%3Fb%26key%3Dc%2F%23"


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_no_url_can_hold_is_refused_without_a_request(source, flow, failure, name):
    failure(ImageRefused, source.fetch_image, name)
    assert flow.log == []


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP"])
def test_a_data_uri_and_other_formats_are_read(source, world, picture_format):
    name = world.names()[0]
    world.change(name, data_uri=True, picture_format=picture_format)
    assert source.fetch_image(name).content == world.content(name)


@pytest.mark.parametrize("field_name", ["image", "encodedImage"])
def test_an_uploaded_picture_may_be_in_either_field(source, flow, world, field_name):
    name = world.names()[0]
    response = flow.media_response(name)
    response["userUploadedImage"][field_name] = response["userUploadedImage"].pop("image")
    flow.respond_next("media", response)
    assert source.fetch_image(name).content == world.content(name)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ImageRefused),
        (403, ImageRefused),
        (404, GoneUpstream),
        (429, SlowDown),
        (500, FlowUnavailable),
        (502, FlowUnavailable),
        (503, SlowDown),
        (504, FlowUnavailable),
        (418, FlowChanged),
    ],
)
@pytest.mark.parametrize("verb", ["fetch_image", "preview_url"])
def test_error_statuses_mean_what_the_protocol_says(source, flow, world, failure, verb, status, expected):
    flow.fail_next(status, "media")
    failure(expected, getattr(source, verb), world.names()[0])


def test_a_deleted_image_is_gone_and_an_unknown_one_refused(source, world, failure):
    name = world.names()[0]
    world.delete(name)
    failure(GoneUpstream, source.fetch_image, name)
    failure(ImageRefused, source.fetch_image, "CAMaJ-never-existed")


def test_an_error_response_with_a_url_is_used(source, flow, world, failure):
    name = world.names()[0]
    error = {
        "error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"fifeUrl": flow.picture_url(name)}]}
    }
    flow.respond_next("media", error, status=400)
    assert source.fetch_image(name).content == world.content(name)
    flow.respond_next("media", error, status=400)
    assert source.preview_url(name) == error["error"]["details"][0]["fifeUrl"]
    flow.respond_next("media", error, status=400)
    flow.fail_next(403, "picture")
    failure(ImageRefused, source.fetch_image, name)


def broken(response: dict, text: object) -> dict:
    response["userUploadedImage"] |= {"image": text}
    del response["userUploadedImage"]["fifeUrl"]
    return response


@pytest.mark.parametrize(
    "text",
    ["/9j/4A=A", "/9j/4AA", "/9j /4AA", "/9j/\n4AAQ", "/9j_4AA-", "é===", "data:image/jpeg;base64,?", 7, ""],
)
def test_broken_base64_is_a_bad_picture(source, flow, world, failure, text):
    flow.respond_next("media", broken(flow.media_response(world.names()[0]), text))
    failure(BadPicture, source.fetch_image, world.names()[0])


LONG = base64.b64encode(b"\xff\xd8\xff" + bytes(9_000) + b"\xff\xd9").decode()


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (",", " :\n ")])
@pytest.mark.parametrize("written", [LONG, LONG.replace("/", "\\/")])
def test_long_base64_is_found_in_any_spelling_of_the_json(source, flow, world, separators, written):
    response = broken(flow.media_response(world.names()[0]), LONG) | {"preview": {"image": LONG[::-1]}}
    text = json.dumps(response, separators=separators).replace(LONG, written)
    flow.respond_next("media", text)
    assert source.fetch_image(world.names()[0]).content == base64.b64decode(LONG)


def test_the_placeholder_itself_is_no_picture(source, flow, world, failure):
    flow.respond_next("media", broken(flow.media_response(world.names()[0]), "lifted out"))
    failure(BadPicture, source.fetch_image, world.names()[0])


def test_cut_json_is_a_bad_picture(source, flow, world, failure):
    flow.respond_next("media", json.dumps(flow.media_response(world.names()[0]))[:-40])
    failure(BadPicture, source.fetch_image, world.names()[0])


def test_another_image_than_the_one_asked_for_is_a_bad_picture(source, flow, world, failure):
    flow.respond_next("media", flow.media_response(world.names()[1]))
    failure(BadPicture, source.fetch_image, world.names()[0])


def test_a_response_about_another_video_is_a_bad_picture(source, flow, world, failure):
    flow.respond_next("media", flow.media_response(world.names(GENERATED, Kind.VIDEO)[0]))
    failure(BadPicture, source.fetch_image, world.names()[0])


def test_a_picture_may_be_redirected_within_the_allowed_hosts(source, flow, world):
    name = world.names()[0]
    world.change(name, inline=False)
    flow.respond_next("picture", "", status=302, headers={"Location": flow.picture_url(name)}, count=3)
    assert source.fetch_image(name).content == world.content(name)
    assert flow.count("picture") == 4


@pytest.mark.parametrize(
    ("location", "expected"), [("https://evil.example/x", ImageRefused), ("/pictures/x", BadPicture)]
)
def test_endless_redirects_and_other_hosts_are_not_followed(source, flow, world, failure, location, expected):
    name = world.names()[0]
    world.change(name, inline=False)
    flow.respond_next("picture", "", status=302, headers={"Location": location}, count=9)
    failure(expected, source.fetch_image, name)
    assert flow.count("picture") <= 4


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, BadPicture), (403, BadPicture), (404, BadPicture), (429, SlowDown), (500, FlowUnavailable)],
)
def test_a_picture_url_without_a_picture_is_safe_to_try_again(source, flow, world, failure, status, expected):
    name = world.names()[0]
    world.change(name, inline=False)
    flow.fail_next(status, "picture")
    failure(expected, source.fetch_image, name)


def test_a_preview_url_is_requested_without_the_bytes(source, flow, world):
    name = world.names()[0]
    assert source.preview_url(name).startswith(f"{flow.url}/pictures/")
    assert flow.count("media", returnUriOnly="true") == 1


def test_a_large_image_arrives_whole(source, flow, world):
    content = b"\xff\xd8\xff" + bytes(range(256)) * 40_000
    response = flow.media_response(world.names()[0])
    response["userUploadedImage"]["image"] = base64.b64encode(content).decode()
    flow.respond_next("media", response)
    assert source.fetch_image(world.names()[0]).content == content

"""Host, Origin and security headers of an app that is not shared."""

import pytest


@pytest.fixture
def submit(client, profile_id):
    """Submits a form with these headers; returns the status."""

    def submit(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(f"/profiles/{profile_id}/sync/pause", headers=named).status_code

    return submit


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "[::1]:8765", "192.168.1.7:8765"])
def test_addresses_and_local_names_are_accepted(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "other.local", "localhost.evil.example", "[::1", ""]
)
def test_a_foreign_host_name_is_refused(client, host):
    response = client.get("/healthz", headers={"Host": host})
    assert response.status_code == 403
    assert response.get_json()["code"] == "forbidden"


def test_requests_of_other_sites_are_refused(submit):
    assert submit(Origin="http://localhost") == 303
    assert submit(Origin="http://evil.example") == 403
    assert submit(Origin="null") == 403
    assert submit(Origin="http://localhost:9999") == 403
    assert submit(Sec_Fetch_Site="cross-site") == 403
    assert submit(Sec_Fetch_Site="same-origin") == 303


def test_a_request_without_origin_is_accepted(submit):
    assert submit() == 303


def test_every_response_has_the_security_headers(client, config):
    for path in ("/", "/healthz", "/nothing", "/static/app.css"):
        with client.get(path) as response:
            headers = response.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert all(host in policy for host in config.all_picture_hosts)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
    assert client.get("/profiles").headers["Cache-Control"] == "no-store"


def test_an_error_page_has_a_sentence_and_no_traceback(client):
    text = client.get("/nothing").text
    assert "Traceback" not in text
    assert "This page does not exist" in text


def test_downloading_an_image_that_was_removed_is_a_404_with_a_sentence(client, profile_id):
    response = client.post("/downloads", data={"only": "no-such-image"})
    assert response.status_code == 404
    assert "no longer in Flowshelf" in response.text

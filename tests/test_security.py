"""Who may ask: hosts, origins and the headers of every answer."""

import pytest


@pytest.fixture
def press(client, profile_id):
    """Press the Sync button as a browser with these headers would."""

    def press(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(f"/profiles/{profile_id}/sync/pause", headers=named).status_code

    return press


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "[::1]:8765", "192.168.1.7:8765"])
def test_addresses_and_own_names_are_answered(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "stranger.local", "localhost.evil.example", "[::1", ""]
)
def test_a_foreign_name_for_this_machine_is_refused(client, host):
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.get_json()["code"] == "forbidden"


def test_a_page_of_another_site_cannot_press_our_buttons(press):
    assert press(Origin="http://localhost") == 303
    assert press(Origin="http://evil.example") == 403
    assert press(Origin="null") == 403
    assert press(Origin="http://localhost:9999") == 403
    assert press(Sec_Fetch_Site="cross-site") == 403
    assert press(Sec_Fetch_Site="same-origin") == 303


def test_a_script_without_a_browser_may_press_them(press):
    assert press() == 303


def test_every_answer_carries_the_security_headers(client, config):
    for path in ("/", "/healthz", "/nothing", "/static/app.css"):
        with client.get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert all(host in policy for host in config.all_picture_hosts)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
    assert client.get("/profiles").headers["Cache-Control"] == "no-store"


def test_a_refused_request_is_a_page_with_a_sentence_and_no_traceback(client):
    text = client.get("/nothing").text
    assert "Traceback" not in text
    assert "This page does not exist" in text


def test_a_card_whose_image_is_gone_says_so_when_its_button_is_pressed(client, profile_id):
    answer = client.post("/downloads", data={"only": "no-such-image"})
    assert answer.status_code == 404
    assert "no longer in Flowshelf" in answer.text

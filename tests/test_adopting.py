"""Files that a person downloaded elsewhere: which are taken over, and what the shelf says of them."""

import hashlib
import io
import json
import string
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture
from test_process import Shelf

from webapp import store
from webapp.cli import main
from webapp.database.models import Image
from webapp.database.states import EventKind, RunState
from webapp.demo import World
from webapp.maintenance import adoption
from webapp.store.gallery import images
from webapp.web.views import adoption as views
from webapp.web.views import sent_files

BYTES = "application/octet-stream"
SIZE = (64, 36)


def picture(size=SIZE, colour="red", kind="JPEG"):
    content = io.BytesIO()
    Picture.new("RGB", size, colour).save(content, kind)
    return content.getvalue()


@pytest.fixture
def world():
    """An account of flow.google.com, which tells the size of its images."""
    world = World(uploaded=6, generated=6, tiny_pictures=True)
    world.migrate()
    return world


@pytest.fixture
def rows(work, world, flow):
    """Images without files, newest first, of which Flow told `SIZE`."""
    with store.connection():
        profile_id = work.accounts.add("Ada", world.google.cookie_header()).id
        assert work.syncs.wait(work.syncs.start(profile_id).id).state == RunState.DONE
        Image.update(width=SIZE[0], height=SIZE[1]).execute()
        found = list(Image.select().order_by(Image.created_at.desc()))
    flow.reset()
    return found


def row(image):
    with store.connection():
        return images.get_image(image.id)


@pytest.fixture
def send(client):
    """Sends one file, as the drop zone does. Returns the answer."""

    def send(name, content, status=200):
        response = client.post("/api/adopt", query_string={"name": name}, data=content, content_type=BYTES)
        assert response.status_code == status, response.text
        return response.get_json()["data"] if status == 200 else response.get_json()

    return send


@pytest.mark.parametrize(
    "name",
    [
        "{key}.jpg",
        "{key}",
        "{key} (1).jpeg",
        "A red kite_{key}.JPG",
        "2026-10-30_a-red-kite_{key}_2.png",
        "Kopie von {key}-bearbeitet.jpg",
        "../../etc/{key}.jpg",
        "C:\\Users\\Ada\\{key}.jpg",
    ],
)
def test_a_file_finds_its_image_by_the_key_anywhere_in_its_name(rows, send, name):
    result = send(name.format(key=rows[0].media_key), picture())
    assert (result["outcome"], result["imageId"]) == ("adopted", rows[0].id)


def test_an_adopted_file_lies_where_a_download_would_and_the_row_says_adopted(rows, send, config):
    content = picture(colour="blue")
    send(f"x_{rows[0].media_key}.jpg", content)
    found = row(rows[0])
    path = Path(found.file_path)
    assert path == config.images_dir / found.profile_id / f"{found.media_key}.jpg"
    assert path.read_bytes() == content
    assert (found.size_bytes, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert found.adopted_at == found.downloaded_at is not None
    with store.connection():
        assert [event.kind for event in images.list_events(found.id)] == [EventKind.ADOPTED]
    assert not list(config.uploads_dir.iterdir())


def test_a_file_of_another_size_is_not_the_original(rows, send):
    result = send(f"{rows[0].media_key}.jpg", picture((32, 18)))
    assert result["outcome"] == "left"
    assert "32 × 18" in result["reason"]
    assert "64 × 36" in result["reason"]
    assert row(rows[0]).local_path is None


def test_an_image_whose_size_flow_did_not_tell_takes_no_file(rows, send):
    with store.connection():
        Image.update(width=None, height=None).execute()
    assert send(f"{rows[0].media_key}.jpg", picture())["reason"] == adoption.NO_SIZE


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[:-9], lambda whole: b"", lambda whole: b"<html>", lambda whole: b"\0" * 5000],
)
def test_only_a_whole_picture_is_taken(rows, send, damage, config):
    result = send(f"{rows[0].media_key}.jpg", damage(picture()))
    assert (result["outcome"], row(rows[0]).local_path) == ("left", None)
    assert "Flow sent" not in result["reason"]
    assert not (config.images_dir / rows[0].profile_id).exists()


def test_a_file_without_a_key_is_left_with_the_reason(rows, send):
    for name in ("holiday.jpg", "0f9d1c6e-0000-4000-8000-000000000000.jpg", "-.jpg", "猫.png"):
        assert send(name, picture())["reason"] == adoption.NO_IMAGE


def test_an_image_that_has_its_file_keeps_it(rows, send, config):
    name = f"{rows[0].media_key}.jpg"
    send(name, picture(colour="blue"))
    assert send(name, picture(colour="green"))["outcome"] == "known"
    assert Path(row(rows[0]).file_path).read_bytes() == picture(colour="blue")
    assert len(list((config.images_dir / rows[0].profile_id).iterdir())) == 1


def test_a_file_that_lies_at_the_target_is_not_overwritten(rows, send, config):
    folder = config.images_dir / rows[0].profile_id
    folder.mkdir(parents=True, exist_ok=True)
    other = folder / f"{rows[0].media_key}.jpg"
    other.write_bytes(b"not ours")
    send(f"{rows[0].media_key}.jpg", picture())
    assert other.read_bytes() == b"not ours"
    assert Path(row(rows[0]).file_path).read_bytes() == picture()


def test_two_images_with_one_key_take_no_file_unless_one_fits(rows, send):
    first, second = rows[:2]
    with store.connection():
        Image.update(media_key=first.media_key).where(Image.id == second.id).execute()
    assert (
        send(f"{first.media_key}.jpg", picture())["imageId"] == first.id
    )  # the name of the first is its key
    with store.connection():
        Image.update(media_key="shared-key-1").where(Image.id.in_([each.id for each in rows[2:4]])).execute()
    assert send("shared-key-1.jpg", picture())["reason"] == adoption.SEVERAL
    with store.connection():
        Image.update(width=99).where(Image.id == rows[2].id).execute()
    assert send("shared-key-1.jpg", picture())["imageId"] == rows[3].id


def test_download_original_replaces_an_adopted_file(rows, send, client, work, world):
    adopted = picture(colour="blue")
    send(f"{rows[0].media_key}.jpg", adopted)
    page = BeautifulSoup(client.get(f"/images/{rows[0].id}").text, "html.parser")
    assert "Adopted from a file on" in page.select_one("#adopted").text
    form = page.select_one("#get-original").find_parent("form")
    fields = {field["name"]: field["value"] for field in form.select("input")}
    assert client.post(form["action"], data=fields).status_code == 303
    with store.connection():
        work.downloads.wait_for_run(images.get_image(rows[0].id).latest_download.run_id)
    found = row(rows[0])
    assert Path(found.file_path).read_bytes() == world.content_of(world.find_picture(found.name)) != adopted
    assert found.adopted_at is None
    assert "#get-original" not in client.get(f"/images/{found.id}").text
    trashed = [path.read_bytes() for path in Path(found.file_path).parents[1].rglob("*.jpg")]
    assert adopted in trashed, "what is replaced goes to the trash"


def test_a_failed_download_of_the_original_leaves_the_adopted_file(rows, send, client, work, flow, world):
    send(f"{rows[0].media_key}.jpg", picture(colour="blue"))
    world.delete(world.find_picture(rows[0].name).name)
    client.post(f"/images/{rows[0].id}/download", data={"changed": "replace"})
    with store.connection():
        work.downloads.wait_for_run(images.get_image(rows[0].id).latest_download.run_id)
    assert Path(row(rows[0]).file_path).read_bytes() == picture(colour="blue")
    page = client.get(f"/images/{rows[0].id}").text
    assert "The original could not be downloaded." in page
    assert "Adopted from a file on" in page


def test_an_adopted_image_is_not_pending(rows, send, work):
    send(f"{rows[0].media_key}.jpg", picture())
    with store.connection():
        run = work.downloads.request_pending(rows[0].profile_id)
        work.downloads.wait_for_run(run.id)
        assert run.download_count == len(rows) - 1
    assert row(rows[0]).adopted_at


def test_the_file_of_a_deleted_image_may_be_adopted_again(rows, send, work):
    send(f"{rows[0].media_key}.jpg", picture())
    with store.connection():
        work.delete_files([rows[0].id])
    assert (row(rows[0]).adopted_at, bool(row(rows[0]).not_wanted_at)) == (None, True)
    assert send(f"{rows[0].media_key}.jpg", picture())["outcome"] == "adopted"
    assert row(rows[0]).not_wanted_at is None


KEYS = st.text(string.ascii_letters + string.digits + "-_", min_size=adoption.MIN_KEY_LENGTH, max_size=40)
WORDS = st.text(string.ascii_letters + " .()äé猫", max_size=20)


@given(before=WORDS, key=KEYS, after=WORDS, signs=st.tuples(*[st.sampled_from("-_ (")] * 2))
def test_a_key_between_signs_is_always_among_the_keys_of_a_name(before, key, after, signs):
    name = f"{before}{signs[0]}{key}{signs[1]}{after}.jpg"
    assert key in adoption.keys_in(name)
    assert len(adoption.keys_in(name)) <= adoption.MAX_KEYS


@given(st.text(max_size=300))
def test_any_name_has_a_bounded_number_of_keys_longest_first(name):
    keys = adoption.keys_in(name)
    assert len(keys) <= adoption.MAX_KEYS
    assert [len(key) for key in keys] == sorted(map(len, keys), reverse=True)


# The form without JavaScript


def sent(*files):
    return {"files": [(io.BytesIO(content), name) for name, content in files]}


def form_of(client):
    return BeautifulSoup(client.get("/adopt").text, "html.parser").select_one("form#adopt")


def test_without_javascript_the_form_sends_all_files_and_the_page_lists_what_is_left(rows, client, config):
    form = form_of(client)
    files = [(f"{image.media_key}.jpg", picture()) for image in rows[:3]] + [("<b>other.jpg", picture())]
    response = client.post(form["action"], data=sent(*files), content_type=form["enctype"])
    page = BeautifulSoup(response.text, "html.parser")
    assert "3 adopted, 0 known already, 1 not taken." in page.select_one("#adopt-counts").text
    assert page.select_one("#left-files li code").text == "<b>other.jpg"
    assert all(row(image).adopted_at for image in rows[:3])
    assert not list(config.uploads_dir.iterdir())


def test_a_form_without_files_says_so(client):
    response = client.post(form_of(client)["action"], data={"files": (io.BytesIO(), "")})
    assert (response.status_code, "Choose files first." in response.text) == (422, True)


def test_a_form_that_is_cut_off_is_refused(rows, client):
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nhalf of'
    response = client.post("/adopt", data=body, content_type="multipart/form-data; boundary=x")
    assert (response.status_code, "did not arrive whole" in response.text) == (400, True)
    assert client.post("/adopt", data=body, content_type="text/plain").status_code == 415


def test_of_more_files_than_are_allowed_the_first_are_looked_at(rows, client, monkeypatch):
    monkeypatch.setattr(sent_files, "MAX_FILES", 2)
    files = [(f"{image.media_key}.jpg", picture()) for image in rows[:3]]
    response = client.post(form_of(client)["action"], data=sent(*files))
    assert response.status_code == 400
    assert "More than 2 files" in response.text
    assert "2 adopted" in response.text
    assert [bool(row(image).adopted_at) for image in rows[:3]] == [True, True, False]


# Limits


def test_a_file_that_is_too_large_is_refused(rows, send, client, monkeypatch):
    monkeypatch.setattr(views, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(sent_files, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(adoption, "MAX_FILE_BYTES", 1000)
    response = client.post("/api/adopt?name=a.jpg", data=b"x" * 1001, content_type=BYTES)
    assert (response.status_code, response.get_json()["success"]) == (413, False)
    form = form_of(client)
    files = [(f"{rows[0].media_key}.jpg", b"x" * 1500), (f"{rows[1].media_key}.jpg", picture())]
    page = client.post(form["action"], data=sent(*files)).text
    assert adoption.TOO_LARGE in page
    assert "1 adopted" in page


def test_only_files_are_taken_by_that_request(client):
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = client.post("/api/adopt?name=a.jpg", data=b"x", content_type=media_type)
        assert answer.status_code == 415
    assert client.post("/api/adopt", data=b"x", content_type=BYTES).status_code == 400


# The command


@pytest.fixture
def folder(rows, tmp_path):
    """Two pictures of the shelf, one of them in a folder below, one that is unknown, and other files."""
    folder = tmp_path / "down loads"
    (folder / "deep").mkdir(parents=True)
    (folder / f"{rows[0].media_key}.jpg").write_bytes(picture(colour="blue"))
    (folder / "deep" / f"kite {rows[1].media_key}.PNG").write_bytes(picture(kind="PNG"))
    (folder / "deep" / "holiday.webp").write_bytes(picture(kind="WEBP"))
    (folder / "notes.txt").write_text(rows[2].media_key)
    (folder / f"._{rows[3].media_key}.jpg").write_bytes(b"a resource fork")
    return folder


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_command(folder, rows, run):
    before = contents(folder)
    data = json.loads(run("adopt", str(folder), "--json", code=1))
    assert data["success"] is False
    left = data["data"].pop("notTaken")
    assert data["data"] == {"adopted": 2, "known": 0, "left": 1}
    assert [(each["file"], each["reason"]) for each in left] == [("deep/holiday.webp", adoption.NO_IMAGE)]
    assert contents(folder) == before
    assert [bool(row(image).adopted_at) for image in rows[:4]] == [True, True, False, False]
    (folder / "deep" / "holiday.webp").unlink()
    assert "0 adopted, 2 known already, 0 not taken." in run("adopt", str(folder))


def test_the_command_takes_a_folder_and_exits_with_1_when_a_picture_is_left(folder, rows, work, config):
    work.stop()

    def run(*arguments, code=0):
        done = CliRunner().invoke(main, [*arguments, "--data-dir", str(config.data_dir)])
        assert done.exit_code == code, done.output
        return done.stdout

    check_command(folder, rows, run)


def test_while_a_server_runs_the_command_sends_it_the_files(folder, rows, work, config):
    work.stop()
    shelf = Shelf(config)
    shelf.serve()
    try:
        check_command(folder, rows, shelf.run)
    finally:
        shelf.process.terminate()
        shelf.process.communicate(timeout=20)


def test_a_large_file_waits_on_the_data_disk_and_not_in_the_temporary_folder(rows, work, config, wait_until):
    work.stop()
    shelf = Shelf(config)
    shelf.serve()
    host = shelf.url.removeprefix("http://")
    try:
        with socket_to(host) as half:
            body = b"x" * 3_000_000
            head = f"POST /api/adopt?name=a.jpg HTTP/1.1\r\nHost: {host}\r\nContent-Type: {BYTES}\r\n"
            half.sendall(f"{head}Content-Length: {len(body) + 1}\r\n\r\n".encode() + body)
            opened = Path(f"/proc/{shelf.process.pid}/fd")
            wait_until(lambda: any(str(config.uploads_dir) in target for target in targets(opened)))
            half.sendall(b"x")
            assert b"200 OK" in half.recv(4000)
        assert not [target for target in targets(opened) if "(deleted)" in target and "/data/" not in target]
    finally:
        shelf.process.terminate()
        shelf.process.communicate(timeout=20)


def socket_to(host):
    import socket

    address, port = host.split(":")
    return socket.create_connection((address, int(port)), timeout=20)


def targets(opened):
    found = []
    for path in opened.iterdir():
        try:
            found.append(str(path.readlink()))
        except OSError:
            continue
    return found


def test_only_a_form_of_the_owner_may_be_sent_as_a_large_request(rows, app, client, live_url, monkeypatch):
    monkeypatch.setattr("webapp.cli.connections.MAX_FORM_BYTES", 200_000_000)
    ticket = form_of(client)["action"]
    for path, status in ((ticket, "415"), ("/adopt", "413"), ("/adopt?ticket=x", "413")):
        host = live_url.removeprefix("http://")
        with socket_to(host) as connection:
            length = 100_000_000
            head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\n"
            connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())
            if status == "415":
                for _ in range(100):
                    connection.sendall(b"x" * 1_000_000)
            assert connection.recv(4000).startswith(f"HTTP/1.1 {status}".encode())

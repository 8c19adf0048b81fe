"""Selections: what they contain, and what can be done with all of it."""

import csv
import io
import json
import os

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.database.models import Download, Image
from webapp.database.states import DownloadState, RunState
from webapp.store.choices import collections, favourites
from webapp.store.gallery import images, selections
from webapp.store.gallery.filters import FileState, Filter, Selection
from webapp.store.runs import downloads
from webapp.web.views.filter_parameters import selection_fields, selection_of
from webapp.web.views.selections import cell


@pytest.fixture
def ids(work, profile_id, world):
    """The ids of all synced images, newest first."""
    with store.connection():
        work.syncs.wait(work.syncs.start(profile_id).id)
        return selections.list_ids(Selection(everything=Filter()))


@pytest.fixture
def files(work, profile_id, ids):
    """The paths of the files of the five newest images."""
    with store.connection():
        run = work.downloads.request(profile_id, ids[:5])
        assert work.downloads.wait_for_run(run.id).state == RunState.DONE
        return [image.file_path for image in selections.list_in_order(ids[:5])]


def page_of(response):
    return BeautifulSoup(response.text, "html.parser")


def fetched(client, url):
    """The response of a file, read to its end and closed."""
    with client.get(url) as response:
        response.get_data()
    return response


def row(image_id):
    with store.connection():
        return images.get_image(image_id)


def shown_ids(client, url="/"):
    return [box["value"] for box in page_of(client.get(url)).select("#grid input[name=image_id]")]


def test_the_summary_counts_matching_images_without_exceptions_and_the_bytes_of_files(client, ids, files):
    form = {"everything": "1", "state": "done", "except": ids[:2]}
    shown = client.post("/selection", data=form).text
    size = sum(os.path.getsize(path) for path in files[2:])
    with store.connection():
        found = selections.summary_of(
            Selection(everything=Filter(state=FileState.DONE), except_ids=frozenset(ids[:2]))
        )
    assert (found.image_count, found.file_count, found.size_bytes) == (3, 3, size)
    assert "3 files" in shown
    assert "none downloaded" in client.post("/selection", data={"image_id": ids[10:12]}).text


def test_a_selection_may_contain_more_ids_than_a_statement_has_variables(client, ids):
    unknown = [f"unknown-{number}" for number in range(40_000)]
    with store.connection():
        assert selections.summary_of(Selection(ids=(*ids[:3], *unknown))).image_count == 3
        others = Selection(everything=Filter(), except_ids=frozenset([*ids[:3], *unknown]))
        assert selections.list_ids(others) == ids[3:]


def test_a_selection_survives_the_way_through_hidden_fields(app, ids, profile_id):
    chosen = Selection(
        everything=Filter(profile_id=profile_id, text="kite", state=FileState.DONE),
        except_ids=frozenset(ids[:2]),
    )
    for selection in (chosen, Selection(ids=tuple(ids[:3]))):
        with app.test_request_context(method="POST", data=_multi(selection_fields(selection))) as context:
            store.open_connection()
            assert selection_of(context.request.form) == selection
            store.close_connection()


def _multi(fields):
    form = {}
    for name, value in fields:
        form.setdefault(name, []).append(value)
    return form


def test_an_empty_selection_is_refused_with_a_sentence(client, profile_id):
    for url in ("/selection/hide", "/selection/delete", "/exports", "/metadata.csv", "/selection/names"):
        response = client.post(url, data={"here": "/"})
        assert response.status_code == 400
        assert "No image is selected" in response.text


def test_everything_that_matches_is_downloaded_except_what_was_unticked(client, ids, work):
    client.post("/downloads", data={"everything": "1", "kind": "uploaded", "except": ids[-1:]})
    with store.connection():
        uploads = selections.list_ids(Selection(everything=Filter(kind="uploaded")))
        downloaded = {download.image_id for download in Download.select()}
    assert ids[-1] in uploads
    assert downloaded == set(uploads) - {ids[-1]}


def test_retry_only_requests_what_failed(client, ids, profile_id, work):
    with store.connection():
        run = downloads.request_downloads(profile_id, ids[:2])
        claim = downloads.claim_download(run.id)
        downloads.fail_download(claim, code="flow_error", sentence="No.", is_permanent=False)
        work.downloads.cancel(profile_id)
        client_form = {"image_id": ids[:6], "failed_only": "1"}
    client.post("/downloads", data=client_form)
    with store.connection():
        assert [download.image_id for download in Download.select()] == [claim.image_id]
        assert Download.get().state != DownloadState.FAILED


def hide(client, form):
    """Hides, and returns the page that follows."""
    return page_of(client.get(client.post("/selection/hide", data=form).location))


def test_what_is_hidden_leaves_the_gallery_until_it_is_undone(client, ids):
    response = client.post("/selection/hide", data={"image_id": ids[:3], "here": "/?kind=uploaded&hid=old"})
    assert response.status_code == 303
    assert response.location.startswith("/?kind=uploaded&hid=2")
    assert not set(ids[:3]) & set(shown_ids(client))
    assert set(shown_ids(client, "/?state=hidden")) == set(ids[:3])
    banner = page_of(client.get(response.location)).select_one(".outcome")
    assert "3 images are hidden" in banner.text
    client.post("/selection/undo", data={"hid": banner.button["value"], "here": "/"})
    assert shown_ids(client, "/?state=hidden") == []
    assert row(ids[0]).hidden_at is None


def test_htmx_gets_a_toast_with_undo_and_no_page(client, ids):
    headers = {"HX-Request": "true"}
    response = client.post("/selection/hide", data={"image_id": ids[:2]}, headers=headers)
    fragment = client.get(response.location, headers=headers)
    assert fragment.headers["HX-Reswap"] == "none"
    assert "images-changed" in fragment.headers["HX-Trigger"]
    toast = page_of(fragment).select_one("[hx-swap-oob='beforeend:#toasts'] > .toast")
    assert "2 images hidden." in toast.text
    undone = client.post("/selection/undo", data={"hid": toast.input["value"]}, headers=headers)
    assert (undone.status_code, undone.headers["HX-Trigger"]) == (204, "images-changed")
    assert row(ids[0]).hidden_at is None


def test_undo_only_shows_what_the_given_actions_have_hidden(client, ids):
    hide(client, {"image_id": ids[:1]})
    hids = [
        hide(client, {"image_id": ids[:2]}).select_one(".outcome button")["value"],
        hide(client, {"image_id": ids[2:3]}).select_one(".outcome button")["value"],
    ]
    client.post("/selection/undo", data={"hid": hids})
    assert shown_ids(client, "/?state=hidden") == ids[:1]


def test_all_hidden_images_can_be_shown_again_at_once(client, ids):
    hide(client, {"image_id": ids[:4]})
    client.post("/selection/show", data={"everything": "1", "state": "hidden", "except": ids[:1]})
    assert shown_ids(client, "/?state=hidden") == ids[:1]


@pytest.mark.parametrize("mode", ["new", "full"])
def test_a_sync_does_not_show_hidden_images(client, ids, work, profile_id, mode):
    hide(client, {"image_id": ids[:3]})
    with store.connection():
        run = work.syncs.wait(work.syncs.start(profile_id, mode=mode).id)
        assert run.state == RunState.DONE
    assert set(shown_ids(client, "/?state=hidden")) == set(ids[:3])


def test_deleting_asks_first_and_names_the_files_and_their_bytes(client, fields_of, ids, files):
    page = page_of(client.post("/selection/ask/delete", data={"everything": "1", "except": ids[:1]}))
    assert "Delete 4 files?" in page.h1.text
    assert all(map(os.path.exists, files))
    assert fields_of(page).items() > {"here": ["/"], "everything": ["1"], "except": ids[:1]}.items()


def test_nothing_is_done_to_images_that_came_after_the_question(
    client, fields_of, ids, files, work, profile_id
):
    question = page_of(client.post("/selection/ask/delete", data={"everything": "1"}))
    with store.connection():
        work.downloads.wait_for_run(work.downloads.request(profile_id, ids[5:6]).id)
    asked_again = page_of(client.post("/selection/delete", data=fields_of(question)))
    assert "Delete 6 files?" in asked_again.h1.text
    assert "Nothing was done" in asked_again.select_one("main [role=alert]").text
    assert all(map(os.path.exists, files))
    assert client.post("/selection/delete", data=fields_of(asked_again)).status_code == 303
    assert not any(map(os.path.exists, files))


def test_no_file_is_deleted_without_a_confirmation(client, ids, files):
    assert "Nothing was done" in client.post("/selection/delete", data={"image_id": ids[:2]}).text
    assert os.path.exists(files[0])


def test_without_javascript_all_but_the_ticked_images_can_be_downloaded(client, fields_of, ids, files):
    form = {"everything": "but-ticked", "image_id": ids[10:12], "here": "/"}
    question = page_of(client.post("/selection/ask/download", data=form))
    assert f"Download {len(ids) - 2} images?" in question.h1.text
    assert "5 downloaded" in question.text
    client.post(question.select_one("main form")["action"], data=fields_of(question))
    with store.connection():
        downloaded = {download.image_id for download in Download.select()}
    assert downloaded == set(ids) - set(ids[10:12])


def test_a_deleted_file_leaves_its_folder_for_the_trash_and_its_row_stays(
    client, confirm, ids, files, config
):
    card = page_of(client.get("/")).select_one(f"#look-{ids[0]} img")
    assert fetched(client, card["src"]).status_code == 200
    assert list(config.thumbnails_dir.rglob(f"{ids[0]}*"))
    response = confirm("delete", {"image_id": ids[:2], "here": "/"})
    outcome = page_of(client.get(response.location)).select_one(".outcome").text
    assert "2 files were moved to the trash" in outcome
    assert [os.path.exists(path) for path in files] == [False, False, True, True, True]
    assert len(list((config.images_dir / ".flowshelf-trash").rglob("*.*"))) == 3  # and about.json
    assert (row(ids[0]).local_path, row(ids[0]).sha256, row(ids[0]).size_bytes) == (None, None, None)


def test_a_deleted_file_is_not_fetched_again_until_it_is_asked_for_by_name(
    confirm, ids, files, work, profile_id
):
    confirm("delete", {"image_id": ids[:1]})
    with store.connection():
        work.downloads.wait_for_run(work.downloads.request_pending(profile_id).id)
        assert images.get_image(ids[0]).local_path is None
        assert images.get_image(ids[9]).local_path is not None
        work.downloads.wait_for_run(work.downloads.request(profile_id, ids[:1]).id)
        assert images.get_image(ids[0]).local_path is not None


def test_a_file_outside_the_storage_roots_is_left_alone_and_counted(client, confirm, ids, files, tmp_path):
    foreign, link = tmp_path / "letter.jpg", files[1]
    foreign.write_bytes(b"mine")
    os.unlink(link)
    os.symlink(foreign, link)
    with store.connection():
        Image.update(local_path=str(foreign)).where(Image.id == ids[0]).execute()
    response = confirm("delete", {"image_id": ids[:3]})
    assert "2 files were not deleted" in page_of(client.get(response.location)).select_one(".outcome").text
    assert foreign.read_bytes() == b"mine"
    assert row(ids[0]).local_path == str(foreign)
    assert row(ids[0]).not_wanted_at is None
    assert row(ids[2]).local_path is None


def test_while_the_disk_is_disconnected_no_file_is_forgotten(client, confirm, ids, files, config):
    config.images_dir.rename(config.images_dir.with_name("elsewhere"))
    response = confirm("delete", {"image_id": ids[:2]})
    assert "2 files were not deleted" in page_of(client.get(response.location)).select_one(".outcome").text
    assert row(ids[0]).file_path == files[0]


def test_names_are_a_plain_text_page_with_one_name_per_line(client, ids, world):
    response = client.post("/selection/names", data={"image_id": ids[:3]})
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.text.splitlines() == [row(image_id).name for image_id in ids[:3]]


def test_metadata_of_a_filter_is_a_file_with_a_header_and_a_line_for_each_image(client, ids, profile_id):
    links = page_of(client.get("/?kind=generated")).select("a[href^='/metadata']")
    assert [link["href"] for link in links] == [
        f"/metadata.{form}?kind=generated" for form in ("csv", "json")
    ]
    response = client.get(links[0]["href"])
    assert "attachment" in response.headers["Content-Disposition"]
    assert "flowshelf-metadata-20" in response.headers["Content-Disposition"]
    lines = list(csv.DictReader(io.StringIO(response.get_data(as_text=True), newline="")))
    with store.connection():
        generated = selections.list_ids(Selection(everything=Filter(kind="generated")))
    assert [line["id"] for line in lines] == generated
    assert lines[0]["prompt"].lstrip("'") == row(generated[0]).prompt


def test_csv_begins_with_a_byte_order_mark_so_that_excel_shows_a_cat(client, ids):
    with store.connection():
        Image.update(prompt="猫, a cat").where(Image.id == ids[0]).execute()
    content = client.post("/metadata.csv", data={"image_id": ids[:1]}).data
    assert content.startswith(b"\xef\xbb\xbfname,mediaKey,")
    assert content.count(b"\xef\xbb\xbf") == 1
    (line,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert (line["name"] != "", line["prompt"]) == (True, "猫, a cat")
    assert client.get("/metadata.json").data.startswith(b"[\n{")


def test_metadata_tells_favourites_and_collections(client, ids):
    with store.connection():
        favourites.mark(Selection(tuple(ids[:1])))
        for title in ("Kites", "Dunes"):
            collections.add_images(collections.add_collection(title), Selection(tuple(ids[:1])))
        marked_at = row(ids[0]).favourite_at
    chosen, other = json.loads(client.post("/metadata.json", data={"image_id": ids[:2]}).data)
    assert (chosen["favouriteAt"], chosen["collections"]) == (marked_at, ["Dunes", "Kites"])
    assert not {"favouriteAt", "collections"} & set(other)
    content = client.post("/metadata.csv", data={"image_id": ids[:1]}).data.decode("utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(content, newline=""))
    assert (line["favouriteAt"], line["collections"]) == (marked_at, "Dunes, Kites")


def test_metadata_of_a_selection_is_json_in_the_order_of_the_gallery(client, ids):
    response = client.post("/metadata.json", data={"everything": "1", "sort": "oldest", "except": ids[-1:]})
    values = json.loads(response.data)
    assert [value["id"] for value in values] == ids[-2::-1]
    assert all("fifeUrl" not in value for value in values)
    assert json.loads(client.get("/metadata.json?q=zebra-unicorn").data) == []


def test_metadata_of_more_images_than_a_statement_takes_is_complete(client, ids, monkeypatch):
    monkeypatch.setattr(store.chunked, "__defaults__", (7,))
    assert [value["id"] for value in json.loads(client.get("/metadata.json").data)] == ids


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula_in_a_spreadsheet(client, ids, start):
    prompt = f'{start}HYPERLINK("http://evil.example";"a, b")\nsecond line'
    with store.connection():
        Image.update(prompt=prompt).where(Image.id == ids[0]).execute()
    response = client.post("/metadata.csv", data={"image_id": ids[:1]})
    (line,) = csv.DictReader(io.StringIO(response.get_data(as_text=True), newline=""))
    assert line["prompt"] == f"'{prompt}"
    assert cell(7) == 7


def test_without_javascript_every_action_is_a_button_of_one_form(client, ids):
    form = page_of(client.get("/?q=a")).select_one("form#selection")
    actions = {button["formaction"] for button in form.select(".toolbar button[formaction]")}
    assert {"/exports", "/selection/names", "/metadata.csv", "/metadata.json"} <= actions
    assert {"/selection/hide", "/selection/ask/delete", "/selection/show"} <= actions
    assert form.select_one("input[name=everything]")["type"] == "checkbox"
    assert form.select_one("input[name=q]")["value"] == "a"

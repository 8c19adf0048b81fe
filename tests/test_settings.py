"""Settings that a person may choose: the environment and flags win, and a change holds at once."""

import pytest
from bs4 import BeautifulSoup

from webapp import store
from webapp.choices import CHOOSABLE
from webapp.config import read_config
from webapp.store import settings
from webapp.store.runs import downloads
from webapp.web.services import background_of


def chosen(app):
    with store.connection():
        return settings.list_chosen()


@pytest.fixture
def save(client):
    return lambda **texts: client.post("/settings", data=texts)


def test_what_is_chosen_holds_at_once_and_after_a_restart(save, work, running):
    assert save(download_workers="3", page_delay_seconds="0.5").status_code == 303
    assert (work.settings.current.download_workers, work.settings.current.page_delay_seconds) == (3, 0.5)
    assert background_of(running()).settings.current.download_workers == 3


def test_an_empty_field_takes_the_default(app, save, work, config):
    save(download_workers="3")
    save(download_workers="")
    assert work.settings.current.download_workers == config.download_workers
    assert chosen(app) == {}


@pytest.mark.parametrize("text", ["0", "65", "many", "1e3", "-1"])
def test_a_value_that_cannot_be_used_is_a_sentence_and_changes_nothing(app, save, work, text):
    save(download_workers="4")
    response = save(download_workers=text, page_delay_seconds="2")
    assert response.status_code == 422
    assert "Parallel downloads" in response.text
    assert f'value="{text}"' in response.text
    assert chosen(app) == {"download_workers": "4"}


def test_the_configuration_knows_what_the_environment_and_flags_have_set(tmp_path):
    config = read_config({"FLOWSHELF_DOWNLOAD_WORKERS": "2"}, data_dir=str(tmp_path), port=None)
    assert config.given == {"download_workers", "data_dir"}


def test_what_the_environment_has_set_wins_is_shown_as_fixed_and_cannot_be_chosen(save, running):
    save(download_workers="9")
    app = running(download_workers=2, given=frozenset({"download_workers"}))
    assert background_of(app).settings.current.download_workers == 2
    visitor = app.test_client()
    field = BeautifulSoup(visitor.get("/settings").text, "html.parser").select_one("#download_workers")
    assert (field["value"], field.has_attr("disabled")) == ("2", True)
    assert visitor.post("/settings", data={"download_workers": "9"}).status_code == 422


def test_a_choice_that_this_version_does_not_accept_is_left_out(app, running):
    with store.connection():
        settings.save_chosen({"download_workers": "900", "of_a_later_version": "1"})
    assert background_of(running()).settings.current.download_workers == 6


def test_neither_hosts_nor_folders_nor_urls_can_be_chosen():
    assert set(CHOOSABLE) == {
        "page_delay_seconds",
        "download_workers",
        "trash_days",
        "file_names",
        "file_metadata",
    }


def test_another_limit_holds_for_a_run_that_is_under_way(shelf, profile_id, flow, wait_until):
    def thread_count():
        return shelf.downloads._thread_counts[profile_id]

    flow.latency_seconds = {"media": 0.3}
    shelf.choose_settings({"download_workers": "4"})
    run = shelf.downloads.request_pending(profile_id)
    for count in (4, 1, 3):
        shelf.choose_settings({"download_workers": str(count)})
        wait_until(lambda count=count: thread_count() == count)
        assert downloads.count_queued(run.id) > count  # it is not for want of images
    flow.latency_seconds = {}
    assert shelf.downloads.wait_for_run(run.id).failed_count == 0


def test_a_shorter_page_delay_holds_for_a_sync_that_is_under_way(work, profile_id, world, flow):
    world.add_uploaded(18 * 12)
    with store.connection():
        work.choose_settings({"page_delay_seconds": "600"})
        run = work.syncs.start(profile_id, histories=("ASSET_MANAGER",))
        with flow.holding("history", at=9) as gate:
            assert gate.reached.wait(5)
            work.choose_settings({"page_delay_seconds": "0"})
        assert work.syncs.wait(run.id).page_count > 12


def test_a_choice_of_another_version_is_kept(app, save):
    with store.connection():
        settings.save_chosen({"of_a_later_version": "1"})
    save(download_workers="3")
    assert chosen(app) == {"of_a_later_version": "1", "download_workers": "3"}


# Names of files that leave the shelf


def names_on(page):
    return [code.text for code in BeautifulSoup(page, "html.parser").select("#file-names-preview code")]


def test_the_page_shows_how_a_template_names_files_before_it_is_saved(app, client, save, work):
    expected = ["Ada - 481516.jpg"]
    assert names_on(client.get("/settings/file-names?file_names={profile} - {seed}").text) == expected
    assert names_on(save(file_names="{profile} - {seed}", preview="1").text) == expected
    assert chosen(app) == {}
    assert names_on(client.get("/settings").text) == [
        "2026-11-03_A red kite over the hills in the early_CAMaJDNm.jpg"
    ]
    assert save(file_names="{profile} - {seed}").status_code == 303
    assert work.settings.current.file_names == "{profile} - {seed}"
    assert names_on(client.get("/settings").text) == expected


def test_the_preview_follows_what_is_typed(client):
    field = BeautifulSoup(client.get("/settings").text, "html.parser").select_one("#file_names")
    assert (field["hx-get"], field["hx-target"]) == ("/settings/file-names", "#file-names-preview")


def test_the_preview_names_images_of_the_shelf(client, shelf, profile_id):
    shelf.downloads.wait_for_run(shelf.downloads.request_pending(profile_id, 2).id)
    assert names_on(client.get("/settings/file-names?file_names={kind}").text) == [
        "uploaded.jpg",
        "uploaded-2.jpg",
    ]


def test_a_template_that_cannot_be_used_is_a_sentence_in_the_preview_and_when_it_is_saved(app, client, save):
    for page in (client.get("/settings/file-names?file_names={nope}"), save(file_names="{nope}")):
        assert "there is no field {nope}" in page.text
    assert chosen(app) == {}


def test_a_template_of_the_environment_is_shown_as_fixed_with_its_names(running):
    app = running(file_names="{seed}", given=frozenset({"file_names"}))
    page = BeautifulSoup(app.test_client().get("/settings").text, "html.parser")
    assert page.select_one("#file_names").has_attr("disabled")
    assert names_on(str(page)) == ["481516.jpg"]


def test_where_metadata_goes_is_chosen_from_a_list(save, work, client):
    assert work.settings.current.file_metadata == "inside"
    save(file_metadata="sidecar")
    page = BeautifulSoup(client.get("/settings").text, "html.parser")
    assert page.select_one("#file_metadata option[selected]")["value"] == "sidecar"
    assert save(file_metadata="everywhere").status_code == 422
    assert work.settings.current.file_metadata == "sidecar"

"""Pages show public names of models; URLs, exports and the API use their codes."""

import json

import pytest
from bs4 import BeautifulSoup

from webapp.database.models import Image
from webapp.store.model_names import MODEL_NAMES
from webapp.web.views.model_names import names_of_models


@pytest.fixture
def read(client):
    return lambda url: BeautifulSoup(client.get(url).text, "html.parser")


@pytest.fixture
def made_by(shelf):
    """Sets the models of the newest images, in this order."""

    def made_by(*codes):
        rows = list(Image.select().order_by(Image.created_at.desc(), Image.id.desc()))
        for code, image in zip(codes, rows, strict=False):
            Image.update(model_name=code).where(Image.id == image.id).execute()
        return [image.id for image in rows[: len(codes)]]

    return made_by


def options(page):
    """Value, text and tooltip of each model in the filter."""
    return [
        (option["value"], option.get_text(), option.get("title"))
        for option in page.select("select[name=model] option")[1:]
    ]


def test_the_filter_shows_names_and_sends_codes(made_by, read):
    made_by("NARWHAL", "GEM_PIX_2", "IMAGEN_3_5", "47", "R2I")
    assert options(read("/filters")) == [
        ("47", "47", None),
        ("IMAGEN_3_5", "Imagen 4", "IMAGEN_3_5"),
        ("NARWHAL", "Nano Banana 2", "NARWHAL"),
        ("GEM_PIX_2", "Nano Banana Pro", "GEM_PIX_2"),
        ("R2I", "R2I", None),
    ]


def test_a_filter_by_code_finds_its_images_and_selects_the_name(made_by, read):
    (image_id, *_) = made_by("BELUGA_THINKING_MED", "BELUGA")
    page = read("/?model=BELUGA_THINKING_MED")
    assert [card["id"] for card in page.select(".card")] == [f"card-{image_id}"]
    chosen = read("/filters?model=BELUGA_THINKING_MED").select_one("select[name=model] option[selected]")
    assert chosen.get_text() == "Nano Banana 2.1 (thinking: medium)"


def test_the_page_of_an_image_shows_name_and_code(made_by, read):
    known, unknown = made_by("GEM_PIX", "HARBOR_SEAL")
    facts = {url: read(f"/images/{url}").select_one(".facts").get_text(" ") for url in (known, unknown)}
    assert "Nano Banana GEM_PIX" in " ".join(facts[known].split())
    assert "Model HARBOR_SEAL" in " ".join(facts[unknown].split())


def test_the_overview_shows_names_and_codes(made_by, read):
    made_by("GEM_PIX", "BELUGA_THINKING_MED", "47")
    page = read("/overview")
    chart = page.select_one("svg[aria-labelledby^=chart-models]")
    bars = {link.select_one("title").get_text(): link["href"] for link in chart.select("a")}
    assert bars == {
        "Nano Banana (GEM_PIX): 1 image, 0 downloaded": "/?model=GEM_PIX",
        "Nano Banana 2.1 (thinking: medium) (BELUGA_THINKING_MED): 1 image, 0 downloaded": (
            "/?model=BELUGA_THINKING_MED"
        ),
        "47: 1 image, 0 downloaded": "/?model=47",
    }
    names = [text.get_text() for text in chart.select("text.name")]
    assert sorted(names) == ["47", "Nano Banana", "Nano Banana 2.1 (thinking: medium)", "Unknown"]
    rows = [" ".join(row.get_text(" ").split()) for row in page.select("[aria-labelledby=models] tbody th")]
    assert sorted(rows) == [
        "47",
        "Nano Banana 2.1 (thinking: medium) BELUGA_THINKING_MED",
        "Nano Banana GEM_PIX",
        "Unknown",
    ]


def test_exports_and_the_api_use_the_code(made_by, client, profile_id):
    (image_id,) = made_by("NARWHAL")
    exported = {row["id"]: row for row in json.loads(client.get("/metadata.json").text)}
    assert exported[image_id]["modelName"] == "NARWHAL"
    assert "NARWHAL" in client.get("/metadata.csv").text
    assert "NARWHAL" in client.post("/api/image-veo3/get-local-images", json={"profileId": profile_id}).text


def test_models_with_the_same_name_get_distinct_labels():
    codes = [*MODEL_NAMES, "Nano Banana", "47"]
    names = names_of_models(codes)
    assert list(names) == codes
    assert len(set(names.values())) == len(codes)
    assert (names["GEM_PIX"], names["Nano Banana"]) == ("Nano Banana (GEM_PIX)", "Nano Banana")
    assert names["NARWHAL"] == "Nano Banana 2"

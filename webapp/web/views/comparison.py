"""Two images side by side."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.database.models import Image
from webapp.errors import BadRequest
from webapp.store.gallery import selections
from webapp.web.access import open_to_guests
from webapp.web.views.filter_parameters import selection_of
from webapp.web.views.formats import exact, size
from webapp.web.views.image import get_visible_image
from webapp.web.views.image_display import pixels, shape_label
from webapp.web.views.model_names import model_name
from webapp.web.views.return_path import is_local_path

comparison = Blueprint("comparison", __name__)

TICK_TWO = "Two images can be compared. Tick exactly two, and press Compare again."


@comparison.get("/compare")
@open_to_guests
def show_comparison() -> str:
    """The two images of the URL, `/compare?id=…&id=…`. `back` is the page to return to."""
    ids = list(dict.fromkeys(request.args.getlist("id")))
    if len(ids) != 2:
        raise BadRequest(TICK_TWO)
    pair = [get_visible_image(image_id) for image_id in ids]
    back = request.args.get("back", "")
    return render_template(
        "compare.html",
        pair=pair,
        facts=facts_of(pair),
        back=back if is_local_path(back) else url_for("gallery.show_gallery"),
        url=url_for("comparison.show_comparison", id=ids),
    )


@comparison.post("/compare")
def compare_selected() -> ResponseReturnValue:
    """Compare the selected images, which have to be two."""
    ids = selections.list_ids(selection_of(request.form))
    if len(ids) != 2:
        raise BadRequest(TICK_TWO)
    back = request.form.get("here")
    return redirect(url_for("comparison.show_comparison", id=ids, back=back), code=303)


def facts_of(pair: list[Image]) -> list[tuple[str, list[str]]]:
    """What is known of both images: labels, each with one value per image."""
    facts = {
        "Prompt": [image.prompt or "" for image in pair],
        "Made": [exact(image.created_at) for image in pair],
        "Model": [model_name(image.model_name) if image.model_name else "" for image in pair],
        "Seed": ["" if image.seed is None else str(image.seed) for image in pair],
        "Aspect ratio": [shape_label(image.aspect_ratio) if image.aspect_ratio else "" for image in pair],
        "Dimensions": [pixels(image) for image in pair],
        "Size": [size(image.size_bytes) if image.size_bytes else "" for image in pair],
    }
    return [(label, values) for label, values in facts.items() if any(values)]

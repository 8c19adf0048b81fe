"""ZIPs of selected images: request, progress, download, removal. They are prepared in the background.

`dialog` in a URL says that the page is shown in a dialog over the gallery, which follows the ZIP by itself.
"""

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_htmx import HTMX

from webapp.database.models import Export
from webapp.database.states import ExportState
from webapp.errors import UnknownExport
from webapp.file_names import safe_name
from webapp.store.choices import collections
from webapp.store.gallery import selections
from webapp.store.runs import exports
from webapp.web.services import background
from webapp.web.views.filter_parameters import selection_of
from webapp.web.views.formats import day_key
from webapp.web.views.selections import SHOWN_IMAGES

export_pages = Blueprint("exports", __name__)
htmx = HTMX()


@export_pages.post("/exports")
def request_export() -> ResponseReturnValue:
    shown = collections.find_collection(request.form.get("collection", ""))
    selection = selection_of(request.form)
    export = background().exports.request(selection, shown.title if shown else None)
    return _redirect_to(export.id)


@export_pages.get("/exports")
def show_exports() -> str:
    return render_template("exports.html", exports=exports.list_exports())


@export_pages.get("/exports/<export_id>")
def show_export(export_id: str) -> str:
    """The page refreshes itself while the ZIP is being prepared."""
    export = exports.get_export(export_id)
    is_refresh = htmx and htmx.target  # of the progress alone
    first = [] if is_refresh else exports.list_image_ids(export.id)[:SHOWN_IMAGES]
    return render_template("export.html", export=export, images=selections.list_in_order(first))


@export_pages.get("/exports/<export_id>/toast")
def show_toast(export_id: str) -> ResponseReturnValue:
    """Polled after its dialog was closed: a toast when the ZIP has ended, 204 before. It ends the polling."""
    export = exports.get_export(export_id)
    if export.state in exports.ACTIVE:
        return "", 204
    return render_template("partials/export_toast.html", export=export)


@export_pages.get("/exports/<export_id>/file")
def send_export(export_id: str) -> Response:
    export = exports.get_export(export_id)
    path = background().exports.path_of(export.id)
    if export.state != ExportState.DONE or not path.is_file():
        raise UnknownExport(
            "This ZIP cannot be downloaded: it is not ready yet, or it was deleted after a day."
        )
    return send_file(path, conditional=True, as_attachment=True, download_name=_file_name(export))


@export_pages.post("/exports/<export_id>/again")
def request_again(export_id: str) -> ResponseReturnValue:
    background().exports.request_again(export_id)
    return _redirect_to(export_id)


@export_pages.post("/exports/<export_id>/remove")
def remove_export(export_id: str) -> ResponseReturnValue:
    background().exports.remove(export_id)
    if htmx:
        return "", 204, {"HX-Trigger": "dialog-close"}
    return redirect(url_for("exports.show_exports"), code=303)


def _file_name(export: Export) -> str:
    if export.collection_title:
        return safe_name(f"flowshelf-{export.collection_title}") + ".zip"
    day = day_key(export.created_at)
    return f"flowshelf-{day}-{export.done_count}-{'image' if export.done_count == 1 else 'images'}.zip"


def _redirect_to(export_id: str) -> ResponseReturnValue:
    dialog = 1 if htmx else None
    return redirect(url_for("exports.show_export", export_id=export_id, dialog=dialog), code=303)

"""ZIPs of selections: asked for, prepared in the background, looked at, fetched and dropped."""

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from webapp import times
from webapp.database.models import Export
from webapp.database.states import ExportState
from webapp.errors import UnknownExport
from webapp.store.runs import exports
from webapp.web.services import background
from webapp.web.views.filter_parameters import selection_of

zips = Blueprint("exports", __name__)


@zips.post("/exports")
def request_export() -> ResponseReturnValue:
    export = background().exports.request(selection_of(request.form))
    return _to_page(export.id)


@zips.get("/exports")
def show_exports() -> str:
    return render_template("exports.html", exports=exports.list_exports())


@zips.get("/exports/<export_id>")
def show_export(export_id: str) -> str:
    """Asks for itself again while the ZIP is being prepared."""
    return render_template("export.html", export=exports.get_export(export_id))


@zips.get("/exports/<export_id>/file")
def send_export(export_id: str) -> Response:
    export = exports.get_export(export_id)
    path = background().exports.path_of(export.id)
    if export.state != ExportState.DONE or not path.is_file():
        raise UnknownExport("This ZIP is not there: it is not ready yet, or it was cleared away.")
    return send_file(path, conditional=True, as_attachment=True, download_name=_file_name(export))


@zips.post("/exports/<export_id>/again")
def request_again(export_id: str) -> ResponseReturnValue:
    background().exports.request_again(export_id)
    return _to_page(export_id)


@zips.post("/exports/<export_id>/remove")
def remove_export(export_id: str) -> ResponseReturnValue:
    background().exports.remove(export_id)
    return redirect(url_for("exports.show_exports"), code=303)


def _file_name(export: Export) -> str:
    day = f"{times.parsed(export.created_at):%Y-%m-%d}"
    return f"flowshelf-{day}-{export.done_count}-{'image' if export.done_count == 1 else 'images'}.zip"


def _to_page(export_id: str) -> ResponseReturnValue:
    return redirect(url_for("exports.show_export", export_id=export_id), code=303)

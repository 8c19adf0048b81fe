"""Examination of the responses of Flow: the button that starts it, its result, and a report to save."""

import json

from flask import Blueprint, Response, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.background.examination import Examination
from webapp.errors import FlowshelfError
from webapp.store import profiles
from webapp.web.services import background
from webapp.web.views.api_values import examination_report
from webapp.web.views.profiles import render_profile
from webapp.web.views.zones import viewed_now

examination = Blueprint("examination", __name__)


@examination.post("/profiles/<profile_id>/examine")
def examine(profile_id: str) -> ResponseReturnValue:
    profiles.get_profile(profile_id)
    try:
        background().examine(profile_id)
    except FlowshelfError as error:
        return make_response(render_profile(profile_id, problem=str(error)), 422)
    return redirect(url_for("examination.show_examination", profile_id=profile_id), code=303)


@examination.get("/profiles/<profile_id>/examination")
def show_examination(profile_id: str) -> ResponseReturnValue:
    """The result of the last examination. Results are kept for ten minutes."""
    profile, last = profiles.get_profile(profile_id), background().examinations.last(profile_id)
    report = _report_text(last) if last else ""
    return render_template("examination.html", profile=profile, examination=last, report=report)


@examination.get("/profiles/<profile_id>/examination/report.json")
def send_report(profile_id: str) -> ResponseReturnValue:
    profiles.get_profile(profile_id)
    last = background().examinations.last(profile_id)
    if last is None:
        return redirect(url_for("examination.show_examination", profile_id=profile_id))
    response = Response(_report_text(last), content_type="application/json; charset=utf-8")
    file_name = f"flowshelf-report-{viewed_now():%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _report_text(last: Examination) -> str:
    return json.dumps(examination_report(last), indent=1, ensure_ascii=False) + "\n"

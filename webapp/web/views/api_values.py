"""Rows as JSON values: names and shapes of the Electron predecessor where it had them, and never a secret."""

import platform
import sys
from importlib import metadata
from typing import Any

from webapp.background.examination import Examination
from webapp.database.models import Image, Profile, Run
from webapp.database.states import DownloadState, Health, RunKind, RunState
from webapp.errors import Cancelled, FlowshelfError, UnknownImage, error_of
from webapp.maintenance.unknown_files import UnknownFiles
from webapp.maintenance.verify import VerifyReport
from webapp.sources import Step
from webapp.sources.cookies import cookie_warnings
from webapp.store import profiles, runs
from webapp.store.gallery import counts
from webapp.store.profile_names import owner_name
from webapp.store.runs import downloads
from webapp.web.views.ignored_reasons import ignored_by_reason
from webapp.web.views.panels import list_histories, list_open_gaps

SYNC_FIRST = "This image is not in Flowshelf yet: sync metadata first, then download it."


def sync_result(run: Run) -> dict[str, Any]:
    result = {
        "synced": run.synced_count,
        "skipped": run.skipped_count,
        "ignored": run.ignored_count,
        "ignoredByReason": ignored_by_reason(run),
        "hasMore": run.last_cursor is not None,
    }
    return result | ({"lastCursor": run.last_cursor} if run.last_cursor is not None else {})


def has_failed(image: Image) -> bool:
    """Whether the download failed that was to replace a damaged file."""
    download = image.latest_download
    return bool(image.damaged_at and download and download.state == DownloadState.FAILED)


def failure_of(image: Image) -> FlowshelfError:
    """Why an image has no file after its download has ended."""
    download = image.latest_download
    if download is None or download.error is None:
        return Cancelled("The download was cancelled.")
    return error_of(download.error_code or FlowshelfError.code, download.error)


def batch_result(outcomes: list[Image], unknown: list[str]) -> dict[str, Any]:
    failures = [{"name": name, "code": UnknownImage.code, "error": SYNC_FIRST} for name in unknown]
    for image in outcomes:
        if not image.local_path or has_failed(image):
            error = failure_of(image)
            failures.append({"name": image.name, "code": error.code, "error": str(error)})
    return {
        "downloaded": len(outcomes) + len(unknown) - len(failures),
        "failed": len(failures),
        "failedNames": [failure["name"] for failure in failures],
        "failures": failures,
    }


def image_value(image: Image) -> dict[str, Any]:
    """First the predecessor's fields, then ours. Fields that are null are left out."""
    value = {
        "id": image.id,
        "profileId": image.profile_id,
        "name": image.name,
        "aspectRatio": image.aspect_ratio,
        "workflowId": image.workflow_id,
        "mediaKey": image.media_key,
        "localPath": image.file_path,
        "fifeUrl": image.fife_url,
        "createdAt": image.created_at,
        "kind": image.kind,
        "prompt": image.prompt,
        "modelName": image.model_name,
        "projectId": image.project_id,
        "title": image.title,
        "version": image.version,
        "isArchived": image.is_archived,
        "width": image.width,
        "height": image.height,
        "sizeBytes": image.size_bytes,
        "sha256": image.sha256,
        "changedSha256": image.changed_sha256,
        "downloadedAt": image.downloaded_at,
        "adoptedAt": image.adopted_at,
        "goneUpstreamAt": image.gone_upstream_at,
        "favouriteAt": image.favourite_at,
    }
    return {name: field for name, field in value.items() if field is not None}


# Private: paths on this machine, and the names that the owner gave to things in Flow. A preview URL shows the
# image to everybody who knows it.
NOT_FOR_GUESTS = (
    *("localPath", "fifeUrl", "projectId", "title", "version", "isArchived", "changedSha256"),
    *("adoptedAt", "favouriteAt"),
)


def guest_image_value(image: Image) -> dict[str, Any]:
    """Of a favourite a guest learns that it is one, as on the pages, and not when it was marked."""
    value = {name: field for name, field in image_value(image).items() if name not in NOT_FOR_GUESTS}
    return value | ({"isFavourite": True} if image.favourite_at else {})


# The columns of exported metadata. Without preview URLs: they soon expire, and show the image to everybody
# who knows them.
EXPORT_FIELDS = (
    "name",
    "mediaKey",
    "workflowId",
    "createdAt",
    "kind",
    "prompt",
    "modelName",
    "seed",
    "aspectRatio",
    "projectId",
    "title",
    "version",
    "isArchived",
    "profileId",
    "localPath",
    "width",
    "height",
    "sizeBytes",
    "sha256",
    "downloadedAt",
    "adoptedAt",
    "goneUpstreamAt",
    "hiddenAt",
    "favouriteAt",
    "collections",
    "id",
)


def export_value(image: Image, titles: list[str] | None = None) -> dict[str, Any]:
    """`titles` are those of its collections."""
    ours = {"seed": image.seed, "hiddenAt": image.hidden_at, "collections": titles or None}
    value = image_value(image) | ours
    return {name: value[name] for name in EXPORT_FIELDS if value.get(name) is not None}


def run_value(run: Run) -> dict[str, Any]:
    value = {
        "runId": run.id,
        "profileId": run.profile_id,
        "kind": run.kind,
        "state": run.state,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "counts": run_counts(run),
        "result": run_result(run) if run.state == RunState.DONE else None,
        "note": run.note,
        "error": run.error,
        "code": run.error_code,
    }
    return {name: field for name, field in value.items() if field is not None}


def run_counts(run: Run) -> dict[str, Any]:
    if run.kind == RunKind.SYNC:
        return {
            "pages": run.page_count,
            "synced": run.synced_count,
            "skipped": run.skipped_count,
            "ignored": run.ignored_count,
            "ignoredByReason": ignored_by_reason(run),
        }
    return {
        "downloaded": run.done_count,
        "failed": run.failed_count,
        "left": downloads.count_left(run.id),
        "bytes": run.done_bytes,
    }


def run_result(run: Run) -> dict[str, Any]:
    if run.kind == RunKind.SYNC:
        return sync_result(run)
    failed = downloads.list_failures(run.id)
    return {
        "downloaded": run.done_count,
        "failed": run.failed_count,
        "failedNames": [download.image.name for download in failed],
        "failures": [
            {"name": download.image.name, "code": download.error_code, "error": download.error}
            for download in failed
        ],
    }


def profile_value(profile: Profile) -> dict[str, Any]:
    """A profile as JSON: the fields of the Electron predecessor, and others such as its health."""
    gaps = list_open_gaps(profile.id, list_histories(profile.id))
    totals = counts.count_profile(profile.id)
    return {
        "profileId": profile.id,
        "name": owner_name(profile),
        "accountEmail": profile.account_email,
        "accountName": profile.account_name,
        "health": profiles.health_of(profile),
        "healthReason": profile.health_reason if profiles.health_of(profile) != Health.WELL else None,
        "checkedAt": profile.checked_at,
        "cookiesExpireAt": profile.cookies_expire_at,
        "renewal": profile.renewal,
        "renewedAt": profile.renewed_at,
        "lastCursor": (gaps[0].cursor or None) if gaps else None,
        "hasMore": bool(gaps),
        "isSyncingMetadata": runs.is_active(profile.id, RunKind.SYNC),
        "isDownloadingImages": runs.is_active(profile.id, RunKind.DOWNLOAD),
        "images": totals.total,
        "downloaded": totals.downloaded,
    }


def added_profile_value(profile: Profile) -> dict[str, Any]:
    """A profile whose cookies were just stored, with sentences about those that are missing."""
    return profile_value(profile) | {"warnings": list(cookie_warnings(profile.cookie_names.split(", ")))}


def report_value(report: VerifyReport, unknown: UnknownFiles) -> dict[str, Any]:
    return {
        "isWell": report.is_well,
        "counts": report.counts,
        "problems": report.problems,
        "requeuedCount": report.requeued_count,
        "foundCount": report.found_count,
        "keptCount": report.kept_count,
        "moves": [
            {"from": move.before, "to": str(move.now), "files": move.file_count} for move in report.moves
        ],
        "unknown": {
            "count": unknown.count,
            "files": unknown.first,
            "movedCount": unknown.moved_count,
        },
    }


def examination_value(examination: Examination) -> dict[str, Any]:
    return {
        "isWell": examination.is_well,
        "service": examination.service,
        "steps": [step_value(step) for step in examination.steps],
        "report": examination_report(examination),
    }


def step_value(step: Step) -> dict[str, Any]:
    return {
        "asked": step.asked,
        "came": step.came,
        "recognised": step.recognised,
        "unrecognised": step.unrecognised,
        "isWell": step.is_well,
        "isAsked": step.is_asked,
    }


def examination_report(examination: Examination) -> dict[str, Any]:
    """A report that a person can publish. It contains nothing about the account, and of this machine only the
    operating system."""
    return {
        "flowshelf": metadata.version("flowshelf"),
        "python": platform.python_version(),
        "system": f"{sys.platform} {platform.machine()}",
        "service": examination.service,
        "madeAt": examination.made_at,
        "isWell": examination.is_well,
        "steps": [step_value(step) | {"outline": step.outline} for step in examination.steps],
    }

"""How many images there are of what a filter means, without going through all of them where possible."""

from dataclasses import dataclass, replace
from functools import reduce
from operator import or_

from peewee import Case, Expression, Select, fn

from webapp.models import Download, Image, Tally
from webapp.states import DownloadState
from webapp.store import search
from webapp.store.downloads import ACTIVE
from webapp.store.filters import FileState, Filter, Sort, matching

# Up to so many are counted one by one for a first answer.
MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of images and the bytes of their files. `is_capped`: there are at least so many, and what
    else is counted is of these."""

    total: int
    downloaded: int
    failed: int
    active: int
    size_bytes: int
    is_capped: bool = False


def count_first(filter_: Filter) -> Totals:
    """Counts that are there at once: exact ones, or the first ten thousand."""
    if totals := _tallied(filter_):
        return totals
    if _is_text_alone(filter_) and search.find_candidates(filter_.text.strip()) is None:
        return Totals(MOST_COUNTED, 0, 0, 0, 0, is_capped=True)
    return _counted(matching(filter_), MOST_COUNTED)


def count_all(filter_: Filter) -> Totals:
    """Exact counts, which may take a second at a million images."""
    return _tallied(filter_) or count_images(matching(filter_, as_whole=True))


def count_profile(profile_id: str | None) -> Totals:
    """What the gallery shows of a profile, or of all."""
    return count_all(Filter(profile_id=profile_id))


def count_images(images: Select) -> Totals:
    """Exact counts of the images of a query."""
    return _counted(images, None)


def list_values(column: str, profile_id: str | None) -> list[str]:
    """The values of a tallied column that occur, for the choices of a filter."""
    field = getattr(Tally, column)
    rows = _tally(Filter(profile_id=profile_id)).select(field).where(Tally.image_count > 0, field != "")
    return sorted(value for (value,) in rows.distinct().tuples())


def count_state(state: FileState, profile_id: str | None) -> int:
    """Images in one state; what stands in a queue of more than ten thousand is counted there."""
    filter_ = Filter(profile_id=profile_id, state=state)
    if state is FileState.PENDING:
        return _count_pending(profile_id)
    if state is FileState.ACTIVE and (queued := _count_queued(profile_id)) > MOST_COUNTED:
        return queued
    return count_all(filter_).total


def _tally(filter_: Filter) -> Select:
    plain = {
        Tally.profile_id: filter_.profile_id,
        Tally.kind: filter_.kind,
        Tally.aspect_ratio: filter_.aspect_ratio,
        Tally.model_name: filter_.model_name,
    }
    conditions = [column == value for column, value in plain.items() if value]
    if filter_.state is FileState.DONE:
        conditions.append(Tally.has_file)
    return Tally.select().where(*conditions) if conditions else Tally.select()


def _tallied(filter_: Filter) -> Totals | None:
    """The counts of a filter that asks for nothing that is not tallied."""
    of_tally = Filter(
        profile_id=filter_.profile_id,
        kind=filter_.kind,
        aspect_ratio=filter_.aspect_ratio,
        model_name=filter_.model_name,
        state=filter_.state,
    )
    if filter_.state not in (None, FileState.DONE) or filter_.sort is Sort.DOWNLOADED:
        return None
    if replace(filter_, sort=Sort.NEWEST) != of_tally:
        return None
    total, downloaded, size_bytes = _sums(filter_)
    if filter_.state is FileState.DONE:
        return Totals(total, downloaded, 0, 0, size_bytes)
    failed, active = (
        _counted(matching(replace(filter_, state=state)), MOST_COUNTED).total
        for state in (FileState.FAILED, FileState.ACTIVE)
    )
    return Totals(total, downloaded, failed, active, size_bytes)


def _sums(filter_: Filter) -> tuple[int, int, int]:
    """Images, files and their bytes, of a filter that asks for nothing that is not tallied."""
    files = fn.SUM(Case(None, [(Tally.has_file, Tally.image_count)], 0))
    sums = [fn.COALESCE(each, 0) for each in (fn.SUM(Tally.image_count), files, fn.SUM(Tally.size_bytes))]
    return _tally(filter_).select(*sums).tuples().get()


def _is_text_alone(filter_: Filter) -> bool:
    return bool(filter_.text.strip()) and replace(filter_, text="", sort=Sort.NEWEST) == Filter()


def _counted(images: Select, most: int | None) -> Totals:
    file = Image.local_path.is_null(False)
    columns = {
        "file": Case(None, [(file, 1)], 0),
        "failed": _is(Download.state == DownloadState.FAILED),
        "active": _is(Download.state.in_(ACTIVE)),
        "bytes": Case(None, [(file, fn.COALESCE(Image.size_bytes, 0))], 0),
    }
    rows = images.select(*(column.alias(name) for name, column in columns.items()))
    if most is not None:
        rows = rows.limit(most + 1)
    sums = [fn.COALESCE(fn.SUM(getattr(rows.c, name)), 0) for name in columns]
    total, *others = Image.select(fn.COUNT(), *sums).from_(rows).tuples().get()
    return Totals(min(total, most or total), *others, is_capped=most is not None and total > most)


def _is(condition: Expression) -> Case:
    return Case(None, [(condition & Image.local_path.is_null(), 1)], 0)


def _count_pending(profile_id: str | None) -> int:
    everything = count_profile(profile_id)
    gone = matching(Filter(profile_id=profile_id, state=FileState.GONE)).where(Image.local_path.is_null())
    gone_active = gone.where(Download.state.in_(ACTIVE))
    decided = (count_state(state, profile_id) for state in (FileState.ACTIVE, FileState.FAILED))
    without_file = everything.total - everything.downloaded
    return max(0, without_file - gone.count() - sum(decided) + gone_active.count())


def count_wishable(profile_id: str) -> int:
    """Pending images of a profile that nobody has wished for yet; see `downloads.list_pending_query`."""
    total, downloaded, _ = _sums(Filter(profile_id=profile_id))
    of_profile = (Image.profile_id == profile_id) & Image.local_path.is_null() & Image.hidden_at.is_null()
    queued_count = _count_queued(profile_id)
    left_out = [Image.not_wanted_at.is_null(False), Image.gone_upstream_at.is_null(False), _REFUSED]
    if queued_count <= MOST_COUNTED:
        left_out, queued_count = [*left_out, _QUEUED], 0
    ids = reduce(or_, (Image.select(Image.id).where(each) for each in left_out))
    left_out_count = Image.select().where(of_profile, Image.id.in_(ids)).count()
    return max(0, total - downloaded - left_out_count - queued_count)


def _count_queued(profile_id: str | None) -> int:
    queued = Download.select().where(Download.state.in_(ACTIVE))
    return (queued.where(Download.profile_id == profile_id) if profile_id else queued).count()


_REFUSED = Image.id.in_(
    Download.select(Download.image).where(Download.state == DownloadState.FAILED, Download.is_permanent)
)
_QUEUED = Image.id.in_(Download.select(Download.image).where(Download.state.in_(ACTIVE)))

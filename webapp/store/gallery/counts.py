"""How many images match a filter, from `image_tally` where possible instead of reading all images."""

from dataclasses import dataclass, replace
from functools import reduce
from operator import or_

from peewee import SQL, Case, Expression, Field, ModelSelect, Select, fn

from webapp.database.base import db
from webapp.database.models import Download, Image, Tally
from webapp.database.states import DownloadState
from webapp.store.gallery import names, query, search
from webapp.store.gallery.filters import (
    STATES_OF_FLAGS,
    FileState,
    Filter,
    Sort,
    matching,
    parts,
    resolved,
)
from webapp.store.gallery.patience import TooSlow, patience
from webapp.store.gallery.query import Flag, Term
from webapp.store.gallery.scope import WHOLE_SHELF, Scope, SharedCollections, WholeShelf
from webapp.store.runs.downloads import ACTIVE

# A first answer counts at most this many images one by one.
MAX_COUNTED = 10_000
# ... or so many if that takes too long: more than a page shows, and found about as quickly.
FEW_COUNTED = 100
MONTH_LENGTH = len("2026-01")
# The states of images that have no file.
_WITHOUT_FILE = (FileState.PENDING, FileState.ACTIVE, FileState.FAILED)


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of images and the bytes of their files. `is_capped`: there are more than `total`, and the other
    values are not complete."""

    total: int
    downloaded: int
    failed: int
    size_bytes: int
    is_capped: bool = False


def count_first(filter_: Filter) -> Totals:
    """Counts that take a few milliseconds: exact ones, or of the first MAX_COUNTED or FEW_COUNTED images."""
    filter_ = resolved(filter_)
    if totals := _tallied(filter_) or _estimated(filter_):
        return totals
    # No candidates means that the text is common or that the index cannot look it up. Among few images it may
    # be rare all the same.
    has_many = _sums(Filter())[0] > MAX_COUNTED
    if has_many and _is_text_alone(filter_) and _has_too_many(filter_):
        return Totals(MAX_COUNTED, 0, 0, 0, is_capped=True)
    found = [matching(part) for part in parts(filter_)]
    try:
        with patience():
            return _counted(found, MAX_COUNTED)
    except TooSlow:
        has_many = _has_more(filter_, FEW_COUNTED)
        return Totals(FEW_COUNTED, 0, 0, 0, is_capped=True) if has_many else _counted(found, FEW_COUNTED)


def _has_more(filter_: Filter, count: int) -> bool:
    """Whether more images match, in the order of the filter: that is how a page finds its own quickly."""
    merged = [matching(part).select(*part.fields) for part in parts(filter_)]
    rows = reduce(or_, merged)
    in_order = rows.order_by(SQL("1"), SQL("2")) if len(merged) > 1 else filter_.ordered(rows)
    return len(in_order.limit(count + 1).tuples()) > count


def count_all(filter_: Filter) -> Totals:
    """Exact counts. With a million images they may take a second."""
    filter_ = resolved(filter_)
    return _tallied(filter_) or count_images(matching(filter_, as_whole=True))


def count_profile(profile_id: str | None) -> Totals:
    """Exact counts of the images of a profile, or of all profiles, that are not hidden."""
    return count_all(Filter(profile_id=profile_id))


def count_shelf(profile_id: str | None, within: Scope = WHOLE_SHELF) -> int:
    """How many images of a profile, or of all profiles, are not hidden; within a scope at most about
    MAX_COUNTED, as of a first answer."""
    return count_first(Filter(profile_id=profile_id, scope=within)).total


def count_listed(images: list[Image]) -> Totals:
    """Counts of images that the caller has with their downloads; needs no query."""
    files = [image for image in images if image.local_path]
    downloads = [image.latest_download for image in images if image.latest_download and not image.local_path]
    failed_count = sum(download.state == DownloadState.FAILED for download in downloads)
    return Totals(len(images), len(files), failed_count, sum(image.size_bytes or 0 for image in files))


def count_images(images: Select) -> Totals:
    """Exact counts of the images of a query."""
    return _counted([images], None)


def count_by_month(filter_: Filter) -> dict[str, int] | None:
    """How many images per month match the tallied values of a filter. No month is missing, but the filter's
    other conditions may match fewer images. None for hidden images, which are not tallied."""
    filter_ = resolved(filter_)
    if filter_.shows_hidden:
        return None
    rows = _tally(filter_).select(Tally.month, fn.SUM(Tally.image_count)).group_by(Tally.month)
    return {month: count for month, count in rows.tuples().iterator() if count}


def list_tallied(filter_: Filter) -> list[tuple[object, ...]] | None:
    """The rows of `image_tally` for a filter; None when it has conditions that are not tallied."""
    filter_ = resolved(filter_)
    if filter_.since or filter_.until or not is_tallied(filter_):
        return None
    return list(_tally(filter_).where(Tally.image_count > 0).order_by(Tally.id).tuples().iterator())


def list_values(column: str, profile_id: str | None, within: Scope = WHOLE_SHELF) -> list[str]:
    """The values that occur in a tallied column, for the choices of a filter."""
    filter_ = Filter(profile_id=profile_id, scope=within)
    if is_tallied(filter_):
        field = getattr(Tally, column)
        tallied = _tally(filter_).select(field).where(Tally.image_count > 0, field != "")
        return sorted(tallied.distinct().scalars())
    field = getattr(Image, column)
    return sorted(matching(filter_).select(field).where(field != "").distinct().scalars())


def count_state(state: FileState, profile_id: str | None) -> int:
    """How many images are in a state. A queue of more than MAX_COUNTED is counted without looking at its
    images."""
    filter_ = Filter(profile_id=profile_id, state=state)
    if state is FileState.PENDING:
        return _count_pending(profile_id)
    if state is FileState.ACTIVE and (queued := _count_queued(profile_id)) > MAX_COUNTED:
        return queued
    return count_all(filter_).total


def _tally(filter_: Filter) -> "ModelSelect[Tally]":
    """The rows of `image_tally` that match the tallied values of a filter; of its days only the months."""
    values: list[tuple[Field, str | None]] = [
        (Tally.profile_id, filter_.profile_id),
        (Tally.kind, filter_.kind),
        (Tally.aspect_ratio, filter_.aspect_ratio),
        (Tally.model_name, filter_.model_name),
    ]
    conditions = [column == value for column, value in values if value]
    if filter_.state in (FileState.DONE, *_WITHOUT_FILE):
        conditions.append(Tally.has_file == (filter_.state is FileState.DONE))
    for clause in filter_.query.clauses:
        meant = [each for each in map(_tallied_term, clause) if each is not None]
        if len(meant) == len(clause):
            conditions.append(reduce(or_, meant))
    if since_at := filter_.since_at:
        conditions.append(Tally.month >= since_at[:MONTH_LENGTH])
    if until_at := filter_.until_at:
        conditions.append(Tally.month <= until_at[:MONTH_LENGTH])
    return Tally.select().where(*conditions) if conditions else Tally.select()


def _tallied_term(term: Term) -> Expression | None:
    """A condition of the groups of images that a term means; None if these are of any group."""
    flag = Flag(term.text) if term.field is query.Field.IS else None
    if term.field is query.Field.MODEL:
        meant = Tally.model_name.in_(names.find_models(term.text))
    elif term.field is query.Field.KIND or flag in (Flag.GENERATED, Flag.UPLOADED):
        meant = Tally.kind == term.text
    elif flag is Flag.DOWNLOADED:
        meant = Tally.has_file == 1
    elif flag and STATES_OF_FLAGS.get(flag) in _WITHOUT_FILE and not term.is_negated:
        return Tally.has_file == 0
    else:
        return None
    return ~meant if term.is_negated else meant


def _tallied(filter_: Filter) -> Totals | None:
    """The counts of a filter if all of its conditions are tallied, otherwise None."""
    if not is_tallied(filter_) or filter_.since or filter_.until:
        return None
    total, downloaded, size_bytes = _sums(filter_)
    if filter_.state is FileState.DONE or not total:
        return Totals(total, downloaded, 0, size_bytes)
    failed = matching(replace(filter_, state=FileState.FAILED)).limit(MAX_COUNTED).count()
    return Totals(total, downloaded, failed, size_bytes)


def _estimated(filter_: Filter) -> Totals | None:
    """The first answer if the tally shows that there are no images, or more than MAX_COUNTED."""
    months = count_by_month(filter_)
    if months is None:
        return None
    if not months:
        return Totals(0, 0, 0, 0)
    if not is_tallied(filter_):
        return None
    # The first and the last month may be covered in part only, so their images are not counted.
    partial = [bound[:MONTH_LENGTH] for bound in (filter_.since_at, filter_.until_at) if bound]
    has_many = sum(count for month, count in months.items() if month not in partial) > MAX_COUNTED
    return Totals(MAX_COUNTED, 0, 0, 0, is_capped=True) if has_many else None


def is_tallied(filter_: Filter) -> bool:
    """Whether all conditions of a filter are tallied, its days at least by their months."""
    filter_ = resolved(filter_)
    of_tally = Filter(
        profile_id=filter_.profile_id,
        kind=filter_.kind,
        aspect_ratio=filter_.aspect_ratio,
        model_name=filter_.model_name,
        state=filter_.state,
        scope=filter_.scope,
    )
    is_plain = replace(filter_, since=None, until=None, sort=Sort.NEWEST) == of_tally
    has_all = filter_.state in (None, FileState.DONE) and filter_.sort in (Sort.NEWEST, Sort.OLDEST)
    return is_plain and has_all and _is_tallied_scope(filter_.scope)


def _is_tallied_scope(within: Scope) -> bool:
    """Whether the tally counts what a scope contains. It counts images whose file was deleted, which guests
    are not shown."""
    if isinstance(within, SharedCollections):
        return False
    is_deleted = Image.not_wanted_at.is_null(False) & Image.hidden_at.is_null()
    return isinstance(within, WholeShelf) or not Image.select().where(is_deleted).exists()


def _sums(filter_: Filter) -> tuple[int, int, int]:
    """The numbers of images and files and the bytes of the files, for a filter that is tallied."""
    files = fn.SUM(Case(None, [(Tally.has_file, Tally.image_count)], 0))
    sums = [fn.COALESCE(each, 0) for each in (fn.SUM(Tally.image_count), files, fn.SUM(Tally.size_bytes))]
    return _tally(filter_).select(*sums).scalar(as_tuple=True)


def _is_text_alone(filter_: Filter) -> bool:
    is_alone = replace(filter_, text="", sort=Sort.NEWEST) == Filter()
    return is_alone and bool(filter_.text) and filter_.sort in (Sort.NEWEST, Sort.OLDEST)


def _has_too_many(filter_: Filter) -> bool:
    return search.has_too_many(filter_.query, in_titles=filter_.searches_titles)


def _counted(queries: list[Select], max_count: int | None) -> Totals:
    """Counts of the images of some queries, at most `max_count` of them."""
    file = Image.local_path.is_null(False)
    columns = {
        "file": Case(None, [(file, 1)], 0),
        "failed": Case(None, [(~file & (Download.state == DownloadState.FAILED), 1)], 0),
        "bytes": Case(None, [(file, fn.COALESCE(Image.size_bytes, 0))], 0),
    }
    named = [column.alias(name) for name, column in columns.items()]
    ids = [Image.created_at, Image.id] if len(queries) > 1 else []
    rows = reduce(or_, (images.select(*ids, *named) for images in queries))
    if ids:
        rows = rows.order_by(SQL("1"), SQL("2"))
    if max_count is not None:
        rows = rows.limit(max_count + 1)
    sums = [fn.COALESCE(fn.SUM(getattr(rows.c, name)), 0) for name in columns]
    counts = Image.select(fn.COUNT(), *sums).from_(rows)
    total, file_count, failed_count, size_bytes = counts.scalar(as_tuple=True)
    if max_count is not None and total > max_count:
        return Totals(max_count, file_count, failed_count, size_bytes, is_capped=True)
    return Totals(total, file_count, failed_count, size_bytes)


def _count_pending(profile_id: str | None) -> int:
    """Calculated from the counts of the other states, because pending images have no index of their own."""
    everything = count_profile(profile_id)
    gone = matching(Filter(profile_id=profile_id, state=FileState.GONE)).where(Image.local_path.is_null())
    gone_active = gone.where(Download.state.in_(ACTIVE))
    not_pending = (count_state(state, profile_id) for state in (FileState.ACTIVE, FileState.FAILED))
    without_file = everything.total - everything.downloaded
    return max(0, without_file - gone.count() - sum(not_pending) + gone_active.count())


def count_downloadable(profile_id: str) -> int:
    """How many pending images of a profile are not queued yet (pending as in `downloads.pending_query`).

    Queued images are counted in the queue, without looking at the images: they have no file, except for
    damaged and changed ones. Those among them that were left out already are not subtracted twice.
    """
    total, downloaded, _ = _sums(Filter(profile_id=profile_id))
    left_out, queued, queued_left_out = (
        db.execute_sql(statement, (profile_id,)).fetchone()[0]
        for statement in (_COUNT_LEFT_OUT, _COUNT_QUEUED, _COUNT_QUEUED_LEFT_OUT)
    )
    return max(0, total - downloaded - left_out - (queued - queued_left_out))


def _count_queued(profile_id: str | None) -> int:
    queued = Download.select().where(Download.state.in_(ACTIVE))
    return (queued.where(Download.profile_id == profile_id) if profile_id else queued).count()


def _select_marked(*marks: str) -> str:
    return " UNION ".join(f"SELECT id FROM veo3_image_generations WHERE {mark} IS NOT NULL" for mark in marks)


# By hand: every open tab asks for these counts each second, for each profile, and peewee takes longer to
# build these nested statements than SQLite to run them (benchmark `load`, the gallery while ten tabs poll).
_COUNT_LEFT_OUT = f"""SELECT COUNT(*) FROM veo3_image_generations
    WHERE profile_id = ? AND local_path IS NULL AND hidden_at IS NULL AND id IN (
        {_select_marked("not_wanted_at", "gone_upstream_at")}
        UNION SELECT image_id FROM download WHERE state = '{DownloadState.FAILED}' AND is_permanent)"""
_COUNT_QUEUED = f"""SELECT COUNT(*) FROM download
    WHERE profile_id = ? AND state IN ('{DownloadState.QUEUED}', '{DownloadState.RUNNING}')"""
_COUNT_QUEUED_LEFT_OUT = f"""{_COUNT_QUEUED} AND image_id IN (
    {_select_marked("not_wanted_at", "gone_upstream_at", "hidden_at", "damaged_at", "changed_sha256")})"""

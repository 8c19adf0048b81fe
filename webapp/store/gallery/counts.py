"""How many images there are of what a filter means, without going through all of them where possible."""

from dataclasses import dataclass, replace

from peewee import Case, Expression, Select, fn

from webapp.database.models import Download, Image, Tally, db
from webapp.database.states import DownloadState
from webapp.store.gallery import search
from webapp.store.gallery.filters import FileState, Filter, Sort, matching
from webapp.store.runs.downloads import ACTIVE

# Up to so many are counted one by one for a first answer.
MAX_COUNTED = 10_000
MONTH = 7  # so much of a day names it


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of images and the bytes of their files. `is_capped`: there are at least so many, and what
    else is counted is of these."""

    total: int
    downloaded: int
    failed: int
    size_bytes: int
    is_capped: bool = False


def count_first(filter_: Filter) -> Totals:
    """Counts that are there at once: exact ones, or the first ten thousand."""
    if totals := _tallied(filter_) or _estimated(filter_):
        return totals
    may_be_much = _sums(Filter())[0] > MAX_COUNTED  # a word that cannot be looked up may still be rare
    if may_be_much and _is_text_alone(filter_) and search.find_candidates(filter_.text.strip()) is None:
        return Totals(MAX_COUNTED, 0, 0, 0, is_capped=True)
    return _counted(matching(filter_), MAX_COUNTED)


def count_all(filter_: Filter) -> Totals:
    """Exact counts, which may take a second at a million images."""
    return _tallied(filter_) or count_images(matching(filter_, as_whole=True))


def count_profile(profile_id: str | None) -> Totals:
    """What the gallery shows of a profile, or of all."""
    return count_all(Filter(profile_id=profile_id))


def count_shelf(profile_id: str | None) -> int:
    """The images of a profile, or of all, that are not hidden."""
    return _sums(Filter(profile_id=profile_id))[0]


def count_listed(images: list[Image]) -> Totals:
    """Counts of images that are here, with their wishes: nothing has to be asked for them."""
    files = [image for image in images if image.local_path]
    downloads = [image.latest_download for image in images if image.latest_download and not image.local_path]
    failed_count = sum(download.state == DownloadState.FAILED for download in downloads)
    return Totals(len(images), len(files), failed_count, sum(image.size_bytes or 0 for image in files))


def count_images(images: Select) -> Totals:
    """Exact counts of the images of a query."""
    return _counted(images, None)


def count_by_month(filter_: Filter) -> dict[str, int] | None:
    """In which months images lie that match a filter in what is tallied, and how many; other images match in
    none. None when it asks for hidden images, which are not tallied."""
    if filter_.state is FileState.HIDDEN:
        return None
    rows = _tally(filter_).select(Tally.month, fn.SUM(Tally.image_count)).group_by(Tally.month)
    return {month: count for month, count in rows.tuples() if count}


def list_tallied(filter_: Filter) -> list[tuple] | None:
    """What the tally says of a filter, sort by sort; None when it asks for more than is tallied."""
    if filter_.since or filter_.until or not _is_tallied(filter_):
        return None
    return list(_tally(filter_).where(Tally.image_count > 0).order_by(Tally.id).tuples())


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
    if state is FileState.ACTIVE and (queued := _count_queued(profile_id)) > MAX_COUNTED:
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
    if filter_.state in (FileState.DONE, FileState.PENDING):
        conditions.append(Tally.has_file == (filter_.state is FileState.DONE))
    if filter_.since:
        conditions.append(Tally.month >= filter_.since[:MONTH])
    if filter_.until:
        conditions.append(Tally.month <= filter_.until[:MONTH])
    return Tally.select().where(*conditions) if conditions else Tally.select()


def _tallied(filter_: Filter) -> Totals | None:
    """The counts of a filter that asks for nothing that is not tallied."""
    if not _is_tallied(filter_) or filter_.since or filter_.until:
        return None
    total, downloaded, size_bytes = _sums(filter_)
    if filter_.state is FileState.DONE:
        return Totals(total, downloaded, 0, size_bytes)
    failed = matching(replace(filter_, state=FileState.FAILED)).limit(MAX_COUNTED).count()
    return Totals(total, downloaded, failed, size_bytes)


def _estimated(filter_: Filter) -> Totals | None:
    """The first answer when the months of what is tallied say that it is none, or that it is very many."""
    months = count_by_month(filter_)
    if months is not None and not months:
        return Totals(0, 0, 0, 0)
    if not _is_tallied(filter_):
        return None
    ends = [day[:MONTH] for day in (filter_.since, filter_.until) if day]
    is_much = sum(count for month, count in months.items() if month not in ends) > MAX_COUNTED
    return Totals(MAX_COUNTED, 0, 0, 0, is_capped=True) if is_much else None


def _is_tallied(filter_: Filter) -> bool:
    """Whether a filter asks for nothing that is not tallied, of its days at least the months."""
    of_tally = Filter(
        profile_id=filter_.profile_id,
        kind=filter_.kind,
        aspect_ratio=filter_.aspect_ratio,
        model_name=filter_.model_name,
        state=filter_.state,
    )
    is_plain = replace(filter_, since=None, until=None, sort=Sort.NEWEST) == of_tally
    return is_plain and filter_.state in (None, FileState.DONE) and filter_.sort is not Sort.DOWNLOADED


def _sums(filter_: Filter) -> tuple[int, int, int]:
    """Images, files and their bytes, of a filter that asks for nothing that is not tallied."""
    files = fn.SUM(Case(None, [(Tally.has_file, Tally.image_count)], 0))
    sums = [fn.COALESCE(each, 0) for each in (fn.SUM(Tally.image_count), files, fn.SUM(Tally.size_bytes))]
    return _tally(filter_).select(*sums).tuples().get()


def _is_text_alone(filter_: Filter) -> bool:
    is_alone = replace(filter_, text="", sort=Sort.NEWEST) == Filter()
    return is_alone and bool(filter_.text.strip()) and filter_.sort is not Sort.DOWNLOADED


def _counted(images: Select, most: int | None) -> Totals:
    file = Image.local_path.is_null(False)
    columns = {
        "file": Case(None, [(file, 1)], 0),
        "failed": _is(Download.state == DownloadState.FAILED),
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


def count_downloadable(profile_id: str) -> int:
    """Pending images of a profile that nobody has wished for yet; see `downloads.list_pending_query`.

    What is queued has no file, unless it is damaged: so the queue is counted without looking at its images.
    """
    total, downloaded, _ = _sums(Filter(profile_id=profile_id))
    left_out, queued, queued_besides = (
        db.execute_sql(question, (profile_id,)).fetchone()[0] for question in _NOT_DOWNLOADABLE
    )
    return max(0, total - downloaded - left_out - (queued - queued_besides))


def _count_queued(profile_id: str | None) -> int:
    queued = Download.select().where(Download.state.in_(ACTIVE))
    return (queued.where(Download.profile_id == profile_id) if profile_id else queued).count()


def _marked(*marks: str) -> str:
    return " UNION ".join(f"SELECT id FROM veo3_image_generations WHERE {mark} IS NOT NULL" for mark in marks)


# As text, because each tab asks them every second, and peewee takes longer to write them than SQLite to
# answer.
_LEFT_OUT = f"""SELECT COUNT(*) FROM veo3_image_generations
    WHERE profile_id = ? AND local_path IS NULL AND hidden_at IS NULL AND id IN (
        {_marked("not_wanted_at", "gone_upstream_at")}
        UNION SELECT image_id FROM download WHERE state = '{DownloadState.FAILED}' AND is_permanent)"""
_QUEUED = f"""SELECT COUNT(*) FROM download
    WHERE profile_id = ? AND state IN ('{DownloadState.QUEUED}', '{DownloadState.RUNNING}')"""
_BESIDES = _marked("not_wanted_at", "gone_upstream_at", "hidden_at", "damaged_at")
_NOT_DOWNLOADABLE = (_LEFT_OUT, _QUEUED, f"{_QUEUED} AND image_id IN ({_BESIDES})")

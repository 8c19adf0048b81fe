"""Indexes that peewee cannot declare in a model, mostly partial and collated ones.

Each serves queries of `webapp.store`; tests/test_query_plans.py shows which.
"""

_IMAGES = "ON veo3_image_generations"
_BY_TIME = "created_at, id"
# Filters that match few images are decided by these, without reading the images: a million in a tenth of a
# second.
_FILTERED = "profile_id, kind, aspect_ratio, model_name, hidden_at, not_wanted_at, gone_upstream_at"

# A run that is not over. Queries spell the condition like this index: with bound parameters SQLite does not
# recognise it, and reads all runs of the profile.
OPEN_RUN = "state IN ('running', 'waiting_for_cookies') OR (kind = 'download' AND state = 'paused')"

# A file under no root. How absolute paths begin on all systems.
ABSOLUTE_PATH = "local_path GLOB '/*' OR local_path GLOB '\\*' OR local_path GLOB '[A-Za-z]:*'"

INDEXES = (
    # At most one open sync and one open download run per profile. The database guarantees it, because two
    # threads could both pass a check in Python.
    f"CREATE UNIQUE INDEX IF NOT EXISTS one_open_run ON run (profile_id, kind) WHERE {OPEN_RUN}",
    "CREATE INDEX IF NOT EXISTS runs_by_time ON run (profile_id, kind, started_at)",
    "CREATE INDEX IF NOT EXISTS all_runs_by_time ON run (started_at, id)",
    "CREATE INDEX IF NOT EXISTS downloads_of_run ON download (run_id, state, id)",
    "CREATE INDEX IF NOT EXISTS downloads_by_state ON download (state, profile_id, is_permanent)",
    # Images by their identifiers: exactly, and without case as a person types them.
    f"CREATE INDEX IF NOT EXISTS images_by_exact_key {_IMAGES} (media_key)",
    f"CREATE INDEX IF NOT EXISTS images_by_key {_IMAGES} (media_key COLLATE NOCASE)",
    f"CREATE INDEX IF NOT EXISTS images_by_name {_IMAGES} (name COLLATE NOCASE)",
    f"CREATE INDEX IF NOT EXISTS images_by_workflow {_IMAGES} (workflow_id COLLATE NOCASE)",
    f"CREATE INDEX IF NOT EXISTS images_of_workflow {_IMAGES} (workflow_id)",
    f"CREATE INDEX IF NOT EXISTS images_of_seed {_IMAGES} (seed) WHERE seed IS NOT NULL",
    f"CREATE INDEX IF NOT EXISTS images_of_run {_IMAGES} (stored_run_id) WHERE stored_run_id IS NOT NULL",
    # Pages of the gallery, by filter.
    f"CREATE INDEX IF NOT EXISTS images_by_time {_IMAGES} ({_BY_TIME}, {_FILTERED})",
    f"CREATE INDEX IF NOT EXISTS images_of_profile {_IMAGES} (profile_id, {_BY_TIME})",
    f"CREATE INDEX IF NOT EXISTS images_of_kind {_IMAGES} (kind, {_BY_TIME})",
    f"CREATE INDEX IF NOT EXISTS images_of_shape {_IMAGES} (aspect_ratio, {_BY_TIME})",
    f"CREATE INDEX IF NOT EXISTS images_of_model {_IMAGES} (model_name, {_BY_TIME})",
    f"CREATE INDEX IF NOT EXISTS images_of_project {_IMAGES} (project_id, {_BY_TIME})",
    f"""CREATE INDEX IF NOT EXISTS images_by_download {_IMAGES}
        (downloaded_at, id, created_at, {_FILTERED}, local_path)
        WHERE downloaded_at IS NOT NULL""",
    f"CREATE INDEX IF NOT EXISTS images_with_file {_IMAGES} ({_BY_TIME}) WHERE local_path IS NOT NULL",
    f"CREATE INDEX IF NOT EXISTS images_without_file {_IMAGES} ({_BY_TIME}) WHERE local_path IS NULL",
    f"CREATE INDEX IF NOT EXISTS images_gone {_IMAGES} ({_BY_TIME}) WHERE gone_upstream_at IS NOT NULL",
    f"CREATE INDEX IF NOT EXISTS images_hidden {_IMAGES} ({_BY_TIME}) WHERE hidden_at IS NOT NULL",
    f"CREATE INDEX IF NOT EXISTS images_damaged {_IMAGES} ({_BY_TIME}) WHERE damaged_at IS NOT NULL",
    f"CREATE INDEX IF NOT EXISTS images_changed {_IMAGES} ({_BY_TIME}) WHERE changed_sha256 IS NOT NULL",
    f"""CREATE INDEX IF NOT EXISTS images_favourite {_IMAGES} ({_BY_TIME}) WHERE favourite_at IS NOT NULL""",
    f"""CREATE INDEX IF NOT EXISTS images_by_favourite {_IMAGES} (favourite_at, id)
        WHERE favourite_at IS NOT NULL""",
    # Collections in the order of time, and the collections of an image.
    "CREATE INDEX IF NOT EXISTS collection_by_time ON collection_image (collection_id, image_at, image_id)",
    "CREATE INDEX IF NOT EXISTS collected_at ON collection_image (added_at)",
    "CREATE INDEX IF NOT EXISTS favourites_by_time ON favourite (favourite_at)",
    "CREATE INDEX IF NOT EXISTS collections_of_name ON collection_image (name)",
    "CREATE INDEX IF NOT EXISTS collections_of_image ON collection_image (image_id, collection_id)",
    f"""CREATE INDEX IF NOT EXISTS images_unmeasured {_IMAGES} (id)
        WHERE local_path IS NOT NULL AND width IS NULL""",
    f"""CREATE INDEX IF NOT EXISTS images_untimed {_IMAGES} (id)
        WHERE local_path IS NOT NULL AND file_time_at IS NULL""",
    f"CREATE INDEX IF NOT EXISTS images_outside_roots {_IMAGES} (id) WHERE {ABSOLUTE_PATH}",
    # The trash: the files of an act, those of an image, and what is under way.
    "CREATE INDEX IF NOT EXISTS trashed_by_act ON trashed_file (act)",
    "CREATE INDEX IF NOT EXISTS trashed_by_name ON trashed_file (name)",
    "CREATE INDEX IF NOT EXISTS trashed_under_way ON trashed_file (id) WHERE state != 'kept'",
    f"CREATE INDEX IF NOT EXISTS images_not_wanted {_IMAGES} (id) WHERE not_wanted_at IS NOT NULL",
)

-- The tables of Flowshelf's first release (version 1), as it made them. Never to be changed.

CREATE TABLE "veo3_image_generations" ("id" TEXT NOT NULL PRIMARY KEY, "profile_id" TEXT NOT NULL, "name" TEXT NOT NULL UNIQUE, "aspect_ratio" TEXT, "workflow_id" TEXT NOT NULL, "media_key" TEXT NOT NULL, "local_path" TEXT, "fife_url" TEXT, "created_at" TEXT NOT NULL, "kind" TEXT, "prompt" TEXT, "model_name" TEXT, "seed" INTEGER, "project_id" TEXT, "history" TEXT, "stored_at" TEXT, "stored_walk_id" INTEGER, "seen_walk_id" INTEGER, "stored_run_id" TEXT, "size_bytes" INTEGER, "sha256" TEXT, "downloaded_at" TEXT, "damaged_at" TEXT, "gone_upstream_at" TEXT, "hidden_at" TEXT, "not_wanted_at" TEXT);
CREATE TABLE "profile" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "health" TEXT NOT NULL, "health_reason" TEXT, "account_email" TEXT UNIQUE COLLATE NOCASE, "account_name" TEXT, "cookie_names" TEXT NOT NULL, "cookies_expire_at" TEXT, "checked_at" TEXT, "created_at" TEXT NOT NULL);
CREATE TABLE "walk" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "profile_id" TEXT NOT NULL, "history" TEXT NOT NULL, "is_full" INTEGER NOT NULL, "owes_gap" INTEGER NOT NULL, "from_head" INTEGER NOT NULL, "cursor" TEXT NOT NULL, "last_created_at" TEXT, "last_gap_id" INTEGER NOT NULL, "began_at" TEXT NOT NULL, "finished_at" TEXT, "unseen_count" INTEGER NOT NULL, FOREIGN KEY ("profile_id") REFERENCES "profile" ("id") ON DELETE CASCADE);
CREATE INDEX "walk_profile_id" ON "walk" ("profile_id");
CREATE TABLE "run" ("id" TEXT NOT NULL PRIMARY KEY, "profile_id" TEXT NOT NULL, "kind" TEXT NOT NULL, "state" TEXT NOT NULL, "pause_asked_at" TEXT, "error_code" TEXT, "error" TEXT, "note" TEXT, "sample" TEXT, "started_at" TEXT NOT NULL, "finished_at" TEXT, "mode" TEXT, "histories" TEXT, "start_cursor" TEXT, "max_pages" INTEGER, "history" TEXT, "walk_id" INTEGER, "page_count" INTEGER NOT NULL, "history_page_count" INTEGER NOT NULL, "synced_count" INTEGER NOT NULL, "skipped_count" INTEGER NOT NULL, "ignored_count" INTEGER NOT NULL, "last_cursor" TEXT, "is_scheduled" INTEGER NOT NULL, "downloads_new" INTEGER NOT NULL, "wished_count" INTEGER NOT NULL, "done_count" INTEGER NOT NULL, "failed_count" INTEGER NOT NULL, "done_bytes" INTEGER NOT NULL, FOREIGN KEY ("profile_id") REFERENCES "profile" ("id") ON DELETE CASCADE, FOREIGN KEY ("walk_id") REFERENCES "walk" ("id") ON DELETE SET NULL);
CREATE INDEX "run_profile_id" ON "run" ("profile_id");
CREATE INDEX "run_walk_id" ON "run" ("walk_id");
CREATE TABLE "download" ("id" INTEGER NOT NULL PRIMARY KEY, "image_id" TEXT NOT NULL, "profile_id" TEXT NOT NULL, "run_id" TEXT NOT NULL, "folder" TEXT, "state" TEXT NOT NULL, "error_code" TEXT, "error" TEXT, "is_permanent" INTEGER NOT NULL, "finished_at" TEXT, FOREIGN KEY ("image_id") REFERENCES "veo3_image_generations" ("id") ON DELETE CASCADE, FOREIGN KEY ("run_id") REFERENCES "run" ("id") ON DELETE CASCADE);
CREATE UNIQUE INDEX "download_image_id" ON "download" ("image_id");
CREATE INDEX "download_run_id" ON "download" ("run_id");
CREATE TABLE "export" ("id" TEXT NOT NULL PRIMARY KEY, "state" TEXT NOT NULL, "image_ids" TEXT NOT NULL, "image_count" INTEGER NOT NULL, "size_bytes" INTEGER NOT NULL, "done_count" INTEGER NOT NULL, "done_bytes" INTEGER NOT NULL, "left_out_count" INTEGER NOT NULL, "zip_bytes" INTEGER, "error" TEXT, "created_at" TEXT NOT NULL, "finished_at" TEXT);
CREATE TABLE "gap" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "profile_id" TEXT NOT NULL, "history" TEXT NOT NULL, "cursor" TEXT NOT NULL, "may_join" INTEGER NOT NULL, "after_created_at" TEXT, "walk_id" INTEGER, "reason" TEXT NOT NULL, "opened_at" TEXT NOT NULL, FOREIGN KEY ("profile_id") REFERENCES "profile" ("id") ON DELETE CASCADE, FOREIGN KEY ("walk_id") REFERENCES "walk" ("id") ON DELETE SET NULL);
CREATE INDEX "gap_profile_id" ON "gap" ("profile_id");
CREATE INDEX "gap_walk_id" ON "gap" ("walk_id");
CREATE UNIQUE INDEX "gap_profile_id_history_cursor" ON "gap" ("profile_id", "history", "cursor");
CREATE TABLE "history" ("id" INTEGER NOT NULL PRIMARY KEY, "profile_id" TEXT NOT NULL, "name" TEXT NOT NULL, "answered_at" TEXT, "refused_at" TEXT, "synced_at" TEXT, FOREIGN KEY ("profile_id") REFERENCES "profile" ("id") ON DELETE CASCADE);
CREATE INDEX "history_profile_id" ON "history" ("profile_id");
CREATE UNIQUE INDEX "history_profile_id_name" ON "history" ("profile_id", "name");
CREATE TABLE "message" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "profile_id" TEXT NOT NULL, "run_id" TEXT NOT NULL, "kind" TEXT NOT NULL, "sentence" TEXT NOT NULL, "created_at" TEXT NOT NULL, FOREIGN KEY ("profile_id") REFERENCES "profile" ("id") ON DELETE CASCADE, FOREIGN KEY ("run_id") REFERENCES "run" ("id") ON DELETE CASCADE);
CREATE INDEX "message_profile_id" ON "message" ("profile_id");
CREATE INDEX "message_run_id" ON "message" ("run_id");
CREATE TABLE "schedule" ("profile_id" TEXT NOT NULL PRIMARY KEY, "kind" TEXT NOT NULL, "hours" INTEGER NOT NULL, "downloads_new" INTEGER NOT NULL, FOREIGN KEY ("profile_id") REFERENCES "profile" ("id") ON DELETE CASCADE);
CREATE TABLE "secret" ("id" INTEGER NOT NULL PRIMARY KEY, "profile_id" TEXT NOT NULL, "name" TEXT NOT NULL, "value" TEXT NOT NULL, FOREIGN KEY ("profile_id") REFERENCES "profile" ("id") ON DELETE CASCADE);
CREATE INDEX "secret_profile_id" ON "secret" ("profile_id");
CREATE UNIQUE INDEX "secret_profile_id_name" ON "secret" ("profile_id", "name");
CREATE UNIQUE INDEX one_open_run ON run (profile_id, kind)
       WHERE state IN ('running', 'waiting_for_cookies') OR (kind = 'download' AND state = 'paused');
CREATE INDEX runs_by_time ON run (profile_id, kind, started_at);
CREATE INDEX all_runs_by_time ON run (started_at, id);
CREATE INDEX images_of_run ON veo3_image_generations (stored_run_id)
       WHERE stored_run_id IS NOT NULL;
CREATE INDEX images_by_time ON veo3_image_generations (created_at, id);
CREATE INDEX images_of_profile ON veo3_image_generations (profile_id, created_at, id);
CREATE INDEX images_by_key ON veo3_image_generations (media_key COLLATE NOCASE);
CREATE INDEX images_without_file ON veo3_image_generations (profile_id, created_at, id)
       WHERE local_path IS NULL;
CREATE INDEX downloads_of_run ON download (run_id, state, id);
PRAGMA user_version = 1;

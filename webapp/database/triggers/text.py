"""The full-text index of prompts and titles (FTS5 with the trigram tokenizer: it finds any substring of at
least three characters).

Prompts and titles are columns of their own, because guests may search prompts only. Both are indexed without
their diacritics (`webapp.database.folding`), so a query has to be folded, too.

A row of the index has the rowid of its image. Rowids change only by VACUUM, which Flowshelf never runs; its
backups copy them.
"""

from webapp.database import folding

# The two spaces at the end make the last two characters the beginning of a trigram, so that a search for one
# or two characters finds them.
_WORDS = ", ".join(
    f"COALESCE({folding.folded('{0}.' + column)}, '') || '  '" for column in ("prompt", "title")
)
_ADD = f"INSERT INTO image_text (rowid, prompt, title) VALUES (new.rowid, {_WORDS.format('new')});"
_REMOVE = (
    "INSERT INTO image_text (image_text, rowid, prompt, title) "
    f"VALUES ('delete', old.rowid, {_WORDS.format('old')});"
)

STATEMENTS = (
    *folding.STATEMENTS,
    "CREATE VIRTUAL TABLE IF NOT EXISTS image_text USING fts5(prompt, title, content='', tokenize='trigram')",
    # Merge eight segments of the index at a time instead of four. A history page then costs less to store,
    # and hardly more when the index is large. At sixteen segments FTS5 would merge all at once, which takes
    # long.
    "INSERT INTO image_text (image_text, rank) VALUES ('automerge', 8)",
    "CREATE VIRTUAL TABLE IF NOT EXISTS image_trigrams USING fts5vocab(image_text, row)",
    f"CREATE TRIGGER IF NOT EXISTS text_insert AFTER INSERT ON veo3_image_generations BEGIN {_ADD} END",
    f"CREATE TRIGGER IF NOT EXISTS text_delete AFTER DELETE ON veo3_image_generations BEGIN {_REMOVE} END",
    f"""CREATE TRIGGER IF NOT EXISTS text_update AFTER UPDATE OF prompt, title ON veo3_image_generations
        WHEN new.prompt IS NOT old.prompt OR new.title IS NOT old.title BEGIN {_REMOVE} {_ADD} END""",
)

REBUILD = (
    *folding.REBUILD,
    "INSERT INTO image_text (image_text) VALUES ('delete-all')",
    f"""INSERT INTO image_text (rowid, prompt, title)
        SELECT image.rowid, {_WORDS.format("image")} FROM veo3_image_generations AS image""",
)

"""The words of prompts and titles, found by any three letters in a row (FTS5, trigram tokenizer).

A row of the index has the rowid of its image. SQLite keeps rowids as long as nobody runs VACUUM, which
Flowshelf never does; its copies keep them too.
"""

# Two spaces at the end: so the last two letters begin a trigram as well, and can be found by it.
_WORDS = "COALESCE({0}.prompt, '') || char(10) || COALESCE({0}.title, '') || '  '"
_ADD = f"INSERT INTO image_text (rowid, words) VALUES (new.rowid, {_WORDS.format('new')});"
_REMOVE = (
    f"INSERT INTO image_text (image_text, rowid, words) VALUES ('delete', old.rowid, {_WORDS.format('old')});"
)

STATEMENTS = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS image_text USING fts5(words, content='', tokenize='trigram')",
    # Of eight pieces of the index one is made, not of four: storing a page costs less, and pages stored late
    # hardly more than the first. From sixteen on, FTS5 would merge at one go what it else does bit by bit.
    "INSERT INTO image_text (image_text, rank) VALUES ('automerge', 8)",
    "CREATE VIRTUAL TABLE IF NOT EXISTS image_trigrams USING fts5vocab(image_text, row)",
    f"CREATE TRIGGER IF NOT EXISTS text_insert AFTER INSERT ON veo3_image_generations BEGIN {_ADD} END",
    f"CREATE TRIGGER IF NOT EXISTS text_delete AFTER DELETE ON veo3_image_generations BEGIN {_REMOVE} END",
    f"""CREATE TRIGGER IF NOT EXISTS text_update AFTER UPDATE OF prompt, title ON veo3_image_generations
        WHEN new.prompt IS NOT old.prompt OR new.title IS NOT old.title BEGIN {_REMOVE} {_ADD} END""",
)

REBUILD = (
    "INSERT INTO image_text (image_text) VALUES ('delete-all')",
    f"""INSERT INTO image_text (rowid, words)
        SELECT image.rowid, {_WORDS.format("image")} FROM veo3_image_generations AS image""",
)

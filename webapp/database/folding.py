"""Letters without their diacritics, so that “café” and “cafe” find each other.

The letters are those of Latin, Greek and Cyrillic, and the marks that follow a letter in decomposed text.
Other scripts stay as they are. The full-text index stores folded text, which triggers fold in SQL: SQLite's
own `remove_diacritics` needs version 3.45, and a function of ours would be missing in other programs that
write to the table.
"""

import unicodedata

_MARKS = range(0x300, 0x370)
# Blocks of Unicode: only letters of blocks that occur in a text are looked for in it.
_BLOCKS = (
    range(0xC0, 0x100),
    range(0x100, 0x180),
    range(0x180, 0x250),
    _MARKS,
    range(0x370, 0x400),
    range(0x400, 0x530),
    range(0x1E00, 0x1F00),
    range(0x1F00, 0x2000),
)
# Letters that Unicode does not take apart, σ as it is at the end of a word, and capitals that SQLite's
# tokenizer does not know as such.
_OTHERS = dict(zip("ØøŁłĐđĦħŦŧıςͿԨԪԬԮ", "OoLlDdHhTtiσϳԩԫԭԯ", strict=True))
_TABLE = "image_letter"


def _base_of(letter: str) -> str:
    """A letter without its diacritics; nothing for a mark alone."""
    parts = unicodedata.normalize("NFD", letter)
    return "".join(_OTHERS.get(part, part) for part in parts if ord(part) not in _MARKS)


# What each letter with diacritics becomes, by the block of the letter.
_FOLDED = {
    number: {chr(code): base for code in block if (base := _base_of(chr(code))) != chr(code)}
    for number, block in enumerate(_BLOCKS)
}
_TRANSLATION = str.maketrans({letter: base for block in _FOLDED.values() for letter, base in block.items()})


def fold(text: str) -> str:
    """`text` in lower case and without diacritics."""
    lower = text.lower()
    return lower if lower.isascii() else lower.translate(_TRANSLATION)


def _is_in(block: range) -> str:
    """A pattern for GLOB that matches text with a character of a block."""
    return f"'*[{chr(block[0])}-{chr(block[-1])}]*'"


def folded(text: str) -> str:
    """The SQL expression that removes the diacritics of the expression `text`; the case stays.

    Each letter that occurs is replaced in turn. None of the replacements is itself replaced. The first
    pattern spans all blocks, so that most text is left alone at once.
    """
    blocks = ", ".join(f"({number}, {_is_in(block)})" for number, block in enumerate(_BLOCKS))
    some_letter = (
        f"'*[{chr(_BLOCKS[0][0])}-{chr(_BLOCKS[5][-1])}{chr(_BLOCKS[6][0])}-{chr(_BLOCKS[7][-1])}]*'"
    )
    return f"""CASE WHEN {text} GLOB {some_letter} THEN (
        WITH RECURSIVE found (letter, base, number) AS (
            SELECT letter, base, ROW_NUMBER() OVER () FROM {_TABLE}
            WHERE block IN (SELECT column1 FROM (VALUES {blocks}) WHERE {text} GLOB column2)
                AND INSTR({text}, letter)),
        step (value, number) AS (SELECT {text}, 0 UNION ALL
            SELECT REPLACE(step.value, found.letter, found.base), found.number
            FROM step JOIN found ON found.number = step.number + 1)
        SELECT value FROM step ORDER BY number DESC LIMIT 1) ELSE {text} END"""


STATEMENTS = (
    f"""CREATE TABLE IF NOT EXISTS {_TABLE} (block INTEGER NOT NULL, letter TEXT NOT NULL,
        base TEXT NOT NULL, PRIMARY KEY (block, letter)) WITHOUT ROWID""",
)

_ROWS = ", ".join(
    f"({number}, '{letter}', '{base}')" for number, block in _FOLDED.items() for letter, base in block.items()
)
REBUILD = (f"DELETE FROM {_TABLE}", f"INSERT INTO {_TABLE} (block, letter, base) VALUES {_ROWS}")

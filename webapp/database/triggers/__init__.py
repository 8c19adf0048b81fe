"""Triggers: tables that SQLite derives from the images, in the transaction that changes them.

events      the history of each image
tally       counts of images, grouped
text        the full-text index of prompts and titles
choices     favourites and collections, which hold names, and the rows of their images

They are triggers so that no writer can forget them, not even another program that writes to the table.
"""

from webapp.database.triggers import choices, events, tally, text

STATEMENTS = (*tally.STATEMENTS, *text.STATEMENTS, *events.STATEMENTS, *choices.STATEMENTS)

# Rebuild from the images what can be derived from them; events cannot.
REBUILD = (*tally.REBUILD, *text.REBUILD, *choices.REBUILD)

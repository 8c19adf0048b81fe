"""What the database keeps in step by itself, in the transaction of whoever changes a row.

events      what became of each image
tally       how many images there are of each sort
text        which words stand in prompts and titles

Triggers, because no writer may forget them, other programs that write to the table included.
"""

from webapp.database.triggers import events, tally, text

STATEMENTS = (*tally.STATEMENTS, *text.STATEMENTS, *events.STATEMENTS)

# Makes what is derived anew from the images.
REBUILD = (*tally.REBUILD, *text.REBUILD)

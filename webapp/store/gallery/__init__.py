"""What the gallery shows.

filters       which images a filter or a selection means
scope         which images somebody may see at all
visible_profiles   the profiles of these images
query         the grammar of the search box
terms         the conditions that a query means
search        its words: those of prompts and titles, and the beginnings of names
names         its models and projects
misses        which term of a query no image meets
patience      how long a page waits for what it can do without
reuse         results that a thread uses again until somebody writes
months        month ranges, so that a rare combination is found without going through all images
images        pages of the gallery, single images, and what happens to an image's file
deletions     files that a person deletes
counts        how many images match, from `image_tally` where possible
selections    what a selection contains, and hiding and showing all of it
overview      counts for the overview page
"""

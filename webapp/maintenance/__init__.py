"""Checks and repairs of a data folder.

verify       compares every image with its file
doctor       checks what Flowshelf depends on, and says what to do where a check fails
deletion     deletes files for good
trash        moves files into the trash and back, and empties it
importing    imports the database of the Electron predecessor
leaving/     what leaves the shelf: names, metadata inside, and a folder that stays in step
"""

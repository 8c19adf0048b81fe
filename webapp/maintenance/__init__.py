"""Care of a data folder.

verify       compares every row that has a file with that file
doctor       looks at everything that Flowshelf stands on
deletion     deletes files that a person no longer wants
importing    takes over the database of the Electron predecessor
"""

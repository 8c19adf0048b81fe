"""Phase 2: one image to one file.

fetch    asks the source for an image and writes it whole; knows the disk, nothing of the database
"""

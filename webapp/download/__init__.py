"""Phase 2: one image to one file.

rules    what a failure means for the image, the profile and the disk
fetch    downloads one image and writes its file; knows the source and the disk, not the database
"""

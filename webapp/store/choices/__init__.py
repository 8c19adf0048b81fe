"""What a person chose. Choices are kept by the names of images, so they outlive lost rows.

favourites    marking images with the heart
collections   named sets of images
past          what was taken back lately, for Undo
guests        what the guest link shows
portable      all choices as one JSON value, for a file and back
"""

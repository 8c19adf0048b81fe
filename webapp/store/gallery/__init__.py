"""What the gallery shows: images, by which filter or selection, how many of them, and when.

images        single images, and what happens to an image's file
filters       which images a filter or a selection means
search        text and names that a person types
selections    what a selection holds, and the marks set on all of it
counts        how many images match, without reading all of them where possible
months        the months that can hold images of a filter
overview      the shelf in numbers
imports       images taken over from the Electron predecessor
"""

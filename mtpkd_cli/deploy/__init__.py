"""Students at work: prediction on new media, and export to other programs.

Nothing here needs the corpus: a run folder that was copied without its features is enough.
"""

"""Judging what was trained: predictions beside labels, scores with intervals, rivals, damaged recordings, other runs.

It reads what training has written and fits no network. Legend: N samples, T time steps, D features, C classes or
targets, S subjects, R resamples.
"""

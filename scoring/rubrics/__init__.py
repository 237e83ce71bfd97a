"""What a judge is shown: one file per rubric, each with a version that is part of every stored verdict.

A rubric's text changes only together with its version: stored verdicts of the old text are then asked again.
"""

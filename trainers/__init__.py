"""Trains and evaluates models on releases: SFT, verifiers, multi-task sequences, scores of samples.

In: a release or samples, and a recipe of `recipes/training`. Out: a model with its record and card,
or an evaluation result. Nothing here reads a store.
"""

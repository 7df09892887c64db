"""Trains and evaluates models on releases: SFT, verifiers, preferences, rewards; scores samples.

In: a release or samples, and a recipe of `recipes/training`. Out: a model with its record and card,
or an evaluation result. Nothing here reads a store.
"""

"""The kinds of evidence against a gold answer, with their weights.

Doubt is a sum of log10 odds, as in naive Bayes; see `curator.pipeline.golds.suspects`.
"""

SOLUTION, PROGRAM, UNLISTED, STEP, NUMBER = 1.5, 1.0, 0.3, 1.0, 0.1
"""Weights of the problem's own solution and program, of a program whose output equals no
choice, of a wrong step, and of numbers that are not used or invented."""
TEACHER, MODEL = 1.0, 1.0
"""Weights of the solutions of a teacher, and of the attempts of a model."""
ATTEMPTS = 4
"""Smallest number of failed attempts, with no success, that speaks against a gold answer."""

STORED = {
    "program": "its program prints another answer",
    "unlisted": "its program prints none of the choices",
    "solution": "its solution states another answer",
    "teacher": "solutions of the teacher state another answer",
    "model": f"a model fails in all its attempts, {ATTEMPTS} or more",
}
"""What verdicts and attempts of a version say, over all its problems."""
READ = {
    "derived": "its solution ends with another value",
    "step": "its solution has a wrong step",
    "unused": "its solution does not use a number of the question",
    "invented": "its solution calculates with a number of unknown origin",
}
"""What the solution that comes with a problem says when it is read."""

"""The subsets of MathInstruct with the row counts of its released file.

From the table of arXiv:2309.05653 and the `source` strings of TIGER-Lab/MathInstruct. Counts that
end in two zeros are rounded: the exact ones are not published.
"""

from dataclasses import dataclass

from curator.versions.content import Content


@dataclass(frozen=True, slots=True)
class PublishedPart:
    """One subset of the released file."""

    name: str
    kind: str
    rows: int
    exact: bool
    fields: str
    """Its fields according to the paper's table."""


_ALL = "algebra, probability, number theory, calculus, geometry"

PUBLISHED: dict[str, PublishedPart] = {
    "data/CoT/gsm_train.json": PublishedPart("GSM8K", "CoT", 7_473, True, "pre-algebra"),
    "data/CoT/gsm_rft.json": PublishedPart("GSM8K-RFT", "CoT", 28_300, False, "pre-algebra"),
    "data/CoT/aqua_rat.json": PublishedPart("AQuA-RAT", "CoT", 89_400, False, "inter-algebra"),
    "data/CoT/MATH_train.json": PublishedPart("MATH", "CoT", 11_200, False, f"pre-algebra, {_ALL}"),
    "data/CoT/TheoremQA.json": PublishedPart("TheoremQA", "CoT", 600, False, _ALL),
    "data/CoT/math50k_camel.json": PublishedPart("Camel-Math", "CoT", 49_484, True, _ALL),
    "data/CoT/college_math.json": PublishedPart("College-Math", "CoT", 1_840, True, "algebra"),
    "data/CoT/number_comparison.json": PublishedPart(
        "number comparison", "CoT", 1_400, False, "not in the paper's table"
    ),
    "data/PoT/gsm_gpt4.json": PublishedPart("GSM8K", "PoT", 14_000, False, "pre-algebra"),
    "data/PoT/aqua_rat_filtered.json": PublishedPart(
        "AQuA-RAT", "PoT", 9_700, False, "inter-algebra"
    ),
    "data/PoT/MATH_train.json": PublishedPart("MATH", "PoT", 10_600, False, f"pre-algebra, {_ALL}"),
    "data/PoT/TheoremQA.json": PublishedPart("TheoremQA", "PoT", 700, False, _ALL),
    "data/PoT/mathqa.json": PublishedPart("MathQA", "PoT", 24_400, False, "inter-algebra"),
    "data/PoT/numglue.json": PublishedPart("NumGLUE", "PoT", 13_000, False, "pre-algebra"),
}
"""By the `source` string of the released rows."""

ROWS = 262_039
"""Rows of the released file; the rounded counts above do not add up to this number exactly."""


def published_part(content: Content, subset: str) -> PublishedPart | None:
    """Return the part that a subset claims to be, by `release_as` in its recipe; None if none."""
    return PUBLISHED.get(content.recipe.subsets[subset].release_as)


def follows_mathinstruct(content: Content) -> bool:
    """Return whether a subset claims to be one of MathInstruct's."""
    return any(published_part(content, name) for name in content.order)

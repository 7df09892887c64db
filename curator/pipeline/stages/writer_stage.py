"""The declaration of a stage that belongs to one writer, such as `hinted` or `self_instruct`.

A build, a plan and an estimate read these fields; the stages are registered in `registry`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from curator.pipeline.context import BuildContext
from curator.pipeline.estimate import CallEstimate
from curator.pipeline.state import InputFile, SubsetInputs, SubsetState, Written
from curator.recipe.schema import Recipe, Subset


@dataclass(frozen=True, slots=True)
class WriterStage:
    """How the subsets of one writer are made."""

    order: int
    """Subsets of a higher order are made later. Subsets that read a source have order 0."""
    run: Callable[[BuildContext, str, SubsetInputs, Mapping[str, SubsetState]], Written]
    """Write the rationales of the named subset, given the states of the subsets before it."""
    max_rows: Callable[[BuildContext, Subset, Mapping[str, int]], int]
    """Return the maximum number of rows, given those of the subsets before it."""
    open_file: Callable[[Recipe, Subset], InputFile] | None = None
    """Read the file that the subset's source names; None without such a file. Raises SourceError
    and RecipeError."""
    estimate: Callable[[BuildContext, Subset], CallEstimate] | None = None
    """Estimate the calls to the teacher; None for a writer that needs no teacher."""

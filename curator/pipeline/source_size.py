"""Count the problems of a source before a build reads it.

In: a located source. Out: its problems by part, all and those with a licence that the mixture
allows, and whether a build would stop at its malformed records.
"""

from collections import Counter
from dataclasses import dataclass

from curator.core.model import Problem
from curator.core.words import counted, verb
from curator.pipeline.context import BuildContext
from curator.pipeline.locate import LocatedSource
from curator.sources import LICENCES, check_columns, records


@dataclass(frozen=True, slots=True)
class SourceSize:
    """The number of problems of a source."""

    problems: Counter[str]
    """By part."""
    allowed: Counter[str]
    """By part, those with a licence that the mixture allows."""
    known: bool
    """Whether the files were counted; otherwise part "" has the published number, or 0."""
    error: str = ""
    """Why a build would stop at this source; empty if it would not."""

    def of(self, part: str) -> tuple[int | None, int | None]:
        """Return the number of problems of a part ("" for all), and of those that are allowed.

        None if they are not known.
        """
        if not self.known:  # of a source that was not read, at most the total is known
            return self.problems[""] or None, self.allowed[""] if self.problems[""] else None
        if part:
            return self.problems[part], self.allowed[part]
        return self.problems.total(), self.allowed.total()


def measure_source(context: BuildContext, located: LocatedSource) -> SourceSize:
    """Count the problems of a source; of one without files here, take the published number."""
    licences, source = context.recipe.mixture.licences, located.source
    if not located.opened or not located.opened.files:
        rejected = licences is not None and source.licence in {*LICENCES} - {*licences}
        # A record may give no problem or several, so this is the published number of both.
        published = min(source.rows, source.first) if source.first else source.rows
        allowed = 0 if rejected else published
        return SourceSize(Counter({"": published}), Counter({"": allowed}), known=False)
    problems, allowed_ones, bad = Counter[str](), Counter[str](), 0
    check_columns(source, located.opened)
    for record in records(source, located.opened):
        if not isinstance(record, Problem):
            bad += 1
            continue
        problems[record.part] += 1
        allowed_ones[record.part] += licences is None or record.licence in licences
    total, limit = bad + problems.total(), context.recipe.limits.quarantine
    error = ""
    if bad > limit * total:
        error = (
            f"{source.name}: {bad:,} of {counted(total, 'record')} {verb(bad, 'does', 'do')} "
            f"not parse, more than "
            f"limits.quarantine ({limit:.0%}) allows, so a build would stop."
        )
    return SourceSize(problems, allowed_ones, True, error)

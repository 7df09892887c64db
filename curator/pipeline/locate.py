"""Locate the files of each source: in a local folder, or on the Hub at a pinned revision.

In: a build context. Out: for each source its files, or the reason why it cannot be read. A revision
that the source does not pin is resolved at the first fetch and written to the store's ledger `pins`
with the hashes of its files, so that the next build reads the same commit.
"""

import json
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path

from curator.core.errors import SourceError
from curator.core.model import content_id
from curator.pipeline.context import BuildContext
from curator.recipe.schema import IN_EVALS, FileSource, HubSource, NamedSource, Recipe, Subset
from curator.sources import (
    EVALS,
    SOURCES,
    CustomFiles,
    Source,
    SourceFiles,
    custom_source,
    open_source,
)
from curator.writers import own_stage


@dataclass(frozen=True)
class LocatedSource:
    """A source of the recipe with its files, or the reason why it cannot be read."""

    source: Source
    opened: SourceFiles | None
    missing: str = ""
    """Why it cannot be read. Empty without `opened`: a plan does not fetch the source."""


def find_sources(context: BuildContext, hub: bool = False) -> dict[str, LocatedSource]:
    """Return the sources of a recipe by name; a source defined in the recipe has its subset's name.

    Sources whose gold answers fill those of another are included. With `hub`, sources defined in
    the recipe are read from their own place and only shipped ones from the mirror. Subsets whose
    writer has a stage of its own have no source.
    """
    recipe = context.recipe
    sources = {
        source_name(name, subset): subset
        for name, subset in recipe.subsets.items()
        if not own_stage(subset.writers)
    }
    all_sources = {name: _source(name, subset, recipe) for name, subset in sources.items()}
    for subset in recipe.subsets.values():
        all_sources |= {name: source_by_name(name) for name in subset.gold_sources()}
    own = () if not hub else sources
    return {
        name: _find(context, source, None if name in own else context.mirror)
        for name, source in all_sources.items()
    }


def source_by_name(name: str) -> Source:
    """Return a shipped source by name, or an evaluation set by `evals/` and its name."""
    plain = name.removeprefix(IN_EVALS)
    return SOURCES[name] if plain == name else EVALS[plain]


def find_evals(context: BuildContext) -> dict[str, LocatedSource]:
    """Return the evaluation sets that the recipe screens against."""
    return {name: _find(context, EVALS[name], context.mirror) for name in context.recipe.evals()}


def source_name(name: str, subset: Subset) -> str:
    """Return the name of a subset's source; a source defined in the recipe has the subset's."""
    return subset.source if isinstance(subset.source, str) else name


def _source(name: str, subset: Subset, recipe: Recipe) -> Source:
    marks = recipe.thoughts
    match subset.source:
        case FileSource() as given:
            files = CustomFiles(file=str(recipe.folder / given.file), rows=given.rows)
            return custom_source(name, files, given.columns.model_dump(), given.licence, marks)
        case HubSource() as given:
            where = given.model_dump(include={"hub", "config", "split", "revision", "rows"})
            return custom_source(
                name, CustomFiles(**where), given.columns.model_dump(), given.licence, marks
            )
        case NamedSource() as given:
            settings = json.dumps({"rows": given.rows})
            return replace(SOURCES[given.name], first=given.rows, settings=settings)
        case str() as known:
            return SOURCES[known]
    raise AssertionError("Self-Instruct and subsets have no source")


def _find(context: BuildContext, source: Source, mirror: Path | None) -> LocatedSource:
    try:
        if mirror is not None or source.local:
            opened = open_source(source, mirror, hash_file=context.store.known_files.sha256)
            return LocatedSource(source, opened)
        return LocatedSource(source, _remote(context, source))
    except SourceError as error:
        return LocatedSource(source, None, str(error))


def _remote(context: BuildContext, source: Source) -> SourceFiles | None:
    """Open a source on the Hub at its pinned revision; a dry run fetches nothing."""
    pins = context.store.ledger("pins")
    where = (source.hub or source.github, source.config, source.split, *source.files)
    key = content_id("pin", source.name, source.revision, source.settings, *where)
    pin = pins.get_many([key]).get(key)
    if context.dry:
        return SourceFiles((), (), pin["revision"], pin["digest"], pin["origin"]) if pin else None
    # With the names of the files, so that cached files need no listing from the network.
    pinned = replace(source, revision=pin["revision"], files=tuple(pin["files"])) if pin else source
    opened = open_source(pinned)
    if not pin:
        pin = {"revision": opened.revision, "digest": opened.digest, "origin": opened.origin}
        pins.put_many({key: pin | {"files": dict(zip(opened.names, _hashes(opened), strict=True))}})
    return opened


def _hashes(opened: SourceFiles) -> list[str]:
    hashes = []
    for path in opened.files:
        with path.open("rb") as file:
            hashes.append(file_digest(file, "sha256").hexdigest())
    return hashes

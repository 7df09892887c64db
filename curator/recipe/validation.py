"""Errors between keys: names that must exist in the recipe, rows that two subsets would share.

In: the raw values of a document, so that these errors are reported together with those of single
keys. Out: one line per error, with its place.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import islice
from typing import Any, get_args

from curator.core.errata import read_errata
from curator.core.errors import UsageError, unknown_name
from curator.core.licences import FREE, RESTRICTED
from curator.core.model import Kind
from curator.recipe.schema import SelfInstruct
from curator.recipe.yaml_document import Document
from curator.sources import EVALS, LICENCES, MAMMOTH_EVALS
from curator.writers import WRITERS


def cross_key_errors(document: Document) -> list[str]:
    """Return one line per error between the keys of a document."""
    subsets = _mapping(document.values, "subsets")
    errors = []
    for name in _mapping(document.values, "mixture", "subsets"):
        if name not in subsets:
            place = document.place(("mixture", "subsets", name))
            errors.append(f"{place}: {unknown_name('subset', name, subsets)}")
    if "only" in document.values and not document.values.get("extends"):
        place = document.place(("only",))
        errors.append(f"{place}: only: it needs the key 'extends', whose subsets it keeps.")
    errors += _errata_errors(document)
    errors += _kind_errors(document, subsets)
    errors += _licence_errors(document, subsets)
    errors += _action_errors(document, subsets)
    errors += _attempts_errors(document)
    errors += _sampling_errors(document, subsets)
    for name in subsets:
        errors += _writer_errors(document, name, _mapping(subsets, name))
        errors += _source_key_errors(document, name, _mapping(subsets, name, "source"))
    for one, other in _sharing_pairs(subsets):
        place = document.place(("subsets", other))
        errors.append(
            f"{place}: subsets '{one}' and '{other}' would have the same rows: they have the "
            "same source, kind and writer. Give them different parts or writers, or remove one."
        )
    return errors


def _errata_errors(document: Document) -> list[str]:
    """Errors of the file of errata, which a build would meet only after reading a source."""
    name = document.values.get("errata")
    if not name or not isinstance(name, str):
        return []
    try:
        read_errata(document.path.parent / name)
    except UsageError as error:
        return [f"{document.place(('errata',))}: errata: {error}"]
    return []


def _kind_errors(document: Document, subsets: Mapping[str, Any]) -> list[str]:
    """Errors of shares by kind that no rows can have."""
    shares = _mapping(document.values, "mixture", "kinds")
    place = document.place(("mixture", "kinds"))
    try:
        total = sum(Fraction(str(share).removesuffix("%")) for share in shares.values())
    except ValueError:
        return []  # an error of its own
    existing = {_mapping(subsets, name).get("kind") for name in subsets}
    missing = [kind for kind in shares if kind in get_args(Kind) and kind not in existing]
    if missing:
        return [f"{place}: mixture.kinds: no subset has the kind {missing[0]}."]
    if total > 100 or (total < 100 and shares and existing <= set(shares)):
        seen = f"{float(total):g}%"
        only = f" and only subsets of the kind {next(iter(shares))}" if len(shares) == 1 else ""
        only = only if total < 100 else ""
        return [f"{place}: mixture.kinds: expected shares of 100% in all, saw {seen}{only}."]
    return []


def _licence_errors(document: Document, subsets: Mapping[str, Any]) -> list[str]:
    """Errors of licences that no row can have, which would reject rows silently."""
    licences = _mapping(document.values, "mixture").get("licences")
    own = (_mapping(subsets, name, "source").get("licence") for name in subsets)
    known = dict.fromkeys(
        [*(each for each in own if isinstance(each, str)), *sorted({*LICENCES, *FREE, *RESTRICTED})]
    )
    return [
        f"{document.place(('mixture', 'licences', number))}: {unknown_name('licence', each, known)}"
        for number, each in enumerate(licences if isinstance(licences, list) else ())
        if isinstance(each, str) and each not in known
    ]


def _action_errors(document: Document, subsets: Mapping[str, Any]) -> list[str]:
    """Errors of actions of the screen `contamination` that would never apply."""
    at = ("screens", "contamination")
    screen = _mapping(document.values, *at)
    errors = [
        f"{document.place((*at, 'subsets', name))}: {unknown_name('subset', name, subsets)}"
        for name in _mapping(screen, "subsets")
        if name not in subsets
    ]
    against = screen.get("against", list(MAMMOTH_EVALS))
    for name in _mapping(screen, "sets") if isinstance(against, list) else ():
        if name in EVALS and name not in against:
            known = [each for each in against if isinstance(each, str)]
            errors.append(
                f"{document.place((*at, 'sets', name))}: '{name}' has actions and is not in "
                f"'against' ({', '.join(known)}). Add it there, or remove its actions."
            )
    return errors


def _attempts_errors(document: Document) -> list[str]:
    """Errors of screens that need solve rates in a recipe that has no attempts."""
    values = document.values
    if values.get("attempts") or values.get("teacher"):
        return []
    screens = _mapping(values, "screens")
    needing: list[tuple[str, ...]]
    needing = [("screens", "solve_rate")] if screens.get("solve_rate") else []
    needing += (
        [("screens", "cap", "hard_first")] if _mapping(screens, "cap").get("hard_first") else []
    )
    return [
        f"{document.place(place)}: {'.'.join(place)}: it needs solve rates, and the recipe has no "
        "attempts. Name files in 'attempts', or a teacher."
        for place in needing
    ]


def _sampling_errors(document: Document, subsets: Mapping[str, Any]) -> Iterator[str]:
    """Yield errors of keys of `sampling` that nothing would read.

    A variant may drop the subsets or the teacher that a key of its base is for: a key of the recipe
    counts only if the recipe's own file has it.
    """
    own = [name for name in subsets if not _mapping(subsets, name, "sampling")]
    levels = [((), own), *((("subsets", name), [name]) for name in subsets)]
    for at, names in levels:
        sampling = _mapping(document.values, *at, "sampling")
        writers = {each for name in names for each in _writers(_mapping(subsets, name))}
        needs = {
            "error": ("band" in sampling, "the key 'band'"),
            "band": (bool(document.values.get("teacher")), "a teacher"),
            "rounds": ("tir" in writers, "a subset with the writer 'tir'"),
            "repair": ("pot" in writers, "a subset with the writer 'pot'"),
        }
        for key, (holds, what) in needs.items():
            place = document.place((*at, "sampling", key))
            inherited = not at and not place.startswith(f"{document.path.name}:")
            if sampling.get(key) not in (None, False) and not holds and not inherited:
                name = ".".join((*at, "sampling", key))
                yield f"{place}: {name}: it has no effect without {what}. Add one, or remove it."


def _writer_errors(document: Document, name: str, subset: Mapping[str, Any]) -> list[str]:
    place = document.place(("subsets", name, "writers"))
    writers, kind = _writers(subset), subset.get("kind")
    if writers == []:
        return [f"{place}: subset '{name}' has no writer. Name at least one."]
    errors = _source_errors(document, name, subset, place)
    for each in writers:
        writer = WRITERS.get(each) if isinstance(each, str) else None
        if writer and isinstance(kind, str) and kind in get_args(Kind) and kind not in writer.kinds:
            kinds = " or ".join(sorted(writer.kinds))
            errors.append(f"{place}: writer '{each}' writes {kinds}, not {kind}.")
    return errors


def _source_errors(
    document: Document, name: str, subset: Mapping[str, Any], place: str
) -> list[str]:
    """Errors of writers that need one kind of source, and of subsets made from other subsets."""
    source, writers = _mapping(subset, "source"), _writers(subset)
    errors = []
    for key in dict.fromkeys(writer.source for writer in WRITERS.values() if writer.source):
        able = [writer for writer in WRITERS.values() if writer.source == key]
        chosen = [writer for writer in able if writer.name in writers]
        if bool(chosen) != (key in source) or (chosen and len(writers) > 1):
            names = " or ".join(f"'{writer.name}'" for writer in chosen or able)
            errors.append(
                f"{place}: subset '{name}': writer {names} needs the source "
                f"{able[0].source_form} and must be the only writer."
            )
    if isinstance(base := source.get("subset"), str):
        subsets = _mapping(document.values, "subsets")
        place = document.place(("subsets", name, "source", "subset"))
        if base not in subsets:
            errors.append(f"{place}: {unknown_name('subset', base, subsets)}")
        elif "subset" in _mapping(subsets, base, "source"):
            errors.append(
                f"{place}: subset '{base}' is itself made from another subset. Name that one."
            )
        elif _mapping(subsets, base).get("kind") != subset.get("kind"):
            errors.append(f"{place}: subsets '{base}' and '{name}' must have the same kind.")
    return errors


def _source_key_errors(document: Document, name: str, source: Mapping[str, Any]) -> Iterator[str]:
    """Yield errors of keys of a source that no other key of it allows to have an effect."""
    at = ("subsets", name, "source")
    columns = _mapping(source, "columns")
    if columns.get("thought") and not (columns.get("response") or columns.get("solution")):
        yield (
            f"{document.place((*at, 'columns', 'thought'))}: {'.'.join(at)}.columns.thought: it "
            "has no effect without a column of a response or solution. Add one, or remove it."
        )
    if "seeds" not in source:
        return
    fields = SelfInstruct.model_fields
    cot, pot, agree = (source.get(key, fields[key].default) for key in ("cot", "pot", "agree"))
    if all(isinstance(each, int) for each in (cot, pot, agree)) and agree > cot + pot:
        yield (
            f"{document.place((*at, 'agree'))}: {'.'.join(at)}.agree: {agree} solutions cannot "
            f"agree, since {cot} texts (cot) and {pot} programs (pot) are sampled. Lower it, or "
            "raise cot or pot."
        )


def _sharing_pairs(subsets: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each subset that would have rows of an earlier one, after the first such subset.

    Such rows would have two verdicts.
    """
    first_by_part: dict[tuple[Any, ...], dict[str, str]] = {}
    for name in subsets:
        subset = _mapping(subsets, name)
        source, kind, part = subset.get("source"), subset.get("kind"), subset.get("part") or ""
        source = source.get("name") if isinstance(source, dict) else source
        if not all(isinstance(value, str) for value in (source, kind, part)):
            continue  # another source, or an error of its own
        earlier = []
        for writer in dict.fromkeys(filter(lambda each: isinstance(each, str), _writers(subset))):
            names = first_by_part.setdefault((source, kind, writer), {})
            # The part "" is the whole source, and the first name of all is that of any part.
            sharing = [names[key] for key in ("", part) if key in names] if part else names.values()
            earlier += list(islice(sharing, 1))
            names.setdefault(part, name)
        if earlier:
            yield earlier[0], name


def _writers(subset: Mapping[str, Any]) -> list[Any]:
    writers = subset.get("writers", ["reference"])
    return writers if isinstance(writers, list) else []


def _mapping(values: object, *keys: str) -> Mapping[str, Any]:
    """Return the mapping at a path of keys; empty if missing."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}

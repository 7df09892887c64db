"""Audit: check any dataset with the stages of a build, without a recipe.

In: a file or a dataset on the Hub. Out: one line per check over all its rows, and on request the
clean rows as a version. The detected columns become a recipe in memory, with one subset for texts
and one for programs, if the dataset has them.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from curator.checks import CHECKS
from curator.checks.answer import NO_ANSWER
from curator.core.errors import SourceError, UsageError, to_one_line, unknown_name
from curator.core.thoughts import Pair
from curator.core.words import counted
from curator.pipeline.audit.dataset import Dataset, describe, open_dataset
from curator.pipeline.audit.findings import Line
from curator.pipeline.audit.golds import golds_line
from curator.pipeline.audit.table import verdict_table
from curator.pipeline.build import run_stages
from curator.pipeline.context import BuildContext
from curator.pipeline.freeze import freeze
from curator.pipeline.locate import LocatedSource, find_evals, find_sources, source_by_name
from curator.pipeline.open_context import open_context
from curator.pipeline.run_options import DEFAULTS, RunOptions
from curator.pipeline.stages.ingest import ingest, ingest_all, problems_of
from curator.pipeline.state import Result
from curator.recipe.schema import IN_EVALS, Limits, Recipe, Subset, ThoughtMarks
from curator.sources import EVALS, SOURCES, check_reachable
from curator.sources.detect_columns import Column, detect
from datastore.files import canonical_json
from datastore.store import Store
from datastore.versions import Manifest

UNCHECKED = [reason for each in CHECKS.values() for reason in each.undecided if reason != NO_ANSWER]
"""Reasons of undecided rows that are clean: they could not be checked, and nothing is missing."""
KINDS = {"cot": "CoT", "pot": "PoT", "tir": "TIR"}
"""The subsets of the recipe in memory."""
QUESTIONS = "questions"
"""The only subset for a dataset without responses."""


@dataclass(frozen=True)
class Audit:
    """The result of an audit."""

    dataset: str
    licence: str
    columns: Sequence[Column]
    rows: int
    """Number of rationales that could be read."""
    kinds: Mapping[str, int]
    """Rows by kind: CoT, PoT, TIR, or `questions` without a response."""
    lines: Sequence[Line]
    clean: int
    """Number of rows that failed no check, state an answer if their gold answer is known, repeat no
    other row and are in no evaluation set."""
    version: str
    """`name@number` of the version with the clean rows; empty without a request for one."""
    manifest: Manifest
    """Manifest of the clean rows; the store has it only if `version` is not empty."""


@dataclass(frozen=True)
class AuditRequest:
    """What to audit, and how to read it."""

    dataset: str
    """A file, a pattern of files, or a Hub dataset `ORG/NAME[@REVISION]`."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns by what they hold (question, response, thought, gold, choices, field), instead of
    those that are detected."""
    config: str = ""
    """Configuration of a Hub dataset."""
    split: str = "train"
    """Split of a Hub dataset."""
    licence: str = ""
    """Licence of the dataset, if its card does not state it."""
    limit: int = 0
    """Maximum number of records to read; 0 for all."""
    thoughts: Sequence[Pair] = ()
    """Further marks of thoughts, as a recipe names them."""
    golds_from: Sequence[str] = ()
    """Sources (`gsm8k`) and evaluation sets (`evals/gsm8k`) whose gold answers fill those that the
    dataset does not state. Default: all in the mirror."""
    fix: str = ""
    """Name of the version to make of the clean rows."""
    keep_undecided: bool = False
    """Whether rows that state no answer are clean although their gold answer is known."""


def audit(
    request: AuditRequest, store: str | Path = ".curator", options: RunOptions = DEFAULTS
) -> Audit:
    """Check every row of a dataset that was made elsewhere.

    Raises UsageError for a request that is not valid, SourceError if no row can be read.
    """
    fix, mirror = request.fix, options.mirror_folder
    if fix and not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", fix):
        raise UsageError(
            f"'{fix[:80]}' is not a valid version name. Use a-z, 0-9, '.', '_' and '-'."
        )
    dataset = open_dataset(request.dataset, request.config, request.split, request.licence)
    detected = detect(dataset.sample, request.columns)
    dataset = replace(dataset, sample=())  # its rows may take hundreds of megabytes
    golds = _golds(request.golds_from, mirror)
    recipe = _recipe(dataset, detected, golds, request)
    # What cannot be read is left out: an audit reports on the rest.
    options = replace(options, allow_missing=True)
    with Store(Path(store)) as opened, open_context(opened, recipe, options) as context:
        sources = find_sources(context, hub=True)
        context, records = _drop_empty_subsets(context, sources)
        sources = {name: each for name, each in sources.items() if name not in recipe.subsets} | {
            name: sources[name] for name in context.recipe.subsets
        }
        evals = find_evals(context)
        result = run_stages(context, sources, evals)
        manifest = _manifest(context, result, dataset, request)
        lines = verdict_table(context, result, dataset, sources, evals, records)
        command = _golds_command(request, detected, manifest)
        lines.append(golds_line(context.store, manifest, command))
    kinds = {
        (subset.kind if name in KINDS else name): result.content.subsets[name].rationales
        for name, subset in context.recipe.subsets.items()
    }
    return Audit(
        dataset=dataset.what,
        licence=dataset.licence,
        columns=detected,
        rows=sum(kinds.values()),
        kinds=kinds,
        lines=lines,
        clean=result.content.rows.count,
        version=manifest.ref if manifest.number else "",
        manifest=manifest,
    )


def _golds_command(request: AuditRequest, detected: Sequence[Column], manifest: Manifest) -> str:
    """Return the command that lists the golds in doubt."""
    if manifest.number:
        return f"curator golds {manifest.ref}"
    if any(each.content == "gold" for each in detected) and not request.golds_from:
        return f"curator golds {shlex.quote(request.dataset)}"
    # The golds of other sources are in no file: only a version holds them with their questions.
    return "curator golds NAME, after an audit with --fix NAME"


def _golds(names: Sequence[str], mirror: Path | None) -> tuple[str, ...]:
    """Return the sources to fill golds from: the named ones, by default all in the mirror."""
    known = [*SOURCES, *(f"{IN_EVALS}{name}" for name in EVALS)]
    for name in names:
        if name not in known:
            raise UsageError(unknown_name("source of golds", name, known))
        origin, why = check_reachable(source_by_name(name), mirror)
        if not origin:
            raise SourceError(why)
    if names or not mirror:
        return tuple(names)
    return tuple(name for name in known if check_reachable(source_by_name(name), mirror)[0])


def _recipe(
    dataset: Dataset, detected: Sequence[Column], golds: Sequence[str], request: AuditRequest
) -> Recipe:
    columns = {each.content: each.column for each in detected}
    section = dataset.section(columns, golds, request.limit)
    if "response" in columns:
        subsets = {
            name: {"part": kind, "kind": kind, "writers": ("verbatim",), "checks": _checks(kind)}
            for name, kind in KINDS.items()
        }
    else:
        checks = ("verifiable",)  # the other checks read rationales
        subsets = {QUESTIONS: {"kind": "CoT", "writers": ("question",), "checks": checks}}
    recipe = Recipe(
        name=request.fix or "audit",
        about=f"What an audit left of {dataset.hub or dataset.file}",
        subsets={
            name: Subset.model_validate({"source": section, **subset})
            for name, subset in subsets.items()
        },
        thoughts=_marks(request.thoughts),
        limits=Limits(quarantine=1.0),
        undecided="keep" if request.keep_undecided else tuple(UNCHECKED),
    )
    recipe._folder = dataset.folder
    return recipe


def _marks(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Return further marks of thoughts. Raises UsageError unless a recipe could name them."""
    try:
        return TypeAdapter(tuple[ThoughtMarks, ...]).validate_python(tuple(pairs))
    except ValidationError:
        shown = ", ".join(to_one_line(f"'{mark}'", 60) for pair in pairs for mark in pair)
        raise UsageError(
            f"Marks of thoughts are two different texts of 3 to 100 characters; saw {shown}."
        ) from None


def _checks(kind: str) -> tuple[str, ...]:
    """Return the names of the checks that an audit runs over rationales of a kind."""
    return tuple(name for name, check in CHECKS.items() if kind in check.audited_kinds)


def _drop_empty_subsets(
    context: BuildContext, sources: Mapping[str, LocatedSource]
) -> tuple[BuildContext, Mapping[str, int]]:
    """Return the context without subsets of a kind that the dataset lacks, and ingest's counts."""
    ingest_all(context, sources)
    subsets = {}
    for name, subset in context.recipe.subsets.items():
        located = sources[name]
        if not located.opened:
            raise SourceError(located.missing)
        read = ingest(context, located.source, located.opened)
        if problems_of(read, subset.part):
            subsets[name] = subset
    if not subsets:
        bad = next(iter(context.store.objects.read(read.objects["quarantine"])), None)
        count = read.counts["quarantined"]
        first = describe(*(bad[key][0] for key in ("place", "reason", "raw"))) if bad else ""
        where = f"; the first at {first}" if first else ""
        raise SourceError(f"None of {counted(count, 'record')} can be read as a row{where}")
    recipe = context.recipe.model_copy(update={"subsets": subsets})
    return replace(context, recipe=recipe), read.counts


def _manifest(
    context: BuildContext, result: Result, dataset: Dataset, request: AuditRequest
) -> Manifest:
    if request.fix and result.content.rows.count:
        command = _command(request, dataset, context.options)
        return freeze(context, result, f"audit of {dataset.what}", command)
    content = result.content.plain()
    digest = sha256(canonical_json(content)).hexdigest()
    return Manifest(context.recipe.name, 0, digest, None, "", content, result.objects.plain())


def _command(request: AuditRequest, dataset: Dataset, options: RunOptions) -> list[str]:
    """Return the arguments of `curator` that repeat an audit."""
    values = {
        **request.columns,
        "config": request.config,
        "split": request.split,
        "licence": request.licence,
        "limit": str(request.limit or ""),
        "fix": request.fix,
    }
    flags = ["--keep-undecided"] if request.keep_undecided else []
    pairs = [(option, value) for option, value in values.items() if value]
    pairs += [("gold-from", source) for source in request.golds_from]
    file = str(Path(request.dataset).absolute())
    name = file if dataset.file else f"{dataset.hub}@{dataset.revision}"
    chosen = [word for option, value in pairs for word in (f"--{option}", value)]
    chosen += [word for marks in request.thoughts for word in ("--thought-marks", *marks)]
    return ["audit", name, *chosen, *flags, *replace(options, allow_missing=False).arguments()]

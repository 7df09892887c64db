"""The command `curator export`."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from curator.cli.app import Progress, app, open_existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    CertifyOption,
    HeldOutOption,
    JsonOption,
    OverwriteOption,
    StoreOption,
    VersionArgument,
    refuse_without_effect,
)
from curator.cli.terminal import print_line
from curator.core.errors import UsageError, unknown_name
from curator.core.words import counted
from curator.release.formats import FORMATS, THOUGHTS, Thoughts

if TYPE_CHECKING:
    from curator.release.export import Exported
    from curator.release.order import Order
    from curator.rewards.certification import Certificate
    from curator.versions.lengths import Lengths

HUB = "hub"
"""The only format that is a folder."""


@app.command(epilog="Example: curator export quickstart@1 --format alpaca -o rows.json")
def export(
    context: typer.Context,
    version: VersionArgument,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(FORMATS)}, or {HUB} (the folder that 'curator publish' uploads).",
        ),
    ] = "alpaca",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Output file. Default: VERSION-FORMAT and the format's suffix.",
        ),
    ] = None,
    held_out: HeldOutOption = 0.0,
    order: Annotated[
        str,
        typer.Option(
            "--order",
            metavar="ORDER",
            help="Order rows by solve rate: easy-first or hard-first. Rows without one come last.",
        ),
    ] = "",
    certify: CertifyOption = "",
    per_problem: Annotated[
        int,
        typer.Option(
            "--per-problem",
            metavar="N",
            min=1,
            help="Maximum number of pairs per problem in preference, kto and scored.",
        ),
    ] = 4,
    thoughts: Annotated[
        str,
        typer.Option(
            "--thoughts",
            metavar="WHERE",
            help="Where to write a thought before the answer (<think>…</think>): keep it in the "
            "text, drop it, or apart, in a field of its own (messages, parquet).",
        ),
    ] = "keep",
    overwrite: OverwriteOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write a version to a file, or to a folder for the Hub."""
    from curator.release.export import Exported, ExportOptions
    from curator.release.export import export as write
    from curator.release.folder import CardOptions, write_folder
    from curator.release.order import ORDERS
    from curator.rewards.certification import certificate_of

    if form not in {*FORMATS, HUB}:
        raise UsageError(unknown_name("format", form, {*FORMATS, HUB}))
    if order and order not in ORDERS:
        raise UsageError(unknown_name("order", order, ORDERS))
    if thoughts not in THOUGHTS:
        raise UsageError(unknown_name("place of thoughts", thoughts, THOUGHTS))
    _check_options(context, form)
    suffix = FORMATS[form].suffix if form in FORMATS else ""
    readonly = not (certify and os.access(store, os.W_OK))
    with open_existing(store, readonly) as opened, Progress() as progress:
        certificate = certificate_of(certify, progress.progress, opened)
        manifest = opened.versions.get(version)
        target = output or Path(f"{manifest.name}-{manifest.number}-{form}{suffix}")
        if form == HUB:
            of_card = CardOptions(certificate=certificate)
            release = write_folder(opened, manifest, target, held_out, of_card, overwrite)
            done = Exported({target: release.counts.rows})
        else:
            options = ExportOptions(
                held_out,
                certificate,
                per_problem,
                cast("Order", order),
                cast(Thoughts, thoughts),
            )
            done = write(opened, manifest, form, target, overwrite, options)
    if as_json:
        shown = {"version": manifest.ref, "format": form, "file": str(target)}
        unrated = {"without_solve_rate": sum(done.unrated)} if order else {}
        show_json({**shown, **_describe(form, done), **unrated, **_certified(certificate)})
        return
    _print(manifest.ref, done)
    if certificate:
        _print_rates(certificate)


def _check_options(context: typer.Context, form: str) -> None:
    """Raise UsageError for an option that has no effect in a format."""
    able = {
        "per_problem": [name for name, each in FORMATS.items() if each.pairs],
        "certify": [HUB, *(name for name, each in FORMATS.items() if each.prompts)],
        "thoughts": [name for name, each in FORMATS.items() if not each.prompts and not each.steps],
        "order": [name for name, each in FORMATS.items() if not each.pairs and not each.steps],
    }
    for option, names in able.items():
        if form not in names:
            where = f"in the format {form}; it needs one of {', '.join(names)}"
            refuse_without_effect(context, [option], where)


def _print(version: str, done: "Exported") -> None:
    """Print what was written and left out."""
    for path, rows in done.files.items():
        print_line(f"Wrote {counted(rows, 'row')} of {version} to {path}")
    for each in done.lengths:
        print_line(_describe_lengths(each))
    if last := sum(done.unrated):
        print_line(f"{counted(last, 'row')} without a solve rate: last")
    for reason, rows in done.left_out.most_common():
        print_line(f"Left out {counted(rows, 'row')}: {reason}")
    if done.labelled.kept or done.labelled.stopped:
        print_line(
            f"{counted(done.labelled.kept, 'row')} of the version, "
            f"{counted(done.labelled.stopped, 'solution')} that a check stopped"
        )
    if done.labelled.unscreened:
        print_line(
            f"Left out {counted(done.labelled.unscreened, 'solution')} of problems without a row, "
            "which no screen has seen"
        )
    if done.pairing.pairs:
        _print_pairing(done)


def _describe(form: str, done: "Exported") -> dict[str, Any]:
    """Return the JSON of what was written and left out."""
    shown: dict[str, Any] = {
        "rows": done.rows,
        "files": {str(path): rows for path, rows in done.files.items()},
    }
    if form in FORMATS and (FORMATS[form].prompts or FORMATS[form].steps):
        shown["left_out"] = dict(done.left_out.most_common())
    if form in FORMATS and FORMATS[form].steps:
        shown["solutions"] = asdict(done.labelled)
    if done.lengths:
        from curator.versions.lengths import plain_lengths

        shown["lengths"] = plain_lengths(done.lengths)
    return shown | (done.pairing.plain() if done.pairing.pairs else {})


def _describe_lengths(lengths: "Lengths") -> str:
    """Return a line with the tokens of the rows of a kind."""
    from curator.versions.lengths import TOKENIZER

    buckets = ", ".join(f"{name} {rows:,}" for name, rows in lengths.bins if rows)
    return (
        f"Tokens ({TOKENIZER}) of {lengths.kind}: median {lengths.median:,}, maximum "
        f"{lengths.maximum:,}; rows from {buckets}"
    )


def _certified(certificate: "Certificate | None") -> dict[str, Any]:
    return {"certified": certificate.plain()} if certificate else {}


def _print_pairing(done: "Exported") -> None:
    before, after = done.pairing.auc_before, done.pairing.auc_after
    print_line(
        f"{counted(done.pairing.pairs, 'pair')}, {counted(done.pairing.wrong, 'wrong attempt')} "
        "in the store"
    )
    print_line(f"AUC of shortness: {before:.3f} before matching, {after:.3f} after it")


def _print_rates(certificate: "Certificate") -> None:
    """Print the error rates of each function, all kinds of answers together."""
    for name, kinds in certificate.plain().items():
        total = {key: sum(each[key] for each in kinds.values()) for key in _RATES}
        print_line(
            f"{name} rejects {total['rejected']:,} of {total['true_forms']:,} true forms, "
            f"accepts {total['accepted']:,} of {total['near_misses']:,} near misses"
        )


_RATES = ("true_forms", "rejected", "near_misses", "accepted")

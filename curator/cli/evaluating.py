"""Commands that score models: sample, evaluate."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curator.cli.app import (
    DEFAULT_STORE,
    JsonOption,
    MirrorOption,
    Progress,
    StoreOption,
    app,
    show_json,
)
from curator.cli.making import CallsOption, MoneyOption, TokensOption, WorkersOption
from curator.cli.tables import table
from curator.errors import UsageError

if TYPE_CHECKING:
    from curator.samples import Sampled
    from trainers.evaluation import Result, Score

SAMPLES = Path("samples.jsonl")


@app.command(epilog="Example: curator sample my-model --base-url http://localhost:8000/v1 -n 64")
def sample(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Its name at the endpoint; a folder if --local.")
    ],
    sets: Annotated[
        str, typer.Option("--sets", help="Evaluation sets or sources, with commas between.")
    ] = "gsm8k",
    n: Annotated[int, typer.Option("-n", min=1, help="Solutions a problem.")] = 1,
    how: Annotated[
        str,
        typer.Option("--how", help="hybrid (a program, else a worked solution), CoT or PoT."),
    ] = "hybrid",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File of samples to write.")
    ] = Path("samples.jsonl"),
    base_url: Annotated[
        str, typer.Option("--base-url", help="Address of the endpoint, up to and with /v1.")
    ] = "http://localhost:8000/v1",
    local: Annotated[
        bool, typer.Option("--local", help="Serve the model on this machine meanwhile.")
    ] = False,
    key_env: Annotated[
        str, typer.Option("--key-env", help="Variable that holds the endpoint's key.")
    ] = "",
    family: Annotated[
        str, typer.Option("--family", help="Who serves the model; part of every call's key.")
    ] = "local",
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", min=0, help="0 for one solution, 1 for several."),
    ] = None,
    top_p: Annotated[
        float, typer.Option("--top-p", min=0, max=1, help="Nucleus; Liu et al. take 0.95.")
    ] = 0.95,
    max_answer: Annotated[
        int, typer.Option("--max-answer", min=1, help="Tokens of one solution at most.")
    ] = 1024,
    few_shot: Annotated[
        bool, typer.Option("--few-shot", help="Ask by the writers' prompts, with examples.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Problems a set at most.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    mirror: MirrorOption = None,
    workers: WorkersOption = None,
    max_money: MoneyOption = None,
    max_tokens: TokensOption = None,
    max_calls: CallsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sample a model's solutions of problems; run again, it asks only what is missing."""
    from curator.local import serve
    from curator.samples import write_samples
    from curator.sampling import Asked
    from curator.sampling import sample as make
    from curator.teacher import Budget, TeacherSettings
    from datastore.store import Store

    if how not in ("hybrid", "CoT", "PoT"):
        raise UsageError(f"--how: expected hybrid, CoT or PoT, saw '{how}'")
    heat = (0.0 if n == 1 else 1.0) if temperature is None else temperature
    sampling: dict[str, Any] = {"temperature": heat, "max_tokens": max_answer}
    if heat:
        sampling["top_p"] = top_p
    asked = Asked(tuple(sets.split(",")), n, how, few_shot, limit)  # type: ignore[arg-type]
    with ExitStack() as stack:
        progress = stack.enter_context(Progress())
        address = stack.enter_context(serve(model)) if local else base_url
        settings = TeacherSettings(
            model=model, base_url=address, family=family, key_env=key_env, parameters=sampling
        )
        found = make(
            asked,
            settings,
            stack.enter_context(Store(store)),
            mirror=mirror,
            budget=Budget(money=max_money, tokens=max_tokens, calls=max_calls),
            workers=workers,
            listener=progress,
        )
        problems = write_samples(found, output)
    if as_json:
        show_json({"file": str(output), "problems": problems, "samples": problems * n})
    else:
        print(f"Wrote {n:,} samples of each of {problems:,} problems to {output}")


@app.command(epilog="Example: curator evaluate samples.jsonl --name mammoth-7b -o mammoth-7b.json")
def evaluate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="Files of samples; two results with --compare."),
    ],
    name: Annotated[str, typer.Option("--name", help="Of the model, in tables and plots.")] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the result, to be compared.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare two results that were written before.")
    ] = False,
    trained_on: Annotated[
        Path | None,
        typer.Option("--trained-on", help="Release that the model saw: its problems are flagged."),
    ] = None,
    by_group: Annotated[
        bool, typer.Option("--groups", help="Also by field and level of each set.")
    ] = False,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score samples: Pass@k, votes and re-ranking with intervals, by our rule and MAmmoTH's."""
    if compare:
        _compare(files, as_json)
        return
    from curator.answers import Grader
    from curator.progress import counted
    from curator.samples import read_samples
    from curator.sandbox import Sandbox
    from trainers.data import read_release
    from trainers.evaluation import evaluate as score
    from trainers.grading import grade
    from trainers.overlap import seen

    def problems() -> "Iterator[Sampled]":
        for path in files:
            yield from read_samples(path)

    known = None
    if trained_on:
        release = read_release(trained_on)
        known = seen(problems(), (each.asked[-1].content for each in release.examples))
    with Progress() as progress, Sandbox(workers=workers or 2) as box, Grader() as grader:
        graded = grade(counted(problems(), progress, "grading", None, every=20), box, grader)
        result = score(graded, name or files[0].stem, seen=known)
    if output:
        output.write_text(json.dumps(result.plain(), ensure_ascii=False, allow_nan=False) + "\n")
    if as_json:
        show_json(result)
        return
    _print(result, by_group)


def _print(result: "Result", by_group: bool) -> None:
    shown = [score for score in result.scores if by_group or "/" not in score.group]
    table(
        ("set", "metric", "problems", "score", "95% interval"),
        [(s.group, s.metric, s.problems, f"{s.share:.1%}", _interval(s)) for s in shown],
        ("problems", "score"),
        ("set", "metric", "95% interval"),
    )
    undecided = sum(row["undecided"] for row in result.problems)
    if undecided:
        total = sum(row["samples"] for row in result.problems)
        print(f"{undecided:,} of {total:,} answers could not be compared; they count as wrong.")
    flagged = [row["set"] for row in result.problems if row["seen"]]
    if flagged:
        print(f"{len(flagged):,} problems are in the release; 'unseen' leaves them out.")
    for note in result.notes:
        print(note)


def _interval(score: "Score") -> str:
    return f"{score.low:.1%} to {score.high:.1%}"


def _compare(files: list[Path], as_json: bool) -> None:
    from trainers.evaluation import compare as differ
    from trainers.evaluation import read_result

    if len(files) != 2:
        raise UsageError(f"--compare takes two results, saw {len(files)}")
    one, other = (read_result(path) for path in files)
    found = differ(one, other)
    if as_json:
        show_json({"one": one.name, "other": other.name, "differences": found})
        return
    table(
        ("set", "metric", "problems", one.name, other.name, "difference", "95% interval", "p"),
        [
            (
                row["group"],
                row["metric"],
                row["problems"],
                f"{row['one']:.1%}",
                f"{row['other']:.1%}",
                f"{row['gap']:+.1%}",
                f"{row['low']:+.1%} to {row['high']:+.1%}",
                f"{row['p']:.3f}",
            )
            for row in found
        ],
        ("problems", one.name, other.name, "difference", "p"),
        ("set", "metric", "95% interval"),
    )

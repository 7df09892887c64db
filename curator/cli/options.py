"""Arguments and options that several commands share, each declared once."""

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from curator.cli.complete import complete_recipes, complete_versions
from curator.core.errors import UsageError

DEFAULT_STORE = Path(".curator")

StoreOption = Annotated[
    Path,
    typer.Option(
        "--store",
        metavar="DIR",
        help="Folder of the store.",
        envvar="CURATOR_STORE",
        file_okay=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
MirrorOption = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        metavar="DIR",
        help="Folder with local upstream files (sources/NAME/…, evals/NAME/…). "
        "Default: download from the Hub.",
        exists=True,
        file_okay=False,
    ),
]
VERSION = "NAME (its newest version), NAME@NUMBER, NAME@TAG, or the start of a digest."
VersionArgument = Annotated[
    str, typer.Argument(metavar="VERSION", help=VERSION, autocompletion=complete_versions)
]
RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A recipe file, or the name of a shipped recipe.",
        autocompletion=complete_recipes,
    ),
]
MessageOption = Annotated[
    str, typer.Option("-m", "--message", metavar="TEXT", help="Message of the new version.")
]
MissingOption = Annotated[
    bool, typer.Option("--allow-missing", help="Skip sources that cannot be read.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Number of processes that work on rows and run programs. Default: one per CPU core.",
    ),
]
ExecutorOption = Annotated[
    Literal["local", "ray"],
    typer.Option(
        "--executor",
        metavar="NAME",
        help="Where programs and checks run: local (this machine) or ray (a Ray cluster).",
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="ADDRESS",
        help="Address of the Ray cluster. Default: RAY_ADDRESS, or a cluster on this machine.",
    ),
]
UnsafeOption = Annotated[
    bool,
    typer.Option(
        "--unsafe-local", help="Run programs even if this system cannot sandbox them fully."
    ),
]
MoneyOption = Annotated[
    float | None,
    typer.Option(
        "--max-money",
        metavar="N",
        min=0,
        help="Maximum cost of this run's calls, in the currency of the prices.",
    ),
]
TokensOption = Annotated[
    int | None,
    typer.Option(
        "--max-tokens", metavar="N", min=0, help="Maximum number of tokens in this run's calls."
    ),
]
CallsOption = Annotated[
    int | None,
    typer.Option("--max-calls", metavar="N", min=0, help="Maximum number of calls in this run."),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output file if it exists.")
]
SetsOption = Annotated[
    str,
    typer.Option(
        "--sets",
        metavar="NAMES",
        help="Evaluation sets or sources, separated by commas; sources/gsm8k is the training set. "
        "'curator sample' also takes files of problems.",
    ),
]
ColumnsOption = Annotated[
    str,
    typer.Option(
        "--columns",
        metavar="LIST",
        help="Columns of your own file: question=COLUMN,gold=COLUMN, and choices or field; for "
        "'curator evaluate' also response or thought.",
    ),
]
HowOption = Annotated[
    Literal["hybrid", "CoT", "PoT"],
    typer.Option(
        "--how",
        metavar="FORM",
        help="Form of the solutions: CoT (text), PoT (program), or hybrid (a program; text if "
        "the program fails).",
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help="Maximum number of problems per set."),
]
AnswerOption = Annotated[
    int, typer.Option("--max-answer", metavar="N", min=1, help="Maximum tokens per sample.")
]
TrainingOption = Annotated[
    str,
    typer.Option("--training", metavar="RECIPE", help="Training recipe, the same for all models."),
]
BaseModelOption = Annotated[
    str,
    typer.Option(
        "--model", metavar="MODEL", help="Base model. Default: that of the training recipe."
    ),
]
ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        metavar="COMMAND",
        help="Command that serves a local model, such as 'vllm serve {model} --host 127.0.0.1 "
        "--port {port}'.",
    ),
]
HeldOutOption = Annotated[
    float,
    typer.Option(
        "--held-out",
        metavar="SHARE",
        min=0,
        max=0.5,
        help="Share of questions to hold out: their rows go to the split 'validation', which is a "
        "file of its own except in a folder for the Hub.",
    ),
]

CertifyOption = Annotated[
    str,
    typer.Option(
        "--certify",
        metavar="GRADERS",
        help="Ask reward functions, separated by commas, about true forms and near misses of each "
        "gold: curator, math-verify, trl, verl. Prompts that one of them misjudges are left out; "
        "cards state the error rates.",
    ),
]


def refuse_without_effect(context: typer.Context, names: Iterable[str], where: str) -> None:
    """Raise UsageError if one of these parameters was given, which have no effect `where`.

    A default that is written out is the default.
    """
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in names or not source or source.name != "COMMANDLINE":
            continue
        if context.params[name] != parameter.get_default(context):
            raise UsageError(f"{parameter.opts[-1]} has no effect {where}. Leave it out.")


RUN_FLAGS: dict[str, dict[str, Any]] = {
    "mirror": {"mirror": MirrorOption},
    "allow_missing": {"allow_missing": MissingOption},
    "workers": {"workers": WorkersOption},
    "executor": {"executor": ExecutorOption, "address": AddressOption},
    "unsafe_local": {"unsafe_local": UnsafeOption},
    "budget": {"max_money": MoneyOption, "max_tokens": TokensOption, "max_calls": CallsOption},
}
"""Command-line flags by the field of `RunOptions` that they set."""


def run_options(*fields: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the flags of these fields of `RunOptions` to a command, in front of `--store`.

    The command receives their values as one parameter, `options: RunOptions`.
    """
    flags = {flag: kind for field in fields for flag, kind in RUN_FLAGS[field].items()}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**values: Any) -> None:
            from curator.pipeline.run_options import RunOptions
            from curator.teacher import Budget

            chosen = {flag: values.pop(flag) for flag in flags}
            if chosen.get("address") and chosen["executor"] != "ray":
                raise UsageError("--address has no effect without --executor ray. Add it.")
            if "budget" in fields:
                limits = {name: chosen.pop(f"max_{name}") for name in ("money", "tokens", "calls")}
                chosen["budget"] = Budget(**limits)
            command(**values, options=RunOptions(**chosen))

        parameters = []
        for each in signature(command).parameters.values():
            if each.name == "store":
                parameters += [_parameter(flag, kind) for flag, kind in flags.items()]
            if each.name != "options":
                parameters.append(each.replace(kind=Parameter.KEYWORD_ONLY))
        # Typer reads the signature and the annotations.
        run.__signature__ = signature(command).replace(  # type: ignore[attr-defined]
            parameters=parameters
        )
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


def _parameter(flag: str, kind: Any) -> Parameter:
    kind_of_value = get_args(kind)[0]
    choices = get_args(kind_of_value) if get_origin(kind_of_value) is Literal else ()
    default = False if kind_of_value is bool else next(iter(choices), None)
    return Parameter(flag, Parameter.KEYWORD_ONLY, default=default, annotation=kind)

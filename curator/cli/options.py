"""Options and arguments that several commands have, each declared once."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

DEFAULT_STORE = Path(".curator")

StoreOption = Annotated[
    Path,
    typer.Option("--store", help="Folder of the store.", envvar="CURATOR_STORE", file_okay=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
MirrorOption = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        help="Folder of upstream files: sources/NAME/FILE, evals/NAME/FILE. The Hub without it.",
        exists=True,
        file_okay=False,
    ),
]
VERSION = "NAME (the newest), NAME@NUMBER, or the start of a digest."
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help=VERSION)]
RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe's file, or the name of a shipped recipe.")
]
MessageOption = Annotated[str, typer.Option("-m", "--message", help="Why this version.")]
MissingOption = Annotated[
    bool,
    typer.Option("--allow-missing", help="Leave out what cannot be reached, and say so."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes that run programs; one a core by default."),
]
UnsafeOption = Annotated[
    bool,
    typer.Option("--unsafe-local", help="Run programs even where this system cannot jail them."),
]
MoneyOption = Annotated[
    float | None,
    typer.Option("--max-money", min=0, help="Stop before this build spends more on its teacher."),
]
TokensOption = Annotated[
    int | None, typer.Option("--max-tokens", min=0, help="Stop before it spends more tokens.")
]
CallsOption = Annotated[
    int | None, typer.Option("--max-calls", min=0, help="Stop before it makes more calls.")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the file.")]
SetsOption = Annotated[
    str, typer.Option("--sets", help="Evaluation sets or sources, with commas between.")
]
HowOption = Annotated[
    Literal["hybrid", "CoT", "PoT"],
    typer.Option(
        "--how", metavar="HOW", help="hybrid (a program, else a worked solution), CoT or PoT."
    ),
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Problems a set at most.")]
AnswerOption = Annotated[
    int, typer.Option("--max-answer", min=1, help="Tokens of one solution at most.")
]
ServerOption = Annotated[
    str,
    typer.Option("--server", help="Command that serves a local model: vllm serve {model} …"),
]


HeldOutOption = Annotated[
    float,
    typer.Option(
        "--held-out",
        min=0,
        max=0.5,
        help="Share of questions whose rows go to the split 'validation' (hub only).",
    ),
]

RUN_FLAGS: dict[str, dict[str, Any]] = {
    "mirror": {"mirror": MirrorOption},
    "allow_missing": {"allow_missing": MissingOption},
    "workers": {"workers": WorkersOption},
    "unsafe_local": {"unsafe_local": UnsafeOption},
    "budget": {"max_money": MoneyOption, "max_tokens": TokensOption, "max_calls": CallsOption},
}
"""Flags of the command line by the field of `RunOptions` that they set."""


def run_options(*fields: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of these fields of `RunOptions`.

    The command receives what the user chose as its parameter `options`, a `RunOptions`.
    """
    flags = {flag: kind for field in fields for flag, kind in RUN_FLAGS[field].items()}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**values: Any) -> None:
            from curator.pipeline.run_options import RunOptions
            from curator.teacher import Budget

            chosen = {flag: values.pop(flag) for flag in flags}
            if "budget" in fields:
                limits = {name: chosen.pop(f"max_{name}") for name in ("money", "tokens", "calls")}
                chosen["budget"] = Budget(**limits)
            command(**values, options=RunOptions(**chosen))

        own = [each for each in signature(command).parameters.values() if each.name != "options"]
        more = [
            Parameter(
                flag,
                Parameter.KEYWORD_ONLY,
                default=False if bool in get_args(kind) else None,
                annotation=kind,
            )
            for flag, kind in flags.items()
        ]
        # Typer reads both.
        parameters = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own] + more
        run.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": None}
        return run

    return decorate

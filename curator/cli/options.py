"""Options and arguments that several commands have."""

from pathlib import Path
from typing import Annotated, Literal

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

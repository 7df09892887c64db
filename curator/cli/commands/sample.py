"""The command `curator sample`."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, make_room, show_json, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    AnswerOption,
    HowOption,
    JsonOption,
    LimitOption,
    ServerOption,
    SetsOption,
    StoreOption,
    run_options,
)

if TYPE_CHECKING:
    from curator.pipeline.run_options import RunOptions


SAMPLES = Path("samples.jsonl")

SamplesOption = Annotated[Path, typer.Option("-o", "--output", help="File of samples to write.")]

# The endpoint and how it is asked.
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Its name at the endpoint; a folder if --local.")
]
AddressOption = Annotated[
    str, typer.Option("--base-url", help="Address of the endpoint, up to and with /v1.")
]
KeyOption = Annotated[
    str, typer.Option("--key-env", help="Variable that holds the endpoint's key.")
]
FamilyOption = Annotated[
    str, typer.Option("--family", help="Who serves the model; part of every call's key.")
]
TemperatureOption = Annotated[
    float | None,
    typer.Option("--temperature", min=0, help="0 for one solution, 1 for several."),
]
NucleusOption = Annotated[
    float, typer.Option("--top-p", min=0, max=1, help="Nucleus; Liu et al. take 0.95.")
]
LocalOption = Annotated[
    bool, typer.Option("--local", help="Serve the model on this machine meanwhile.")
]
ExamplesOption = Annotated[
    bool, typer.Option("--few-shot", help="Ask by the writers' prompts, with examples.")
]


@app.command(epilog="Example: curator sample my-model --base-url http://localhost:8000/v1 -n 64")
@run_options("mirror", "workers", "budget")
def sample(
    model: ModelArgument,
    options: "RunOptions",
    sets: SetsOption = "gsm8k",
    n: Annotated[int, typer.Option("-n", min=1, help="Solutions a problem.")] = 1,
    how: HowOption = "hybrid",
    output: SamplesOption = SAMPLES,
    base_url: AddressOption = "http://localhost:8000/v1",
    local: LocalOption = False,
    server: ServerOption = "",
    key_env: KeyOption = "",
    family: FamilyOption = "local",
    temperature: TemperatureOption = None,
    top_p: NucleusOption = 0.95,
    max_answer: AnswerOption = 1024,
    few_shot: ExamplesOption = False,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Sample a model's solutions of problems; run again, it asks only what is missing."""
    from curator.core.samples import write_samples
    from curator.pipeline.sample import SampleRequest, decoding, endpoint, known_sets
    from curator.pipeline.sample import sample as make
    from curator.teacher.local_server import COMMAND, contents, serve
    from datastore.store import Store

    make_room(output)
    sampling = decoding(n, temperature, top_p, max_answer)
    asked = SampleRequest(tuple(sets.split(",")), n, how, few_shot, limit)
    known_sets(asked)  # before a model is loaded
    with ExitStack() as stack:
        options = stack.enter_context(show_progress(options))
        opened = stack.enter_context(Store(store))
        address = base_url
        if local or server:
            family = f"{family} {contents(model)}".strip()
            address = stack.enter_context(serve(model, server or COMMAND))
        settings = endpoint(
            model=model, base_url=address, family=family, key_env=key_env, parameters=sampling
        )
        problems = write_samples(make(asked, settings, opened, options), output)
    if as_json:
        show_json({"file": str(output), "problems": problems, "samples": problems * n})
    else:
        print(f"Wrote {n:,} samples of each of {problems:,} problems to {output}")

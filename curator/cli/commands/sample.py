"""The command `curator sample`."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, make_parents, show_json, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    AnswerOption,
    ColumnsOption,
    HowOption,
    JsonOption,
    LimitOption,
    ServerOption,
    SetsOption,
    StoreOption,
    refuse_without_effect,
    run_options,
)
from curator.cli.terminal import print_line
from curator.core.words import counted

if TYPE_CHECKING:
    from curator.pipeline.run_options import RunOptions


SAMPLES = Path("samples.jsonl")

SamplesOption = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Output file.")]

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="Name of the model at its endpoint; with --local, a folder."
    ),
]
AddressOption = Annotated[
    str,
    typer.Option("--base-url", metavar="URL", help="Address of the endpoint, including /v1."),
]
KeyOption = Annotated[
    str,
    typer.Option(
        "--key-env", metavar="NAME", help="Environment variable with the endpoint's API key."
    ),
]
FamilyOption = Annotated[
    str,
    typer.Option(
        "--family",
        metavar="NAME",
        help="Provider of the model. Calls are cached per family and model.",
    ),
]
TemperatureOption = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="N",
        min=0,
        help="Sampling temperature. Default: 0 for one sample per problem, 1 for several.",
    ),
]
NucleusOption = Annotated[
    float,
    typer.Option(
        "--top-p", metavar="P", min=0, max=1, help="Nucleus sampling; not used at temperature 0."
    ),
]
ConcurrencyOption = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        metavar="N",
        min=1,
        max=4096,
        help="Maximum number of calls in flight. Default: 256; fewer if the endpoint is busy.",
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.1,
        max=7200,
        help="Timeout per attempt of a call. Default: 300.",
    ),
]
LocalOption = Annotated[
    bool, typer.Option("--local", help="Serve the model on this machine while sampling.")
]
ExamplesOption = Annotated[
    bool,
    typer.Option(
        "--few-shot",
        help="Use the few-shot prompts of writers cot and pot. Default: the instruction alone.",
    ),
]


@app.command(epilog="Example: curator sample my-model --base-url http://localhost:8000/v1 -n 64")
@run_options("mirror", "workers", "budget")
def sample(
    context: typer.Context,
    model: ModelArgument,
    options: "RunOptions",
    sets: SetsOption = "gsm8k",
    columns: ColumnsOption = "question=question,gold=gold",
    n: Annotated[int, typer.Option("-n", metavar="N", min=1, help="Samples per problem.")] = 1,
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
    concurrency: ConcurrencyOption = None,
    timeout: TimeoutOption = None,
    few_shot: ExamplesOption = False,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Sample solutions of evaluation problems from a model.

    Calls are cached in the store. Rerun the command to resume, or with a larger -n to add samples.
    """
    from curator.core.samples import write_samples
    from curator.pipeline.sample import (
        PROBLEM_COLUMNS,
        SampleRequest,
        endpoint_settings,
        find_sets,
        sampling_parameters,
    )
    from curator.pipeline.sample import sample as run_sample
    from curator.sources import parse_columns
    from curator.teacher.local_server import COMMAND, digest_model, serve
    from datastore.store import Store

    make_parents(output)
    parameters = sampling_parameters(n, temperature, top_p, max_answer)
    named = parse_columns(columns, PROBLEM_COLUMNS)
    request = SampleRequest(tuple(sets.split(",")), n, how, few_shot, limit, named)
    named_sets = find_sets(request)  # before a model is loaded
    if local or server:
        where = "with --local or --server, which serve the model themselves"
        refuse_without_effect(context, ["base_url", "key_env"], where)
    if not parameters["temperature"]:
        refuse_without_effect(context, ["top_p"], "at temperature 0, the default for one sample")
    if not any(each.local for each in named_sets):
        refuse_without_effect(context, ["columns"], "without a file of problems in --sets")
    with ExitStack() as stack:
        options = stack.enter_context(show_progress(options))
        opened = stack.enter_context(Store(store))
        address = base_url
        if local or server:
            family = f"{family} {digest_model(model)}".strip()
            address = stack.enter_context(serve(model, server or COMMAND))
        delivery = {"concurrency": concurrency, "timeout_s": timeout}
        settings = endpoint_settings(
            model=model,
            base_url=address,
            family=family,
            key_env=key_env,
            parameters=parameters,
            **{key: value for key, value in delivery.items() if value is not None},
        )
        problems = write_samples(run_sample(request, settings, opened, options), output)
    if as_json:
        show_json({"file": str(output), "problems": problems, "samples": problems * n})
    else:
        print_line(
            f"Wrote {counted(n, 'sample')} for each of {counted(problems, 'problem')} to {output}"
        )

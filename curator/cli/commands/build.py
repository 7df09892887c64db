"""The command `curator build`."""

import shlex
import sys

from curator.cli.app import Progress, app
from curator.cli.options import (
    DEFAULT_STORE,
    CallsOption,
    JsonOption,
    MessageOption,
    MirrorOption,
    MissingOption,
    MoneyOption,
    RecipeArgument,
    StoreOption,
    TokensOption,
    UnsafeOption,
    WorkersOption,
)
from curator.cli.render import show_manifest


@app.command(epilog="Example: curator build recipes/mathinstruct.yaml --mirror data")
def build(
    recipe: RecipeArgument,
    store: StoreOption = DEFAULT_STORE,
    mirror: MirrorOption = None,
    allow_missing: MissingOption = False,
    message: MessageOption = "",
    workers: WorkersOption = None,
    unsafe_local: UnsafeOption = False,
    max_money: MoneyOption = None,
    max_tokens: TokensOption = None,
    max_calls: CallsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a recipe into a version; running it again goes on where it was stopped."""
    from curator.pipeline.build import build as make
    from curator.teacher import Budget

    with Progress() as progress:
        manifest = make(
            recipe,
            store,
            mirror=mirror,
            allow_missing=allow_missing,
            workers=workers,
            message=message,
            listener=progress,
            unsafe_local=unsafe_local,
            budget=Budget(money=max_money, tokens=max_tokens, calls=max_calls),
        )
    show_manifest(manifest, as_json)
    if not as_json:
        where = "" if store == DEFAULT_STORE else f" --store {shlex.quote(str(store))}"
        print(
            f"Look closer: curator show {manifest.ref}{where}, "
            f"curator sql 'FROM verdicts LIMIT 9'{where}",
            file=sys.stderr,
        )

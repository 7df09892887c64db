"""The command `curator schema`."""

from curator.cli.app import app, show_json


@app.command(epilog="Example: curator schema > recipe.schema.json")
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from curator.recipe.load import schema as make_schema

    show_json(make_schema())

"""Where the shipped recipes and samples lie, in a checkout and in an installed package alike."""

from pathlib import Path

from curator.core.errors import CuratorError


def recipes_folder() -> Path:
    """The folder of the shipped recipes; their samples are in its subfolder `samples`.

    An installed package carries it inside `curator`, a checkout or an editable install beside it.
    """
    package = Path(__file__).resolve().parents[1]
    folders = (package / "_recipes", package.parent / "recipes")
    for folder in folders:
        if folder.is_dir():
            return folder
    places = " or ".join(str(folder) for folder in folders)
    raise CuratorError(f"The shipped recipes are missing: expected them in {places}. Reinstall.")

"""Locates the shipped recipes and samples, in a checkout and in an installed package."""

from pathlib import Path

from curator.core.errors import CuratorError


def recipes_folder() -> Path:
    """Return the folder of the shipped recipes. Its subfolder `samples` has their samples.

    In an installed package it is inside the folder `curator`, in a checkout beside it.
    """
    package = Path(__file__).resolve().parents[1]
    folders = (package / "_recipes", package.parent / "recipes")
    for folder in folders:
        if folder.is_dir():
            return folder
    places = " or ".join(str(folder) for folder in folders)
    raise CuratorError(
        f"The shipped recipes are missing: expected them in {places}. Reinstall Curator."
    )

"""The option `--data` of the measurements that read real files."""

import argparse
from collections.abc import Callable
from pathlib import Path


def add_data_option(parser: argparse.ArgumentParser, *parts: str) -> None:
    """Add the required option `--data DIR`: a folder with these subfolders, none of them empty."""
    names = " and ".join(f"{part}/" for part in parts)
    parser.add_argument(
        "--data", type=_folder_with(parts), required=True, help=f"Folder with {names}."
    )


def _folder_with(parts: tuple[str, ...]) -> Callable[[str], Path]:
    def read(text: str) -> Path:
        folder = Path(text)
        for part in parts:
            if not any((folder / part).glob("*/*")):
                raise argparse.ArgumentTypeError(f"expected files in {folder / part}, saw none")
        return folder

    return read

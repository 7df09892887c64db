"""Validate the manifest of a pulled release.

In: the bytes of `manifest.json`. Out: a typed manifest, or HubError naming what is wrong. The
digest is recomputed, and texts with control characters, which a terminal would obey, are rejected.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Annotated, Any

from pydantic import Field, ValidationError

from curator.core.errors import HubError
from curator.core.json_text import parse_json
from curator.recipe.schema import Recipe
from curator.recipe.upgrade import upgrade_recipe
from curator.release.folder import DATA, FORMAT, READ_FORMATS
from curator.versions.content import Content, JsonObject, Natural
from datastore.files import canonical_json
from datastore.text import check_storable

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class ReleaseFile(JsonObject):
    """A file of a release as its manifest lists it."""

    bytes: Natural
    sha256: str
    rows: Natural = 0


class ReleaseManifest(JsonObject):
    """The `manifest.json` of a release."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    number: Annotated[int, Field(ge=1, le=10**9)]
    digest: str
    files: dict[str, ReleaseFile]
    content: Content

    @property
    def data_files(self) -> dict[str, list[str]]:
        """Paths of the Parquet files of each subset, in order; other files have no rows."""
        paths: dict[str, list[str]] = {}
        for path in sorted(self.files):
            if (match := DATA.fullmatch(path)) and match[1] in self.content.subsets:
                paths.setdefault(match[1], []).append(path)
        return paths


def read_manifest(data: bytes, repo: str) -> ReleaseManifest:
    """Read a `manifest.json` that is valid and matches its own digest, or raise HubError."""
    try:
        values = parse_json(data)
        if not isinstance(values, dict) or values.get("format") not in READ_FORMATS:
            raise HubError(
                f"{repo}: manifest.json has an unsupported format (this version of Curator reads "
                f"'{FORMAT}' and older). Upgrade Curator."
            )
        _check_texts(values, repo)
        manifest = ReleaseManifest.model_validate(values)
        if sha256(canonical_json(manifest.content.plain())).hexdigest() != manifest.digest:
            raise HubError(f"{repo}: the content of manifest.json does not match its digest")
        _check_content(manifest.content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:100]
        raise HubError(
            f"{repo}: manifest.json is not valid at {place!a} ({first['type']}). "
            "Another version of Curator may have written it."
        ) from None
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise HubError(f"{repo}: manifest.json is damaged ({type(error).__name__})") from None
    return manifest


def _check_texts(values: dict[str, Any], repo: str) -> None:
    try:
        check_storable(values)
    except ValueError as error:
        raise HubError(
            f"{repo}: manifest.json cannot be stored: {error}. Nothing was pulled."
        ) from None


def _check_content(content: Content) -> None:
    """Raise ValueError, LookupError or RecursionError where its parts contradict each other."""
    order, subsets = content.order, set(content.recipe.subsets)
    if not (subsets == set(order) == set(content.subsets)) or len(order) != len(subsets):
        raise ValueError("subsets differ")
    recipe = upgrade_recipe(content.recipe.plain())
    if Recipe.model_validate(recipe).canonical() != recipe:
        raise ValueError("recipe not canonical")
    if _CONTROL.search(" ".join(_texts(content.plain()))):
        raise ValueError("control characters")
    for subset in order:
        if content.source_name(subset) not in content.sources:
            raise LookupError(subset)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from (text for each in value.items() for text in _texts(list(each)))
        case list():
            yield from (text for each in value for text in _texts(each))

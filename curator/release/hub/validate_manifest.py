"""Whether what stands in a pulled release is what a release may say: its manifest and its rows.

In: bytes of `manifest.json`, Parquet files. Out: checked values, or HubError naming what differs.
Ids are computed again from content; texts that could drive a terminal are refused.
"""

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Annotated, Any

from pydantic import Field, ValidationError

from curator.core.errors import HubError
from curator.recipe.schema import Recipe
from curator.release.folder import DATA, FORMAT
from curator.versions.content import Natural, _Content, _Part
from curator.versions.queries import source_name
from datastore.files import canonical
from datastore.versions import Manifest

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class _File(_Part):
    bytes: Natural
    sha256: str
    rows: Natural = 0


class _Manifest(_Part):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    number: Annotated[int, Field(ge=1)]
    digest: str
    files: dict[str, _File]
    content: _Content


def read_manifest(data: bytes, repo: str) -> dict[str, Any]:
    """What a `manifest.json` says, if it is whole and true to its own digest."""
    try:
        said = json.loads(data)
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise HubError(
                f"{repo}: manifest.json is none of this release of Curator, which reads "
                f"'{FORMAT}'; a newer Curator may read it"
            )
        _Manifest.model_validate(said)
        content: dict[str, Any] = said["content"]
        if sha256(canonical(content)).hexdigest() != said["digest"]:
            raise HubError(f"{repo}: the content in manifest.json does not have its digest")
        _check_content(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:100]
        raise HubError(
            f"{repo}: manifest.json is not as expected at {place!a} ({first['type']}); "
            "another release of Curator may have written it"
        ) from None
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise HubError(f"{repo}: manifest.json is damaged ({type(error).__name__})") from None
    return said


def _check_content(content: dict[str, Any]) -> None:
    """ValueError, LookupError or RecursionError where its parts do not fit together."""
    recipe, order = content["recipe"], content["order"]
    subsets = set(recipe["subsets"])
    if not (subsets == set(order) == set(content["subsets"])) or len(order) != len(subsets):
        raise ValueError("subsets differ")
    if Recipe.model_validate(recipe).canonical() != recipe:
        raise ValueError("recipe not canonical")
    if _UNSEEN.search(" ".join(_texts(content))):
        raise ValueError("control signs")
    version = Manifest("pulled", 1, "", None, "", content, {})
    for subset in order:
        if source_name(version, subset) not in content["sources"]:
            raise LookupError(subset)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from (text for each in value.items() for text in _texts(list(each)))
        case list():
            yield from (text for each in value for text in _texts(each))


def data_files(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """Paths of the Parquet files of each subset, in order; other files hold no row."""
    found: dict[str, list[str]] = {}
    for path in sorted(manifest["files"]):
        if (named := DATA.fullmatch(path)) and named[1] in manifest["content"]["subsets"]:
            found.setdefault(named[1], []).append(path)
    return found

"""The card of a release, by the Hub client's card classes, merged with what a person wrote.

In: a version, counts of its rows, its licence. Out: the text of README.md. Ours is what stands
between the two marks and the metadata keys `OWNED`; a merge leaves everything else as it is.
"""

from collections.abc import Iterable
from typing import Any

from curator.core.errors import HubError
from curator.release.card_sections import (
    citations,
    contamination,
    plain,
    proofs,
    rebuild,
    subsets_table,
)
from curator.release.counts import ReleaseCounts
from curator.release.licence import Licence
from curator.versions.content import Content, content_of
from datastore.versions import Manifest

BEGIN, END = "<!-- curator:begin -->", "<!-- curator:end -->"

OWNED = (
    "license",
    "license_name",
    "license_link",
    "language",
    "task_categories",
    "size_categories",
    "configs",
)
"""Metadata that a publish writes anew; `tags` are added to, `pretty_name` is only filled in."""

TAGS = ("math", "mathematics", "instruction-tuning", "chain-of-thought", "program-of-thought")
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
LARGER = ((10**7, "1M<n<10M"), (10**8, "10M<n<100M"), (10**9, "100M<n<1B"))


def card(
    version: Manifest, facts: ReleaseCounts, licence: Licence, shards: Iterable[str], repo: str = ""
) -> str:
    """The whole card of a release that has none yet."""
    from huggingface_hub import DatasetCard, DatasetCardData

    values = metadata(version, facts, licence, shards)
    data = DatasetCardData(**values)
    body = f"{BEGIN}\n{section(version, facts, licence, repo or 'ORG/NAME')}\n{END}"
    return str(DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


def merged(existing: str, ours: str) -> str:
    """An existing card with our section and metadata in place of the older ones.

    Without our marks the section is put at the end. Raises HubError if the existing card cannot be
    taken apart safely.
    """
    from huggingface_hub import DatasetCard

    new = DatasetCard(ours)
    try:
        old = DatasetCard(existing, ignore_metadata_errors=True)
    except Exception as error:  # YAML's, or whatever a value of another's card sets off
        first = (str(error).splitlines() or [""])[0][:120]
        raise HubError(
            f"The card there has metadata that cannot be read ({type(error).__name__}: {first}); "
            "mend the head of its README.md, then publish again"
        ) from None
    for key in OWNED:
        old.data.pop(key)
    ours_data: dict[str, Any] = new.data.to_dict()  # type: ignore[no-untyped-call]
    for key, value in ours_data.items():
        if key == "tags":
            old.data[key] = list(dict.fromkeys([*(old.data.get(key) or []), *value]))
        elif key in OWNED or old.data.get(key) is None:
            old.data[key] = value
    old.text = _placed(old.text, _section(new.text))
    return str(old)


def _section(text: str) -> str:
    start, end = text.index(BEGIN), text.index(END)
    return text[start : end + len(END)]


def _placed(text: str, section: str) -> str:
    marks = (text.count(BEGIN), text.count(END))
    if marks == (0, 0):
        return f"{text.rstrip()}\n\n{section}\n" if text.strip() else f"\n{section}\n"
    start, end = text.find(BEGIN), text.find(END)
    if marks != (1, 1) or end < start:
        raise HubError(
            f"The card there has {marks[0]} '{BEGIN}' and {marks[1]} '{END}', expected one of each "
            "in this order; mend its README.md, then publish again"
        )
    return text[:start] + section + text[end + len(END) :]


def metadata(
    version: Manifest, facts: ReleaseCounts, licence: Licence, shards: Iterable[str]
) -> dict[str, Any]:
    """The metadata of a card: the Hub's filters and viewer, and `load_dataset`, read it."""
    license_ = licence.license
    values: dict[str, Any] = {
        "pretty_name": version.name,
        "license": license_ if isinstance(license_, str) else list(license_),
    }
    if licence.license_name:
        values["license_name"] = licence.license_name
    return values | {
        "language": ["en"],
        "task_categories": ["text-generation", "question-answering"],
        "size_categories": [_size(facts.rows)],
        "tags": list(TAGS),
        "configs": configs(shards),
    }


def configs(shards: Iterable[str]) -> list[dict[str, Any]]:
    """`default` with the rows of all subsets in the order of the version, and one a subset."""
    splits: dict[str, dict[str, list[str]]] = {}
    for path in shards:
        _, subset, name = path.split("/")
        split = name.partition("-")[0]
        for config in ("default", subset):
            patterns = splits.setdefault(config, {}).setdefault(split, [])
            if (pattern := f"data/{subset}/{split}-*.parquet") not in patterns:
                patterns.append(pattern)
    return [
        {
            "config_name": config,
            "data_files": [
                {"split": split, "path": paths if config == "default" else paths[0]}
                for split, paths in sorted(files.items())
            ],
        }
        | ({"default": True} if config == "default" else {})
        for config, files in splits.items()
    ]


def _size(rows: int) -> str:
    return next((name for bound, name in (*SIZES, *LARGER) if rows < bound), "n>1T")


def section(version: Manifest, facts: ReleaseCounts, licence: Licence, repo: str) -> str:
    """Our part of a card in Markdown. Texts of others are escaped."""
    content = content_of(version)
    parts = [
        f"# {plain(version.name)}\n\n{plain(content.recipe.about)}. "
        f"{facts.rows:,} rows, version {plain(version.ref)}, digest `{version.digest}`.\n\n"
        "This part is written by `curator publish`; what stands outside of its marks is kept.",
        f"## Licence\n\n{_licence_text(facts, licence)}",
        f"## Subsets\n\n{subsets_table(content, facts)}",
        f"## How the rows were proved\n\n{proofs(content, facts)}",
        f"## Teacher\n\n{_teacher(content)}",
        f"## Contamination\n\n{contamination(content)}",
        f"## Limits\n\n{LIMITS}",
        f"## Rebuild and compare\n\n{rebuild(version, repo)}",
        f"## Sources and citations\n\n{citations(content, facts)}",
    ]
    return "\n\n".join(parts)


LIMITS = """\
- A proof is about the final answer. A text may reach it by a wrong step.
- Gold answers are upstream's and are wrong at times.
- The contamination screen does not see paraphrases, translations or questions in pictures.
- All is in English."""


def _licence_text(facts: ReleaseCounts, licence: Licence) -> str:
    lines = [f"| {plain(name) or 'none stated'} | {n:,} |" for name, n in facts.licences.items()]
    table = "\n".join(["| licence of the source | rows |", "|---|---:|", *lines])
    told = "Each row keeps the licence of its source, in the column `licence`."
    if licence.conflict:
        told += f" **No permissive licence stands on the whole:** {plain(licence.conflict)}."
    return f"{told}\n\n{table}"


def _teacher(content: Content) -> str:
    teacher = content.teacher
    if not teacher:
        return "No model was asked for this version; a source may hold what other models wrote."
    if teacher.replay:
        return (
            f"Solutions of a teacher come from recorded calls ({plain(teacher.model)}), "
            "replayed: no model was asked for this version."
        )
    parameters = ", ".join(f"{key} {value}" for key, value in teacher.parameters.items())
    told = f"Solutions of a teacher were written by {plain(teacher.model)}"
    return (
        f"{told}{f' ({plain(parameters)})' if parameters else ''}. Its provider's terms may bind "
        "what is done with them."
    )

"""Generate the card (README.md) of a release and merge it with the text that people wrote.

In: a version, counts of its rows, its licence. Out: the text of README.md. Generated are the
section between two marks and the metadata keys `OWNED`; a merge changes nothing else.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from curator.core.errors import HubError
from curator.core.escape import for_markdown
from curator.core.words import counted
from curator.release.card_sections import (
    citations,
    contamination,
    evidence,
    kinds,
    languages,
    lengths,
    rebuild,
    subsets_table,
)
from curator.release.card_training import attempts, rewards, training
from curator.release.counts import ReleaseCounts
from curator.release.licence import Licence
from curator.release.measures import Measures
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
"""Metadata keys that a publish replaces. `tags` are extended, `pretty_name` is set if missing."""

TAGS = ("math", "mathematics")
KIND_TAGS = {
    "CoT": "chain-of-thought",
    "PoT": "program-of-thought",
    "TIR": "tool-integrated-reasoning",
}
"""A further tag by the kind of rows; `instruction-tuning` unless all rows are questions alone."""
LANGUAGE_SHARE = 0.01
"""Minimum share of the rows for a language to be in the metadata."""
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
LARGER = ((10**7, "1M<n<10M"), (10**8, "10M<n<100M"), (10**9, "100M<n<1B"))


def card(
    version: Manifest,
    counts: ReleaseCounts,
    licence: Licence,
    shards: Iterable[str],
    repo: str = "",
    measures: Measures | None = None,
) -> str:
    """Return the card of a release for a repository without one."""
    from huggingface_hub import DatasetCard, DatasetCardData

    values = metadata(version, counts, licence, shards)
    data = DatasetCardData(**values)
    found = measures or Measures()
    section = generated_section(version, counts, licence, repo or "ORG/NAME", found)
    body = f"{BEGIN}\n{section}\n{END}"
    return str(DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


def merge_card(existing: str, generated: str, owned: Sequence[str] = OWNED) -> str:
    """Return an existing card with its generated section and the `owned` metadata replaced.

    The card is that of a dataset or, with other keys, of a model. If it has no marks, the section
    is appended. Raises HubError if the card cannot be parsed safely.
    """
    from huggingface_hub import DatasetCard

    new = DatasetCard(generated)
    try:
        old = DatasetCard(existing, ignore_metadata_errors=True)
    except Exception as error:  # of YAML, or of the card classes for a value of any type
        first = (str(error).splitlines() or [""])[0][:120]
        raise HubError(
            f"The metadata of the existing card cannot be read ({type(error).__name__}: {first}). "
            "Correct the head of its README.md, then publish again."
        ) from None
    for key in owned:
        old.data.pop(key)
    new_data: dict[str, Any] = new.data.to_dict()  # type: ignore[no-untyped-call]
    for key, value in new_data.items():
        if key == "tags":
            old.data[key] = list(dict.fromkeys([*(old.data.get(key) or []), *value]))
        elif key in owned or old.data.get(key) is None:
            old.data[key] = value
    old.text = _replace_section(old.text, _extract_section(new.text))
    return str(old)


def _extract_section(text: str) -> str:
    start, end = text.index(BEGIN), text.index(END)
    return text[start : end + len(END)]


def _replace_section(text: str, section: str) -> str:
    marks = (text.count(BEGIN), text.count(END))
    if marks == (0, 0):
        return f"{text.rstrip()}\n\n{section}\n" if text.strip() else f"\n{section}\n"
    start, end = text.find(BEGIN), text.find(END)
    if marks != (1, 1) or end < start:
        raise HubError(
            f"The existing card has {marks[0]} '{BEGIN}' and {marks[1]} '{END}'; expected one of "
            "each in this order. Correct its README.md, then publish again."
        )
    return text[:start] + section + text[end + len(END) :]


def metadata(
    version: Manifest, counts: ReleaseCounts, licence: Licence, shards: Iterable[str]
) -> dict[str, Any]:
    """Return the metadata of a card, for the Hub's filters and viewer and for `load_dataset`."""
    license_ = licence.license
    values: dict[str, Any] = {
        "pretty_name": version.name,
        "license": license_ if isinstance(license_, str) else list(license_),
    }
    if licence.license_name:
        values["license_name"] = licence.license_name
    least = LANGUAGE_SHARE * counts.rows
    if found := [code for code, rows in counts.languages.items() if rows >= least]:
        values["language"] = found
    found_kinds = kinds(counts)
    tags = ["instruction-tuning"] if found_kinds != {"question"} else []
    tags += [tag for kind, tag in KIND_TAGS.items() if kind in found_kinds]
    return values | {
        "task_categories": ["text-generation", "question-answering"],
        "size_categories": [_size(counts.rows)],
        "tags": [*TAGS, *tags],
        "configs": configs(shards),
    }


def configs(shards: Iterable[str]) -> list[dict[str, Any]]:
    """Return the configuration `default` with all subsets in order, and one per subset."""
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


def generated_section(
    version: Manifest, counts: ReleaseCounts, licence: Licence, repo: str, measures: Measures
) -> str:
    """Return the generated section in Markdown, with untrusted text escaped."""
    content = content_of(version)
    parts = [
        f"# {for_markdown(version.name)}\n\n{for_markdown(content.recipe.about)}. "
        f"{counted(counts.rows, 'row')}, version {for_markdown(version.ref)}, digest "
        f"`{version.digest}`.\n\n"
        "This section is generated by `curator publish`; text outside of its marks is preserved.",
        f"## Licence\n\n{_licence_text(counts, licence)}",
        f"## Subsets\n\n{subsets_table(content, counts)}",
        f"## Evidence\n\n{evidence(content, counts)}",
        *([f"## Length\n\n{lengths(found)}"] if (found := measures.lengths) else []),
        f"## Teacher\n\n{_teacher(content)}",
        f"## Contamination\n\n{contamination(content, measures.overlaps)}",
        f"## Limits\n\n{LIMITS}\n- {languages(counts)}",
        f"## Train\n\n{training(version, repo)}",
        *([f"## Rewards\n\n{rewards(certified)}"] if (certified := measures.certificate) else []),
        *([f"## Attempts\n\n{attempts(pairing)}"] if (pairing := measures.pairing).pairs else []),
        f"## Rebuild and compare\n\n{rebuild(version, repo)}",
        f"## Sources and citations\n\n{citations(content, counts)}",
    ]
    return "\n\n".join(parts)


LIMITS = """\
- A proof covers only the final answer. A text may reach it by a wrong step, unless its evidence
  level is `arithmetic`.
- Gold answers come from the sources, and some are wrong.
- The contamination screen does not detect translations or questions in pictures, and misses some
  rewordings."""


def _licence_text(counts: ReleaseCounts, licence: Licence) -> str:
    lines = [
        f"| {for_markdown(name) or 'none stated'} | {n:,} |" for name, n in counts.licences.items()
    ]
    table = "\n".join(["| licence of the source | rows |", "|---|---:|", *lines])
    text = "Each row keeps the licence of its source, in the column `licence`."
    if licence.conflict:
        conflict = for_markdown(licence.conflict)
        text += f" **No permissive licence covers the whole dataset:** {conflict}."
    return f"{text}\n\n{table}"


def _teacher(content: Content) -> str:
    teacher = content.teacher
    if not teacher:
        return (
            "No teacher wrote rows of this version. Sources may contain texts written by other "
            "models."
        )
    if teacher.replay:
        return (
            "The rationales of a teacher were replayed from recorded calls "
            f"({for_markdown(teacher.model)}): no model was called for this version."
        )
    parameters = ", ".join(f"{key} {value}" for key, value in teacher.parameters.items())
    how = f" ({for_markdown(parameters)})" if parameters else ""
    return (
        f"The rationales of a teacher were written by {for_markdown(teacher.model)}{how}. "
        "The terms of its provider may restrict their use."
    )

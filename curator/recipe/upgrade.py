"""Rewrites the recipe of a version that an older release of Curator made, with the present keys.

In: the plain values of a resolved recipe. Out: the same with keys that were replaced rewritten, so
that old versions can still be pulled and verified again. A recipe file is not rewritten: its errors
state what to write instead.
"""

from collections.abc import Mapping
from typing import Any

from curator.screens.contamination import Contamination


def upgrade_recipe(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a resolved recipe with the present keys."""
    upgraded = dict(values)
    screens = upgraded.get("screens")
    section = screens.get("contamination") if isinstance(screens, Mapping) else None
    if isinstance(screens, Mapping) and isinstance(section, Mapping) and "masked" in section:
        present = Contamination().model_dump(mode="json")
        template = "reject" if section["masked"] == "reject" else "flag"
        present |= {"against": section.get("against"), "same_template": template}
        upgraded["screens"] = {**screens, "contamination": present}
    return upgraded

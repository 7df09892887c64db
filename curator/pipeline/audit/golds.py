"""The line of an audit on golds in doubt.

In: the result of an audit. Out: one Line, whose rows are questions with a gold answer. A gold in
doubt is reported and rejects no row: the response may be wrong instead.
"""

from curator.core.words import counted
from curator.pipeline.audit.findings import EXAMPLES, Example, Line
from curator.versions.golds.doubts import DoubtedGolds, find_doubted_golds
from curator.versions.queries import digests
from datastore.store import Store
from datastore.versions import Manifest

CHECK = "golds"
REASON = "in doubt"


def golds_line(store: Store, manifest: Manifest, command: str) -> Line:
    """Return the findings; `command` lists all of them."""
    with store.guard_query(digests(manifest)), store.engine() as engine:
        found = find_doubted_golds(engine, store, manifest)
    examples = [
        Example(", ".join(each.places), REASON, f"gold {each.gold}: {'; '.join(each.evidence)}")
        for each in found.suspects[:EXAMPLES]
    ]
    return Line(
        CHECK,
        found.golds,
        reported=found.outweighed,
        reasons=dict(found.counts()),
        examples=examples,
        note=_note(found, command),
    )


def _note(found: DoubtedGolds, command: str) -> str:
    if not found.golds:
        return "no question has a gold answer"
    if not dict(found.counts()):
        return f"nothing speaks against {counted(found.golds, 'gold answer')}"
    part = f"solutions were read for {found.sample:,} of {found.unsettled:,} questions only; "
    return f"{part if found.sample < found.unsettled else ''}list all: {command}"

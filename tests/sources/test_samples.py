"""The samples of the quickstart recipe: small, in upstream's formats, with deliberate errors."""

import json
from collections import Counter
from pathlib import Path

import pytest

from curator.core.model import Problem, QuarantinedRecord
from curator.sources import EVALS, SOURCES, open_source, records
from tests.paths import ROOT

SAMPLES = ROOT / "recipes" / "samples"
REASONS = {
    "gsm8k": ["not JSON", "no answer after ####"],
    "gsm8k_rft": ["response is not text"],
    "aqua_rat": ["marked option does not exist"],
    "math": ["no boxed answer"],
    "theoremqa": ["needs a picture"],
    "camel_math": ["not JSON"],
    "college_math": ["marked option does not exist"],
    "mathqa": ["options are not a to e"],
    "numglue": ["answer is null"],
    "lila": ["output_program is empty"],
    "prm800k": ["rating is not -1, 0, 1 or null"],
    "mathinstruct": ["unknown source string"],
}
# A new source needs no sample: quickstart builds without it.
WITH_SAMPLES = [name for name, source in EVALS.items() if (SAMPLES / source.folder).is_dir()]


def sample(name: str) -> list[Problem | QuarantinedRecord]:
    return list(records(SOURCES[name], open_source(SOURCES[name], SAMPLES)))


@pytest.mark.parametrize("name", REASONS)
def test_a_sample_has_exactly_its_deliberate_errors(name: str) -> None:
    found = sample(name)
    assert [each.reason for each in found if isinstance(each, QuarantinedRecord)] == REASONS[name]
    assert 8 <= len(found) <= 20


@pytest.mark.parametrize("name", WITH_SAMPLES)
def test_evaluation_samples_have_no_errors(name: str) -> None:
    found = list(records(EVALS[name], open_source(EVALS[name], SAMPLES)))
    assert 3 <= len(found) <= 6
    assert all(isinstance(each, Problem) for each in found)


def test_samples_contain_several_solutions_a_duplicate_and_overlaps_with_evaluation() -> None:
    rft = [each for each in sample("gsm8k_rft") if isinstance(each, Problem)]
    assert max(Counter(each.id for each in rft).values()) == 3
    gsm8k = [each for each in sample("gsm8k") if isinstance(each, Problem)]
    assert max(Counter((each.id, each.program) for each in gsm8k).values()) == 2
    for name, evaluation in (("aqua_rat", "aqua_rat"), ("math", "math"), ("numglue", "svamp")):
        source = EVALS[evaluation]
        items = {each.question for each in records(source, open_source(source, SAMPLES))}  # type: ignore[union-attr]
        overlap = [each for each in sample(name) if getattr(each, "question", "") in items]
        assert len(overlap) == 1, name


def test_samples_are_not_rows_of_upstream(shared: Path) -> None:
    upstream: set[str] = set()
    for sources in (SOURCES, EVALS):
        for source in sources.values():
            if (shared / source.folder).is_dir():
                found = records(source, open_source(source, shared))
                upstream |= {each.question for each in found if isinstance(each, Problem)}
    assert len(upstream) > 30_000
    for sources in (SOURCES, EVALS):
        sampled = [each for each in sources.values() if (SAMPLES / each.folder).is_dir()]
        assert len(sampled) > 5
        for source in sampled:
            for each in records(source, open_source(source, SAMPLES)):
                assert isinstance(each, QuarantinedRecord) or each.question not in upstream


def test_camel_samples_have_the_keys_of_upstream() -> None:
    topics = {each.part for each in sample("camel_math") if isinstance(each, Problem)}
    assert {"Algebra", "Calculus", "Geometry"} <= topics


def test_numglue_rows_of_every_native_type_are_read() -> None:
    found = {each.part: each for each in sample("numglue") if isinstance(each, Problem)}
    assert found["Type_3"].choices == ("ice", "sand")
    assert found["Type_3"].gold == "B"
    assert found["Type_5"].gold == "25"
    assert found["Type_5"].question.startswith("In the first half")
    assert found["Type_6"].gold == "the north tower"
    assert found["Type_7"].question.startswith("The choir has 30 members.\nThe choir")
    assert json.loads(found["Type_8"].gold) == 10.0

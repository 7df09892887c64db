"""Writers with a stage of their own are registered twice: as a writer, and with their stage."""

from curator.pipeline.stages.registry import STAGES
from curator.writers import WRITERS, own_stage


def test_every_writer_with_a_source_of_its_own_has_a_stage_and_no_other_writer_has() -> None:
    assert STAGES.keys() == {name for name, writer in WRITERS.items() if writer.source}
    assert all(WRITERS[name].source_form for name in STAGES)
    assert all(own_stage(("reference", name)) == name for name in STAGES)
    assert own_stage(("reference", "cot")) == ""


def test_stages_that_need_a_teacher_estimate_its_calls_and_run_after_sources_are_read() -> None:
    for name, stage in STAGES.items():
        assert stage.order > 0
        assert bool(stage.estimate) == WRITERS[name].teacher

"""The writers that have a stage of their own. A new one is one line here."""

from curator.pipeline.stages import hint, self_instruct
from curator.pipeline.stages.writer_stage import WriterStage

STAGES: dict[str, WriterStage] = {
    "self_instruct": self_instruct.STAGE,
    "hinted": hint.STAGE,
}

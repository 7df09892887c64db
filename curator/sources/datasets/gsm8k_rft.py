"""GSM8K-RFT: several sampled solutions with the right answer for each GSM8K train question.

One row: {"query": "Natalia sold clips to 48 …", "response": "She sold 48/2=<<48/2=24>>24 …\\n####
72"}. The first solution of each question is GSM8K's own, so some rows equal those of `gsm8k`.
Upstream states no licence.
"""

from collections.abc import Iterator

from curator.core.model import Problem
from curator.sources.datasets.gsm8k import problem_from_solution
from curator.sources.fields import text
from curator.sources.source import Row, Source

LICENCE = "none stated"


def parse(row: Row, place: str) -> Iterator[Problem]:
    # Sampled texts can continue after a NUL; upstream's script cuts there, too.
    response = row.get("response")
    if isinstance(response, str):
        row = {**row, "response": response.partition("\x00")[0]}
    yield problem_from_solution(
        text(row, "query"), text(row, "response"), "gsm8k_rft", LICENCE, place
    )


SOURCE = Source(
    name="gsm8k_rft",
    about="GSM8K questions with solutions sampled from Llama, validated by answer (OFA-Sys)",
    licence=LICENCE,
    parse=parse,
    folder="sources/gsm8k_rft",
    github="OFA-Sys/gsm8k-ScRel",
    revision="25d2c4048f00aff72945ff8959a9fb22ed6e757f",
    files=("data/rft/llama_7b.jsonl",),
    split="train",
    paper_rows=28_000,
    fields=("query", "response"),
    citation="arXiv:2308.01825",
)

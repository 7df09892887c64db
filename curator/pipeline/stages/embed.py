"""Stage `embed`: the vectors of the texts that a screen compares by meaning.

In: texts of rows, and the embedding model of the recipe. Out: an object with a vector per text. A
vector is stored in the ledger `embeddings` before it is used, so that a stopped build resumes and
no text is paid for twice.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import pyarrow as pa

from curator.core.arrow import make_batch
from curator.core.errors import TeacherError
from curator.pipeline.context import BuildContext
from curator.pipeline.estimate import CallEstimate
from curator.pipeline.teacher_session import TeacherSession
from curator.screens.meaning import VECTORS, Embeddings
from curator.teacher import Call
from curator.teacher.token_count import prompt_tokens
from curator.teacher.vectors import read_vector
from datastore.engine import Engine

LEDGER = "embeddings"
AT_ONCE = 1_024
"""Number of texts that are looked up, or whose vectors are written, together."""
ENOUGH_TEXTS = 8
"""Number of different texts whose vectors cannot all be equal."""
MAX_CHARACTERS = 20_000
"""Maximum number of characters of a text that are embedded."""

CODE = (__name__, "curator.screens.meaning", "curator.teacher.vectors")

T = TypeVar("T")


def embed(
    context: BuildContext, settings: Embeddings, engine: Engine, texts: str, what: str
) -> tuple[dict[str, str], dict[str, int]]:
    """Write object `vectors` of a SELECT of (question, text), and count `texts` and `unanswered`.

    A text for which the model gives no vector is counted and reported. Raises BudgetReached and
    TeacherError.
    """
    (total,) = engine.sql(f"SELECT count(*) FROM ({texts})").fetchall()[0]
    counts = {"texts": total, "without vector": 0, "unanswered": 0}
    reasons: set[str] = set()
    length = 0
    different: set[bytes] = set()

    def write(session: TeacherSession) -> Iterator[pa.RecordBatch]:
        nonlocal length

        async def ask(item: tuple[int, str]) -> tuple[int, Call]:
            return item[0], await session.get_vector(item[1])

        answered = session.each(_read(engine, texts), ask, what, total)
        for some in _chunks(answered):
            vectors = []
            for question, call in some:
                if call.status == "failed":
                    counts["without vector"] += 1
                    counts["unanswered"] += not call.final
                    reasons.add(call.reason)
                    continue
                vector = read_vector(call.text)
                length = length or len(vector)
                if len(vector) != length:
                    raise TeacherError(
                        f"The vectors of {settings.model} have {length} and {len(vector)} numbers, "
                        "so the endpoint has changed its model. Set another `family` in "
                        "`embeddings` to get new ones."
                    )
                vectors.append((question, vector.tolist()))
                if len(different) < 2:
                    different.add(vector.tobytes())
            if len(different) == 1 and len(vectors) >= ENOUGH_TEXTS:
                raise TeacherError(
                    f"{settings.model} gave {len(vectors):,} different texts the same vector, so "
                    "their meaning cannot be compared. Check the model of the endpoint, and set "
                    "another `family` in `embeddings` to get new vectors."
                )
            if vectors:
                yield make_batch(list(zip(*vectors, strict=True)), VECTORS)

    with open_session(context, settings) as session:
        digest = context.store.objects.write(write(session), VECTORS)
    if missing := counts["without vector"]:
        context.listener.note(
            f"{what}: {missing:,} of {total:,} texts have no vector "
            f"({', '.join(sorted(reasons))}); their meaning is not compared."
        )
    return {"vectors": digest}, counts


@contextmanager
def open_session(context: BuildContext, settings: Embeddings) -> Iterator[TeacherSession]:
    """Open the client of the embedding model. The command's budget is what the teacher left."""
    options, spent = context.options, context.teacher_session and context.teacher_session.counts
    if spent:
        budget = options.budget
        left = {
            "money": None if budget.money is None else max(0.0, budget.money - spent.money),
            "tokens": None if budget.tokens is None else max(0, budget.tokens - spent.tokens),
            "calls": None if budget.calls is None else max(0, budget.calls - spent.answered),
        }
        options = replace(options, budget=budget.model_copy(update=left))
    recipe = context.recipe
    session = TeacherSession(
        recipe.name,
        recipe.folder,
        settings.as_teacher(),
        context.store,
        context.checker,
        options,
    )
    session.ledger = LEDGER
    with session:
        yield session


def estimate_texts(
    context: BuildContext, settings: Embeddings, texts: Iterable[str]
) -> CallEstimate:
    """Estimate the calls for the vectors of some texts; a text counts as one call."""
    cached = missing = tokens = 0
    ledger = context.store.ledger(LEDGER)
    with open_session(context, settings) as session:
        for some in _chunks(iter(texts)):
            keys = [session.embedding_request(text[:MAX_CHARACTERS]) for text in some]
            records = ledger.get_many(request.key for request in keys)
            known = {key for key, record in records.items() if record["call"]["final"]}
            left = [request for request in keys if request.key not in known]
            cached, missing = cached + len(keys) - len(left), missing + len(left)
            tokens += sum(prompt_tokens(session.count, request.messages) for request in left)
    return CallEstimate(
        cached=cached,
        least=missing,
        most=missing,
        prompt_tokens=tokens,
        money=round(tokens * settings.price / 1_000_000, 6),
    )


def _read(engine: Engine, texts: str) -> Iterator[tuple[int, str]]:
    query = f"SELECT question, left(text, {MAX_CHARACTERS:d}) FROM ({texts}) ORDER BY question"
    for batch in engine.batches(query, size=AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _chunks(items: Iterator[T]) -> Iterator[list[T]]:
    while some := list(islice(items, AT_ONCE)):
        yield some

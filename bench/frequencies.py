"""Counts how many questions contain a word or number: makes the table of the contamination screen.

    python bench/frequencies.py --data DIR > curator/screens/frequencies.tsv

In: DIR/sources with training sets and DIR/evals with the ten evaluation sets. Out: a line with the
number of distinct questions, then one line for each word and number that at least `LEAST` of them
contain: the token and the number of questions. Words are whole and in lower case.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from contamination import TRAINING, read
from data_option import add_data_option

from curator.screens import normalize
from curator.screens.question import is_word, read_question
from curator.sources import MAMMOTH_EVALS
from datastore.engine import Engine

LEAST = 8
"""Rarer words are left out: their number says more about this sample than about the words."""


def count(data: Path) -> tuple[int, Counter[str]]:
    """Return the number of distinct questions, and how many of them contain each token."""
    questions = {each.question for name in TRAINING for each in read(name, data, training=True)}
    questions |= {each.question for name in MAMMOTH_EVALS for each in read(name, data)}
    counts: Counter[str] = Counter()
    query = f"SELECT {normalize.fold('q')} FROM (SELECT unnest($questions::VARCHAR[]) AS q)"
    with tempfile.TemporaryDirectory() as folder, Engine(spill=Path(folder)) as engine:
        for (folded,) in engine.sql(query, {"questions": sorted(questions)}).fetchall():
            question = read_question(folded)
            counts.update({*filter(is_word, question.tokens), *map(str, question.numbers)})
    return len(questions), counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_data_option(parser, "sources", "evals")
    size, counts = count(parser.parse_args().data)
    print(f"\t{size}")
    for token, found in sorted(counts.items()):
        if found >= LEAST:
            print(f"{token}\t{found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

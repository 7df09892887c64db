"""Sections of a card for those who train on a release: commands, rewards, attempts.

In: a version, a `Certificate`, a `Pairing`. Out: Markdown.
"""

from curator.release.attempts import PER_PROBLEM, Pairing
from curator.release.card_sections import markdown_table
from curator.rewards.certification import FORMS, Certificate
from curator.rewards.functions import FUNCTIONS
from datastore.versions import Manifest


def training(version: Manifest, repo: str) -> str:
    """Return the commands that write the rows in the formats of trainers."""
    name = repo.replace("/", "--")
    return f"""\
```sh
curator pull {repo}@v{version.number}
curator export {name} --format prompt-completion -o sft.jsonl  # SFT; or messages
curator export {name} --format trl-grpo -o prompts.jsonl       # GRPO with TRL
curator export {name} --format verl -o prompts.parquet         # GRPO and PPO with verl
```

The formats `open-instruct` and `verifiers` are for these trainers. Formats for reinforcement
learning have each prompt once, and only golds that can be checked. `curator.rewards` compares the
answers of completions with them."""


def rewards(certificate: Certificate) -> str:
    """Return the error rates of reward functions by kind of answer."""
    head = ("grader", "answers", "golds", "true forms", "rejected", "no reward")
    rows = []
    for (function, kind), rates in sorted(certificate.rates.items()):
        true_forms, near_misses = rates.true_forms, rates.near_misses
        rows.append(
            (
                function,
                kind,
                rates.golds,
                true_forms.total(),
                _share(true_forms["different"], true_forms.total()),
                _share(true_forms["undecided"], true_forms.total()),
                near_misses.total(),
                _share(near_misses["equal"], near_misses.total()),
            )
        )
    table = markdown_table((*head, "near misses", "accepted"), 6, rows)
    named = "; ".join(f"{name} is {FUNCTIONS[name].about}" for name in certificate.functions)
    return (
        "How often reward functions err on the golds of this release. Each graded every "
        f"distinct gold as it is written, up to {FORMS} other true forms and {FORMS} near "
        f"misses. `rejected` is the rate of false negatives, `accepted` of false positives.\n\n"
        f"{table}\n\n{named}. The forms come from a generator that shares no code with Curator's "
        "own grader. `curator export … --certify` leaves out the prompts that a grader misjudges."
    )


def attempts(pairing: Pairing) -> str:
    """Return how many pairs of attempts an export has, and what their lengths tell."""
    before, after = pairing.auc_before, pairing.auc_after
    return (
        f"The store that built this version has {pairing.wrong:,} wrong attempts at its problems. "
        f"`curator export --format preference` (or `kto`, `scored`) writes {pairing.pairs:,} pairs "
        f"of a right and a wrong attempt, at most {PER_PROBLEM} per problem, matched in length. "
        f"The AUC of shortness as a predictor of correctness is {before:.3f} before matching and "
        f"{after:.3f} after it; 0.5 means that length tells nothing. Wrong attempts are not in "
        "these files."
    )


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f}%" if total else "–"

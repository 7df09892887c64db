"""Rows whose texts try to become HTML, scripts or requests, or to overload the page."""

import json
from pathlib import Path

ATTACKS = {
    "script": "<script>window.hacked = 1</script> How much is 1?",
    "end of script": "</script><script>window.hacked = 2</script> How much is 2?",
    "comment": "<!--<script> ]]> --> How much is 3?",
    "image": '<img src="http://attack.invalid/x.png" onerror="window.hacked = 4"> How much?',
    "separators": "one\u2028two\u2029three\u0000four\u202efive How much is 5?",
    "surrogate": "a half \ud800 of a pair, How much is 6?",
    "template": "{{ 7 * 7 }} {% include '/etc/passwd' %} How much is 7?",
    "link": "$\\href{javascript:window.hacked=8}{8}$ How much is 8?",
    "depth": "$" + "{" * 4_000 + "9" + "}" * 4_000 + "$ How much is 9?",
    "unclosed": "$\\frac{\\left( \\begin{array}{ccc 10$ How much is 10?",
    "constructor": "$\\constructor \\__proto__ {toString} \\toString$ How much is 11?",
    "large": "<b>" + "How much is twelve? " * 45_000,
    "slow": "$" + "\\boxed{" * 3_000 + "\\(" * 3_000,
}
"""Questions by what they try."""

RECIPE = """\
name: hostile
about: <script>window.hacked = 5</script> & more
subsets:
  cot:
    source:
      file: rows.jsonl
      columns: {question: q, gold: a, solution: s, field: f}
      licence: <i onclick=window.hacked=6>mine</i>
    kind: CoT
screens: {contamination: null}
limits: {quarantine: 1.0}
"""


def make_hostile(folder: Path) -> Path:
    """Write the rows and the recipe into a folder and return the recipe."""
    lines = []
    for name, text in ATTACKS.items():
        start = text[:40].encode("utf-8", "replace").decode()
        solution = f"{start} <script>window.hacked = 7</script>\nThe answer is 1"
        row = {"q": text, "a": "1", "s": solution, "f": f"<u>{name}</u>"}
        lines.append(json.dumps(row))
    lines.append('{"q": "</script><script>window.hacked = 9</script>"')
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    recipe = folder / "hostile.yaml"
    recipe.write_text(RECIPE)
    return recipe

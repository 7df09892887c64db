"""LaTeX in rows, rendered by the page in a real Chromium."""

import json
from pathlib import Path

import pytest

from curator.versions.report.write import write_report
from datastore.store import Store
from tests.versions.report.browser import Browser

FORMULAS = {
    r"$\frac{1}{2}$": "mfrac",
    r"$\sqrt[3]{x+1}$": "mroot",
    r"$\sqrt2$": "msqrt",
    r"$x^2$": "msup",
    r"$a_{ij}^{k}$": "msubsup",
    r"\[\sum_{i=1}^n i\]": "munderover",
    r"$\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}$": "mtable",
    r"\begin{align*} x &= 1 \\ y &= 2 \end{align*}": "mtable",
    r"so it is \boxed{\frac{3}{4}} then": ".tml-fbox mfrac",
    r"$\left(\frac{a}{b}\right)^2$": "msup",
    r"$\text{if } x \geq 0$": "mtext",
    r"$\alpha + \pi$": "mi",
    r"$\binom{n}{k}$": "mfrac",
    r"$\overline{AB}$": "menclose.tml-overline",
    r"$90^\circ$": "msup",
    r"$\frac12 + \frac 34$": "mfrac",
    r"${n \choose 2}$": "mfrac",
    r"$\frac{2 \cdot \cancel{3}}{\cancelto{1}{3}}$": "mrow.upstrike",
    r"$\mathbf{v} \cdot \bold{w}$": "mi",
    r"$5\mbox{ cm}$": "mtext",
    r"\begin{eqnarray*} x &=& 1 \\ y &=& 2 \end{eqnarray*}": "mtable",
    r"$\begin{array}{r@{}l} 1 & .5 \\ \cline{1-2} \multicolumn{2}{r}{3} \end{array}$": "mtable",
    r"triangle $ABC$": "mi",
}
"""LaTeX, and a selector of an element that it becomes."""

PRICES = (
    "A shop sells 6 lamps at $15 each and 4 chairs at $22 each.",
    "It costs $5. The other costs $6.",
    r"It costs $\$$25 a day and $\$$50 more.",
    "She has $3 and he has 4$ or so, $ 5 $.",
)


@pytest.fixture(scope="module")
def page(tab: Browser, quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    target = tmp_path_factory.mktemp("page") / "page.html"
    with Store(quickstart, readonly=True) as opened:
        write_report(opened, opened.versions.get("quickstart"), target)
    tab.open(target)
    return tab


def render(page: Browser, text: str, ask: str) -> object:
    literal = json.dumps(text)
    return page.evaluate(
        f"(() => {{const d = document.createElement('div'); d.append(...renderLatex({literal})); "
        f"return {ask}}})()"
    )


@pytest.mark.parametrize("text", FORMULAS)
def test_common_commands_become_mathml(page: Browser, text: str) -> None:
    assert render(page, text, f"d.querySelectorAll('math {FORMULAS[text]}').length") != 0
    assert render(page, text, "d.querySelectorAll('.raw').length") == 0


@pytest.mark.parametrize("text", PRICES)
def test_prices_are_not_formulas(page: Browser, text: str) -> None:
    assert render(page, text, "d.querySelectorAll('math, .raw').length") == 0
    assert render(page, text, "d.textContent") == text


def test_a_formula_after_a_price_is_still_found(page: Browser) -> None:
    text = r"It costs $5 at most and $x^2$ is more."
    assert render(page, text, "d.querySelectorAll('msup').length") == 1


def test_formulas_that_cannot_be_read_stay_as_written(page: Browser) -> None:
    for text in (r"\frac{1", r"\left( x", "{" * 500 + "}" * 500, r"}{"):
        assert render(page, f"${text}$", "d.textContent") == text


def test_formulas_too_deep_for_the_layout_stay_as_written(page: Browser) -> None:
    for text in (r"\sqrt " * 300 + "x", r"\left( " * 200 + "x" + r" \right)" * 200):
        assert render(page, f"${text}$", "d.textContent") == text


def test_drawings_are_shown_as_programs(page: Browser) -> None:
    text = 'Look: [asy] label("$A$", (0,0)); [/asy] at $A$.'
    assert render(page, text, "d.querySelectorAll('math').length") == 1
    assert '"$A$"' in str(render(page, text, "d.querySelector('pre').textContent"))


def test_unknown_commands_stay_visible(page: Browser) -> None:
    assert r"\strange" in str(render(page, r"$x + \strange{y}$", "d.textContent"))


def test_programs_keep_every_character(page: Browser) -> None:
    program = 'def f(x):\n    # half </pre>\n    return f\'{x:.2f}\' + """a\nb"""\nprint(f(1e5))'
    ask = (
        "(() => {const d = document.createElement('pre'); "
        f"d.append(...highlightPython({json.dumps(program)})); "
        "return [d.textContent, ...['k', 's', 'c', 'd'].map((kind) => "
        "d.querySelectorAll('.' + kind).length)]})()"
    )
    assert page.evaluate(ask) == [program, 2, 2, 1, 1]

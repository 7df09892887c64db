"""Languages of questions: by script, by common words, and none for formulas."""

import pytest

from curator.core.languages import NAMES, language_of

QUESTIONS = {
    "en": "How many apples does Ann have if she buys 3 of them?",
    "de": "Wie viele Äpfel hat Anna, wenn sie 3 kauft?",
    "es": "¿Cuántas manzanas tiene Ana si compra 3?",
    "fr": "Combien de pommes Anna a-t-elle si elle en achète 3 ?",
    "it": "Quante mele ha Anna se ne compra 3?",
    "nl": "Hoeveel appels heeft Anna als zij er 3 koopt?",
    "pt": "Quantas maçãs tem a Ana se comprar 3?",
    "ru": "Сколько яблок у Анны?",
    "zh": "安娜有3个苹果，她又买了2个，一共有几个？",
    "ja": "リンゴはいくつありますか。",
    "ko": "사과는 몇 개입니까?",
    "ar": "كم عدد التفاح؟",
    "hi": "कितने सेब हैं?",
}


@pytest.mark.parametrize("code", QUESTIONS)
def test_the_language_of_a_question_is_found(code: str) -> None:
    assert language_of(QUESTIONS[code]) == code and code in NAMES


@pytest.mark.parametrize(
    "text", ["", "$2x + 3 = 7$", r"\\le \\le \\in \\pi", "x", "αβγ = 180°"[:2]]
)
def test_a_formula_has_no_language(text: str) -> None:
    assert language_of(text) == ""


def test_greek_letters_and_one_foreign_word_do_not_change_the_language() -> None:
    assert language_of("What is the angle α of the triangle if β is 30° and γ is 90°?") == "en"
    assert language_of("The pâtissier Éric has 3 éclairs and sells 2. How many are left?") == "en"

"""How solutions announce an answer, per language, as data.

One row per language: words by which it is recognised, nouns that mean "answer", links between the
noun and the answer, phrases that need no link, words that end the sentence after the answer. All
but the first are regular expressions; every repetition in them is bounded. In: a text. Out:
`find_phrases(text)`, the ends of the phrases, where the answers begin.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from curator.answers.extract.regions import mentions


class Language(NamedTuple):
    """The answer phrases of one language."""

    name: str
    hints: tuple[str, ...]
    """Lower-case words; the other columns are tried only on texts with one of them."""
    nouns: str
    links: str = ""
    direct: str = ""
    """Phrases that the answer follows without a link."""
    ends: str = ""
    """Words between the answer and the end of the sentence, such as Japanese `です`."""


_LINKS = (
    r"(?:,?\s?(?:therefore|thus|hence|then|also|simply|now)\b,?\s?)?"
    r"(?:is|are|was|equals|becomes|(?:would|should|must|will|has\s+to)\s+be"
    r"|comes\s+(?:out\s+)?(?:to|as)|turns\s+out\s+to\s+be)\b"
    r"(?:\s(?:therefore|thus|then|hence|indeed|simply|just|now|actually|clearly|given\s+by"
    r"|equal\s+to)\b(?!\s(?:that|as)\b))?"
)
_ADJECTIVE = r"(?:final|correct|right|best)"
_OF_WHAT = r"(?:\s(?:choice|option|here|to\s(?:the|this)\s\w{1,20}))?"

ENGLISH = Language(
    "English",
    ("answer", " ans", "\nans", "*ans", "(ans", "final ", "correct ", "best ", "right option"),
    rf"(?<![A-Za-z])(?:answer|ans)(?![A-Za-z]){_OF_WHAT}\.?"
    rf"|\b{_ADJECTIVE}\s(?:result|value|solution|option|choice)\b",
    _LINKS,
    r"(?-i:(?:[Ff]inal\s[Aa]nswer|Answer|ANSWER|\bAns\b\.?|\bANS\b\.?)\s{1,9}(?=[-+]?\d|\\[\[(]|\$|\\boxed))",
)
OPTIONS = Language(
    "English, question with choices",
    ("answers", "option", "choice"),
    r"\b(?:answers|options?|choices?)\b",
    _LINKS,
)
RESULTS = Language(
    "English, any result", ("result", "solution", "value"), r"\b(?:result|solution|value)\b", _LINKS
)
"""A result may be one on the way, so that it counts only if nothing else states an answer."""

LANGUAGES = (
    Language(
        "Chinese",
        ("答", "选", "選", "最终结果", "最終結果"),
        r"(?:正确|正確|最终|最終|最后|最後)?(?:答案|答复|选项|選項)|最[终終](?:结果|結果)|答(?=:)",
        r"(?:应该|應該|应当|应|應|就|便|即)?(?:是|为|為|等于|等於|选择|選擇|选|選)",
        r"(?:故|因此|所以|因而|应|應|我|则)(?:本题|答案|正确)?[选選][择擇]?\s{0,4}[:项項是为為]{0,2}"
        r"\s{0,4}(?=[(\[【$\\]{0,3}[A-Z])",
    ),
    Language(
        "Japanese",
        ("答", "こたえ", "正解"),
        r"(?:正しい|最終的な|最終)?(?:答え|こたえ|解答|正解|回答|答)",
        r"[はが][、,]?",
        r"答え?\s{1,4}(?=[\d$\\(-])",
        r"(?:になります|となります|でした|です|である|だ)",
    ),
    Language(
        "Korean",
        ("정답", "답"),
        r"(?:최종\s?)?(?:정답|답안|해답|답)",
        r"[은는이](?=[\s\d(A-Z$\\-])",
        "",
        r"(?:이\s?됩니다|입니다|이다|이에요|예요)",
    ),
    Language(
        "French",
        ("réponse", "reponse"),
        r"\b(?:réponse|reponse)(?:\s(?:finale|correcte))?\b",
        r"(?:est|sont|sera|vaut)\b(?:\s(?:donc|alors))?",
    ),
    Language(
        "Spanish",
        ("respuesta", "solución"),
        r"\b(?:respuesta|solución)(?:\s(?:final|correcta))?\b",
        r"(?:es|son|sería|será)\b(?:\s(?:entonces|igual\sa))?",
    ),
    Language(
        "German",
        ("antwort", "lösung", "endergebnis"),
        r"\b(?:antwort|lösung|endergebnis)\b",
        r"(?:ist|lautet|beträgt|wäre)\b(?:\s(?:also|daher|somit))?",
    ),
    Language(
        "Italian",
        ("risposta",),
        r"\brisposta(?:\s(?:finale|corretta|esatta))?\b",
        r"(?:è|e'|sarà)(?!\w)(?:\squindi)?",
    ),
    Language(
        "Portuguese",
        ("resposta",),
        r"\bresposta(?:\s(?:final|correta|certa))?\b",
        r"(?:é|e|são|será)(?!\w)(?:\sportanto)?",
    ),
    Language("Dutch", ("antwoord",), r"\bantwoord\b", r"(?:is|luidt)\b"),
    Language("Swedish, Danish, Norwegian", ("svar",), r"\bsvar(?:et)?\b", r"(?:är|er|blir)\b"),
    Language("Finnish", ("vastaus",), r"\bvastaus\b", r"on\b"),
    Language("Turkish", ("cevap", "cevab", "yanıt"), r"\b(?:cevap|cevabı|yanıt)\b"),
    Language(
        "Indonesian, Malay",
        ("jawaban", "jawapan"),
        r"\bjawa[bp]an(?:nya)?(?:\sakhir)?\b",
        r"(?:adalah|ialah|yaitu)\b",
    ),
    Language("Swahili", ("jibu",), r"\bjibu(?:\sla\smwisho)?\b", r"ni\b"),
    Language("Polish", ("odpowied",), r"\bodpowied(?:ź|zią)\b", r"(?:to|jest|brzmi)\b"),
    Language("Czech, Slovak", ("odpov",), r"\bodpove?ě?ď\b", r"(?:je|zní|znie)\b"),
    Language("Hungarian", ("válasz", "végeredmény"), r"\b(?:válasz|végeredmény)\b", r"az?\b"),
    Language("Romanian", ("răspuns",), r"\brăspuns(?:ul)?(?:\sfinal|\scorect)?\b", r"este\b"),
    Language(
        "Vietnamese",
        ("đáp", "trả lời"),
        r"\b(?:đáp\sán|đáp\ssố|câu\strả\slời)(?:\sđúng|\scuối\scùng)?\b",
        r"là\b",
    ),
    Language(
        "Russian", ("ответ",), r"\bответ(?:ом)?\b", r"(?:равен|будет|является|это)\b|[-–—](?=\s)"
    ),
    Language(
        "Ukrainian, Bulgarian",
        ("відповід", "отговор"),
        r"\b(?:відповідь|відповіддю|отговор(?:ът)?)\b",
        r"(?:є|е|дорівнює)\b|[-–—](?=\s)",
    ),
    Language("Greek", ("απάντηση",), r"\bαπάντηση\b", r"είναι\b"),
    Language(
        "Arabic",
        ("الجواب", "الإجابة", "الاجابة"),
        r"(?:الجواب|الإجابة|الاجابة)(?:\s(?:النهائي|النهائية|الصحيح|الصحيحة))?",
        r"(?:هو|هي)(?!\w)",
    ),
    Language(
        "Persian, Urdu",
        ("پاسخ", "جواب"),
        r"\b(?:پاسخ|جواب)(?:\sنهایی)?\b",
        r"(?:برابر\sاست\sبا|برابر|ہے)(?!\w)",
        "",
        r"(?:است|ہے)",
    ),
    Language(
        "Hebrew", ("תשובה",), r"\bה?תשובה(?:\s(?:הסופית|הנכונה))?(?!\w)", r"(?:היא|הוא)(?!\w)"
    ),
    Language(
        "Hindi",
        ("उत्तर", "जवाब"),
        r"(?:उत्तर|जवाब)",
        r"(?:होगा|है)",
        r"(?:उत्तर|जवाब)\s{1,4}(?=\d)",
        r"(?:होगा|है)",
    ),
    Language("Bengali", ("উত্তর",), r"উত্তর(?:টি)?", r"(?:হলো|হল)", r"উত্তর\s{1,4}(?=\d)"),
    Language("Thai", ("ตอบ",), r"คำตอบ(?:สุดท้าย|ที่ถูกต้อง)?", r"(?:คือ|เท่ากับ|เป็น)", r"ตอบ\s{0,4}(?=\d)"),
    Language("Telugu", ("సమాధానం", "జవాబు"), r"(?:సమాధానం|జవాబు)"),
    Language("Tamil", ("பதில்", "விடை"), r"(?:பதில்|விடை)"),
)

COUNTERS = "个個只隻本人名棵张張辆輛件条條块塊头頭次种種天岁歲匹枚台颗粒개명"
"""Characters between a number and what is counted."""
UNITS = {
    **{"厘米": "cm", "分米": "dm", "千米": "km", "公里": "km", "米": "m", "毫米": "mm"},
    **{"平方厘米": "cm^2", "平方米": "m^2", "立方厘米": "cm^3", "立方米": "m^3"},
    **{"千克": "kg", "公斤": "kg", "克": "g", "升": "L", "毫升": "mL", "度": "degrees"},
    **{"小时": "hours", "小時": "hours", "分钟": "minutes", "分鐘": "minutes", "秒": "seconds"},
    **{"元": "yuan", "円": "yen", "원": "won"},
}
"""Units that are written after a number in other scripts."""

_CLOSED = r"[*_\"'`\])】」』〉》]{0,5}"
_PUNCTUATION = r":[-–—](?=[\sA-Z])|:\s?[-–—]\s?(?=\(?[A-Za-z]\b(?!\s?[-+*/^=]))|[=-]>|[:=→⇒]"
_ARTICLE = (  # Spanish `la opción B`
    r"(?:(?:la|le|el|il|die|der|a|o|de|l['’])\s?)?(?:(?:option|opción|opção|opzione|letra|lettera"
    r"|lettre|alternativa|вариант)\s)?(?=[(\[]?(?-i:[A-Z])\b)"
)
_DASH = r"[-–—](?=\s|\(?(?-i:[A-Z])\b)"


def _compile(language: Language) -> re.Pattern[str]:
    """Compile a row: noun and link, noun in brackets, noun as a heading, or a direct phrase."""
    noun, links = rf"(?:{language.nouns})", "|".join(filter(None, (language.links, _PUNCTUATION)))
    parts = [
        rf"{noun}{_CLOSED}\s{{0,20}}(?:{_DASH}|(?:(?:{links})[\s,*_]{{0,20}}){{1,4}}"
        rf"(?:{_ARTICLE})?)",
        rf"[\[【「『〈《]{noun}[\]】」』〉》]",
        rf"^[ \t]{{0,8}}(?:[#*_]{{1,6}}[^\n]{{0,24}}?|(?:the\s)?(?:{_ADJECTIVE}\s)?){noun}"
        r"[*_: \t]{0,6}\n(?:[=-]{3,40}[ \t]{0,4}\n)?",
        language.direct,
    ]
    return re.compile("|".join(filter(None, parts)), re.I | re.M)


_PATTERNS = {each: _compile(each) for each in (ENGLISH, OPTIONS, RESULTS, *LANGUAGES)}
_ASCII_HINTS = tuple(hint for each in LANGUAGES for hint in each.hints if hint.isascii())
ENDS = re.compile(rf"(?:{'|'.join(each.ends for each in LANGUAGES if each.ends)})\Z")


def find_phrases(text: str, language: Language) -> Iterator[tuple[int, int]]:
    """Yield the span of every phrase of one language in a text."""
    for match in _PATTERNS[language].finditer(text):
        yield match.span()


def spoken(lowered: str) -> list[Language]:
    """Return the languages other than English of whose hints a lower-case text has one."""
    if lowered.isascii() and not mentions(lowered, _ASCII_HINTS):
        return []
    return [each for each in LANGUAGES if mentions(lowered, each.hints)]

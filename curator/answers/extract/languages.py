"""How solutions announce an answer, per language, as data.

One row per language: the words with which its phrases begin, nouns that mean "answer", links
between noun and answer, phrases that need no link, words that end the sentence after the answer.
All but the first are regular expressions; every repetition in them is bounded. In: a text. Out:
`find_phrases(text)`, the spans of the phrases: the answers begin at their ends.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from curator.answers.extract.regions import mentions


class Language(NamedTuple):
    """The answer phrases of one language."""

    name: str
    words: tuple[str, ...]
    """Lower-case words with which the phrases begin; the other columns are tried only there."""
    nouns: str
    links: str = ""
    direct: str = ""
    """Phrases that the answer follows without a link."""
    ends: str = ""
    """Words between the answer and the end of the sentence, such as Japanese `です`."""
    spaced: bool = True
    """Whether blanks separate words: then no phrase begins inside one."""

    @property
    def decimal_comma(self) -> bool:
        """Whether the language writes 2.5 as `2,5`."""
        return self.spaced and self.name not in ("English", OPTIONS.name, "Swahili")


_KIND_OF_VALUE = (  # `the interval (1, 4)`
    r"(?:\s(?:the|an?)\s(?:(?:open|closed|ordered|complex|whole|real|exact)\s)?(?:interval|point|set|line"
    r"|pair|triple|number|integer|fraction|expression|equation|polynomial|matrix|vector|function"
    r"|circle|parabola|value|sum|product|half-open\sinterval)s?"
    r"(?=\s(?:[-+]?\d|[(\[{$\\|]|[a-z]\s?[=(])))?"
)
_LINKS = (
    r"(?:,?\s?(?:therefore|thus|hence|then|also|simply|now)\b,?\s?)?"
    r"(?:(?:is|was)(?=n['’]t\b)|(?:is|are|was|equals|becomes|(?:would|should|must|will|has\s+to)\s+be"
    r"|comes\s+(?:out\s+)?(?:to|as)|turns\s+out\s+to\s+be)\b)"
    r"(?:,?\s(?:therefore|thus|then|hence|indeed|simply|just|now|actually|clearly|obviously"
    r"|of\scourse|in\sfact|either|here(?=:)|given\s+by"
    r"|(?:(?:approximately|roughly|about)\s)?equal\s+to)\b(?!\s(?:that|as)\b)){0,2}"
    rf"{_KIND_OF_VALUE}"
)
_OF_WHAT = (
    r"(?:\s(?:choice|option|here|to\s(?:the|this|our|your)\s\w{1,20}|\([a-z][a-z .]{1,30}\)"
    r"|(?:that\s)?(?:we|you|they)\s(?:want|need|seek|get|found|(?:are|were)\slooking\sfor)))?"
    r"(?:,\s[^.,\n]{1,40},(?=\sis\s))?"
)
_FINAL = r"(?:(?<=final\s)|(?<=correct\s)|(?<=right\s)|(?<=best\s))"
_FORMULA = r"(?=[-+]?\d|\\[\[(]|\$|\\boxed)"

_OF_VALUE = r"of(?=\s[-$\\(]{0,3}\d\S{0,20}(?:\s(?!is\b|was\b)[a-z]{1,12}){0,2}\.?\s{0,4}(?:\n|\Z))"
"""`We arrive at an answer of 15`, at the end of a line."""

ENGLISH = Language(
    "English",
    ("ans", "result", "value", "solution", "option", "choice"),
    rf"(?:answers?|ans(?![a-z])){_OF_WHAT}\.?|{_FINAL}(?:result|value|solution|option|choice)\b",
    rf"{_LINKS}|{_OF_VALUE}",
    rf"(?-i:Answer|ANSWER|Ans\b\.?|ANS\b\.?|(?<=inal\s)answer)\s{{1,9}}{_FORMULA}",
)
OPTIONS = ENGLISH._replace(
    name="English, question with choices",
    nouns=rf"{ENGLISH.nouns}|(?:option|choice)s?\b",
)
RESULTS = Language(
    "any result",
    ("result", "solution", "value", "résultat", "risultato", "ergebnis", "结果", "結果"),
    r"(?<![a-z])(?:result|solution|value)s?\b(?:\s(?:of|for|to)\s[^.,:\n]{1,30}?(?=\sis\b))?"
    r"|(?:resultado|résultat|risultato|ergebnis)\b|[结結]果",
    rf"{_LINKS}|(?:es|est|ist|è|é)(?!\w)|[是为為]",
    spaced=False,
)
"""A result may be one on the way, so that it counts only if nothing else states an answer."""

LANGUAGES = (
    Language(
        "Chinese",
        ("答", "选", "選", "最终结果", "最終結果"),
        r"(?:答案|答复|[选選][项項]|最[终終][结結]果|答(?=:))",
        r"(?:应该|應該|应当|应|應|就|便|即)?(?:是|为|為|等于|等於|选择|選擇|选|選)",
        r"(?:(?<=[故应應我则题題])|(?<=因此)|(?<=所以)|(?<=因而)|(?<![一-鿿A-Za-z0-9]))[选選][择擇]?"
        r"\s{0,4}[:项項是为為]{0,2}\s{0,4}(?=[(\[【$\\]{0,3}[A-Z])|答案\s{0,4}(?=[-\d$])",
        r"(?<=[A-Z])(?:选项|選項|项|項)",
        spaced=False,
    ),
    Language(
        "Japanese",
        ("答", "こたえ", "正解", "解答", "回答"),
        r"(?:答え|こたえ|解答|正解|回答|答)",
        r"[はが][、,]?",
        r"答え?\s{1,4}(?=[\d$\\(-])",
        r"(?:になります|となります|でした|です|である|だ)",
        spaced=False,
    ),
    Language(
        "Korean",
        ("정답", "답"),
        r"(?:정답|답안|답)",
        r"[은는이](?=[\s\d(A-Z$\\-])",
        "",
        r"(?:이\s?됩니다|입니다|이다|이에요|예요)",
        spaced=False,
    ),
    Language(
        "French",
        ("réponse", "reponse"),
        r"(?:réponse|reponse)(?:\s(?:finale|correcte))?\b",
        r"(?:est|sont|sera|vaut)\b(?:\s(?:donc|alors))?",
    ),
    Language(
        "Spanish",
        ("respuesta", "solución"),
        r"(?:respuesta|solución)(?:\s(?:final|correcta))?\b",
        r"(?:es|son|sería|será)\b(?:\s(?:entonces|igual\sa))?",
    ),
    Language(
        "German",
        ("antwort", "lösung", "endergebnis"),
        r"(?:antwort|lösung|endergebnis)\b",
        r"(?:ist|lautet|beträgt|wäre)\b(?:\s(?:also|daher|somit))?",
    ),
    Language(
        "Italian",
        ("risposta",),
        r"risposta(?:\s(?:finale|corretta|esatta))?\b",
        r"(?:è|e'|sarà)(?!\w)(?:\squindi)?",
    ),
    Language(
        "Portuguese",
        ("resposta",),
        r"resposta(?:\s(?:final|correta|certa))?\b",
        r"(?:é|e|são|será)(?!\w)(?:\sportanto)?",
    ),
    Language("Dutch", ("antwoord",), r"antwoord\b", r"(?:is|luidt)\b"),
    Language("Swedish, Danish, Norwegian", ("svar",), r"svar(?:et)?\b", r"(?:är|er|blir)\b"),
    Language("Finnish", ("vastaus",), r"vastaus\b", r"on\b"),
    Language("Turkish", ("cevap", "cevab", "yanıt"), r"(?:cevap|cevabı|yanıt)\b"),
    Language(
        "Indonesian, Malay",
        ("jawaban", "jawapan"),
        r"jawa[bp]an(?:nya)?(?:\sakhir)?\b",
        r"(?:adalah|ialah|yaitu)\b",
    ),
    Language("Swahili", ("jibu",), r"jibu(?:\sla\smwisho)?\b", r"ni\b"),
    Language("Polish", ("odpowied",), r"odpowied(?:ź|zią)\b", r"(?:to|jest|brzmi)\b"),
    Language("Czech, Slovak", ("odpov",), r"odpove?ě?ď\b", r"(?:je|zní|znie)\b"),
    Language("Hungarian", ("válasz", "végeredmény"), r"(?:válasz|végeredmény)\b", r"az?\b"),
    Language("Romanian", ("răspuns",), r"răspuns(?:ul)?(?:\sfinal|\scorect)?\b", r"este\b"),
    Language(
        "Vietnamese",
        ("đáp", "câu trả lời"),
        r"(?:đáp\sán|đáp\ssố|câu\strả\slời)(?:\sđúng|\scuối\scùng)?\b",
        r"là\b",
    ),
    Language(
        "Russian",
        ("ответ",),
        r"ответ(?:ом)?\b",
        r"(?:равен|будет|является|это)\b|[-–—](?=\s)",
        r"ответ\s{1,4}(?=\d)",
    ),
    Language(
        "Ukrainian, Bulgarian",
        ("відповід", "отговор"),
        r"(?:відповідь|відповіддю|отговор(?:ът)?)\b",
        r"(?:є|е|дорівнює)\b|[-–—](?=\s)",
    ),
    Language("Greek", ("απάντηση",), r"απάντηση\b", r"είναι\b"),
    Language(
        "Arabic",
        ("الجواب", "الإجابة", "الاجابة"),
        r"(?:الجواب|الإجابة|الاجابة)(?:\s(?:النهائي|النهائية|الصحيح|الصحيحة))?",
        r"(?:هو|هي)(?!\w)",
        spaced=False,
    ),
    Language(
        "Persian, Urdu",
        ("پاسخ", "جواب"),
        r"(?:پاسخ|جواب)(?:\sنهایی)?\b",
        r"(?:برابر\sاست\sبا|برابر|ہے)(?!\w)",
        "",
        r"(?:است|ہے)",
        spaced=False,
    ),
    Language(
        "Hebrew",
        ("תשובה",),
        r"ה?תשובה(?:\s(?:הסופית|הנכונה))?(?!\w)",
        r"(?:היא|הוא)(?!\w)",
        spaced=False,
    ),
    Language(
        "Hindi",
        ("उत्तर", "जवाब"),
        r"(?:उत्तर|जवाब)",
        r"(?:होगा|है)",
        r"(?:उत्तर|जवाब)\s{1,4}(?=\d)",
        r"(?:होगा|है)",
        spaced=False,
    ),
    Language(
        "Bengali",
        ("উত্তর",),
        r"উত্তর(?:টি)?",
        r"(?:হলো|হল)",
        r"উত্তর\s{1,4}(?=\d)",
        spaced=False,
    ),
    Language(
        "Thai",
        ("คำตอบ", "ตอบ"),
        r"คำตอบ(?:สุดท้าย|ที่ถูกต้อง)?",
        r"(?:คือ|เท่ากับ|เป็น)",
        r"ตอบ\s{0,4}(?=\d)",
        spaced=False,
    ),
    Language("Telugu", ("సమాధానం", "జవాబు"), r"(?:సమాధానం|జవాబు)", spaced=False),
    Language("Tamil", ("பதில்", "விடை"), r"(?:பதில்|விடை)", spaced=False),
)

COUNTERS = "个個只隻本人名棵张張辆輛件条條块塊头頭次种種天岁歲匹枚台颗粒개명"
"""Characters between a number and what is counted."""
UNITS = {
    **{"厘米": "cm", "分米": "dm", "千米": "km", "公里": "km", "米": "m", "毫米": "mm"},
    **{"平方厘米": "cm^2", "平方米": "m^2", "立方厘米": "cm^3", "立方米": "m^3"},
    **{"千克": "kg", "公斤": "kg", "克": "g", "升": "L", "毫升": "mL", "度": "degrees"},
    **{"小时": "hours", "小時": "hours", "分钟": "minutes", "分鐘": "minutes", "秒": "seconds"},
    **{"км": "km", "м": "m", "см": "cm", "мм": "mm", "кг": "kg", "г": "g"},
    **{"元": "yuan", "円": "yen", "원": "won"},
}
"""Units that are written after a number in other scripts."""

_CLOSED = r"[*_\"'`\])】」』〉》]{0,5}"
_PUNCTUATION = (
    r":[-–—](?=[\sA-Z])|:\s?[-–—]\s?(?=\(?[A-Za-z]\b(?!\s?[-+*/^=]))|=?[=-]>|[:→⇒]|(?<!=)=(?!=)"
)
_DENIED = r"(?=(?:n['’]est\spas|no\ses|não\sé|non\sè)\b|不是)"
_ARTICLE = (  # Spanish `la opción B`
    r"(?:(?:la|le|el|il|die|der|a|o|de|l['’])\s?)?(?:(?:option|opción|opção|opzione|letra|lettera"
    r"|lettre|alternativa|вариант)\s)?(?=[(\[]?(?-i:[A-Z])\b)"
)
_DASH = r"[-–—](?=\s|\(?(?-i:[A-Z])\b)"
_OPENED = "[【「『〈《"
_HEADING = re.compile(
    r"[ \t]{0,8}(?:[#*_]{1,6}[^\n]{0,24}|(?:the\s)?(?:(?:final|correct|right|best)\s)?)", re.I
)


@cache
def _compile(language: Language) -> re.Pattern[str]:
    """Compile a row: a direct phrase, or a noun with a link, in brackets, or alone on a line."""
    links = "|".join(filter(None, (language.links, _PUNCTUATION, _DENIED)))
    linked = rf"{_CLOSED}\s{{0,20}}(?:{_DASH}|(?:(?:{links})[\s,*_]{{0,20}}){{1,4}}(?:{_ARTICLE})?)"
    bracketed = r"(?P<bracket>[\]】」』〉》])"
    alone = r"(?P<line>[*_: \t]{0,6}\n(?:[=-]{3,40}[ \t]{0,4}\n)?)"
    direct = f"{language.direct}|" if language.direct else ""
    return re.compile(rf"{direct}(?:{language.nouns})(?:{linked}|{bracketed}|{alone})", re.I)


class _Patterns(Mapping[Language, re.Pattern[str]]):
    """The pattern of each row, compiled when a text has one of its words: it takes about 10 ms."""

    def __init__(self, compiled: Callable[[Language], re.Pattern[str]], *rows: Language) -> None:
        self._compiled, self._rows = compiled, rows

    def __getitem__(self, row: Language) -> re.Pattern[str]:
        return self._compiled(row)

    def __iter__(self) -> Iterator[Language]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


_PATTERNS = _Patterns(_compile, ENGLISH, OPTIONS, RESULTS, *LANGUAGES)
_ASCII_WORDS = tuple(word for each in LANGUAGES for word in each.words if word.isascii())
ENDS = re.compile(rf"(?:{'|'.join(each.ends for each in LANGUAGES if each.ends)})\Z")


def _stands(text: str, match: re.Match[str], spaced: bool) -> bool:
    """Return whether what precedes a phrase lets it be one."""
    start = match.start()
    if spaced and text[start - 1 : start].isalpha():
        return False
    if match["bracket"]:
        return any(opened in text[max(0, start - 8) : start] for opened in _OPENED)
    if match["line"]:
        line_start = text.rfind("\n", max(0, start - 40), start) + 1
        if line_start or start <= 40:
            return _HEADING.fullmatch(text, line_start, start) is not None
        return False
    return True


def find_phrases(text: str, lowered: str, language: Language) -> Iterator[tuple[int, int]]:
    """Yield the span of every phrase of one language in a text.

    `lowered` is the text in lower case, of the same length.
    """
    for word in language.words:
        start = lowered.find(word)
        while start >= 0:
            match = _PATTERNS[language].match(text, start)
            if match and _stands(text, match, language.spaced):
                yield match.span()
            start = lowered.find(word, start + len(word))


def spoken(lowered: str) -> list[Language]:
    """Return the languages other than English of whose words a lower-case text has one."""
    if lowered.isascii() and not mentions(lowered, _ASCII_WORDS):
        return []
    return [each for each in LANGUAGES if mentions(lowered, each.words)]

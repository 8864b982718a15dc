"""Detect the language of a text: by its script, and for the Latin script by its commonest words.

Good enough for counting, from one line of text on; it never decides what is learned. Fenced code
blocks are ignored.

Left out on purpose: a trained detector. Small ones guess wildly at a line like "OK, thanks"; good
ones are as large as the built-in model.
"""

import re
from collections import Counter

OTHER = "other"

_LONG_ENOUGH = 600
"""This many characters suffice to detect the language of any text."""

_FENCED = re.compile(r"```.*?(```|\Z)", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

_SCRIPTS = {
    "zh": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"),
    "ja": re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc]"),
    "ko": re.compile(r"[\uac00-\ud7a3\u1100-\u11ff]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "el": re.compile(r"[\u0370-\u03ff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "he": re.compile(r"[\u0590-\u05ff]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
}
_UKRAINIAN = re.compile(r"[іїєґІЇЄҐ]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_DENSE = {"zh": 6, "ja": 6, "ko": 3}
"""How many letters one character of these scripts outweighs. It carries as much meaning as about
three, and counts more because Chinese and Japanese text quotes English far more often than the
reverse.
"""
_SOME_KANA = 0.15
"""From this share of kana among kana and Chinese characters on, a text is Japanese."""

_COMMON = {
    "en": (
        "the of and to a in is that it for on with as was are this be by have from or an at not "
        "you your i what how why which who when where do does can will would should write give "
        "list name make explain describe please hello thanks following sentence my me we they "
        "their there but if about into than then some all one best good find"
    ),
    "de": (
        "der die das und ist nicht ein eine einen einem einer ich du sie wir ihr es zu mit auf für "
        "von dem den des im in was wie warum wer wo wann welche welcher auch aber oder wenn dass "
        "sich bei nach aus über bitte danke schreibe schreib erkläre kann hat sind war wird guten"
    ),
    "fr": (
        "le la les un une des du de et est que qui quoi dans pour pas sur avec ce cette ces je tu "
        "il elle nous vous ils en au aux par plus ne se son sa ses mais ou où comment pourquoi "
        "quel quelle quels quelles écris explique bonjour merci être à c'est l'on été qu'est"
    ),
    "es": (
        "el la los las un una unos unas de del y es que en para por con no se su sus lo al como "
        "cómo qué quién cuál cuándo dónde por está son este esta pero más muy yo tú mi me te nos "
        "hola gracias escribe explica cuáles ser era fue también porque hay"
    ),
    "it": (
        "il lo la i gli le un una uno di del della dei delle e è che in per con non si su come "
        "cosa chi quale perché quando dove sono questo questa ma più molto io tu mi ti ci ciao "
        "grazie scrivi spiega anche nel nella al alla dal essere era"
    ),
    "pt": (
        "o a os as um uma de do da dos das e é que em no na nos nas para por com não se seu sua "
        "como qual quem quando onde porque são este esta isso mas mais muito eu você me olá "
        "obrigado escreva explique também foi ser ao à pelo pela"
    ),
    "nl": (
        "de het een en is niet van in op te dat die voor met zijn ik je jij hij zij wij wat hoe "
        "waarom wie waar wanneer welke ook maar of als om aan bij naar uit over schrijf leg uit "
        "kan heeft was wordt dit deze er hallo dank"
    ),
    "pl": (
        "i w na z się nie to że jest do co jak dlaczego kto gdzie kiedy dla od po ale lub czy "
        "przez ten ta tego jego są był być może napisz wyjaśnij proszę dzień dobry już tylko jaki"
    ),
    "tr": (
        "ve bir bu da de için ile ne nasıl neden kim nerede değil mi mı çok daha gibi olan olarak "
        "var yok ben sen o biz siz ama veya en kadar sonra her yaz açıkla merhaba teşekkürler"
    ),
    "vi": (
        "và của là có không được cho một các những trong với này đó tôi bạn người như thế nào "
        "tại sao gì ai ở đâu khi hãy viết giải thích xin chào cảm ơn để từ đã sẽ"
    ),
}
_LANGUAGES: dict[str, list[str]] = {}
for _language, _words in _COMMON.items():
    for _word in set(_words.split()):
        _LANGUAGES.setdefault(_word, []).append(_language)


def language_of(text: str) -> str:
    """Return the language of a text as an ISO 639-1 code, `other` if unknown.

    Latin letters without any common word ("Paris") count as English if there are no others.
    """
    text = _FENCED.sub(" ", text[:_LONG_ENOUGH])
    if text.isascii():
        return _by_words(text) or ("en" if _LATIN.search(text) else OTHER)
    weights = {
        language: len(pattern.findall(text)) * _DENSE.get(language, 1)
        for language, pattern in _SCRIPTS.items()
    }
    if weights["ja"] > _SOME_KANA * (weights["ja"] + weights["zh"]):
        weights["ja"] += weights.pop("zh")
    script, most = max(weights.items(), key=lambda found: found[1])
    script = "uk" if script == "ru" and _UKRAINIAN.search(text) else script
    if most >= len(_LATIN.findall(text)):
        return script if most else OTHER
    return _by_words(text) or (script if most else OTHER)


def _by_words(text: str) -> str | None:
    found: Counter[str] = Counter()
    for word in _WORD.findall(text.lower().replace("’", "'")):
        found.update(_LANGUAGES.get(word, ()))
    return max(found, key=found.__getitem__) if found else None

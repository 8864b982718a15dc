"""Find secrets and personal data in text before it is shared.

A feedback record repeats whole conversations, and people paste keys and addresses into them. The
rules look for what can hardly be anything else: keys by their makers' formats, numbers by their
check digits, and passwords by the words before them. Placeholders (`your-key`, `${TOKEN}`) are
ignored, so that a warning stays worth reading.

Why not detect-secrets: it scans source code line by line, so it would miss the body of a private
key; it knows no e-mail addresses, card or account numbers; and its entropy and keyword heuristics
give many false positives in prose. Left out on purpose: names, postal addresses and phone numbers,
which no rule can tell from other words and numbers.

Limits: a password of letters alone is found only if it is long, ends its line and is no usual word
(`password: required`); one that looks like code (`password1`, `config.key_2`, a path) is not. One
long number in ten that begins like a bank card has its check digit by chance. Each rule takes time
linear in the text.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from store.i18n import N_
from store.records import Record

EMAIL = N_("e-mail address")


@dataclass(frozen=True)
class Secret:
    """A part of a text that should not be shared."""

    kind: str
    """What it is, in plain English."""
    start: int
    end: int


@dataclass(frozen=True)
class _Rule:
    kind: str
    pattern: re.Pattern[str]
    """Matches candidates; the group `secret` is the part to hide, or the whole match."""
    marks: tuple[str, ...] = ()
    """A text without any of these (lower-case) has no match; a cheap test that comes first."""
    check: Callable[[str], bool] = lambda found: True
    """Whether a match really is one."""


def find(text: str) -> list[Secret]:
    """Return the secrets in a text, in order and without overlaps."""
    lowered = text.lower()
    found: list[Secret] = []
    taken = bytearray()
    for rule in _RULES:
        if rule.marks and not any(mark in lowered for mark in rule.marks):
            continue
        for secret in _matches(rule, text):
            # Earlier rules are more specific, so their matches take precedence.
            taken = taken or bytearray(len(text))
            if not any(taken[secret.start : secret.end]):
                taken[secret.start : secret.end] = b"\1" * (secret.end - secret.start)
                found.append(secret)
    return sorted(found, key=lambda secret: secret.start)


def redact(text: str) -> str:
    """Replace everything that `find` finds by `[e-mail]` or `[secret]`."""
    parts: list[str] = []
    end = 0
    for secret in find(text):
        stand_in = "[e-mail]" if secret.kind == EMAIL else "[secret]"
        parts += (text[end : secret.start], stand_in)
        end = secret.end
    return "".join((*parts, text[end:]))


def redacted(record: Record) -> Record:
    """Return the record with all texts and names redacted, or the same object."""
    changes: dict[str, Any] = {
        name: hidden
        for name in ("completion", "chosen", "rejected", "comment")
        if (plain := getattr(record, name, "")) and (hidden := redact(plain)) != plain
    }
    origin = {
        name: hidden
        for name in ("source", "model", "revision", "adapter")
        if (plain := getattr(record.origin, name)) and (hidden := redact(plain)) != plain
    }
    if origin:
        changes["origin"] = record.origin.model_copy(update=origin)
    reasons = tuple(map(redact, getattr(record, "reasons", ())))
    if reasons != getattr(record, "reasons", ()):
        changes["reasons"] = reasons
    prompt = tuple(
        message.model_copy(update={"content": redact(message.content)}) for message in record.prompt
    )
    if prompt != record.prompt:
        changes["prompt"] = prompt
    return record.model_copy(update=changes) if changes else record


def _matches(rule: _Rule, text: str) -> Iterator[Secret]:
    group = "secret" if "secret" in rule.pattern.groupindex else 0
    for match in rule.pattern.finditer(text):
        if rule.check(match[group]):
            yield Secret(rule.kind, *match.span(group))


# -- checks ----------------------------------------------------------------------------------------

_PLACEHOLDER = re.compile(
    r"^[\[<{$%(*]|[<>{}()]|\.\.\.|(.)\1{4}|your|example|placeholder|change.?me|redacted|dummy"
    r"|(?<![a-z])(?:my|the|some).?(?:password|secret|token|key)",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?:pass(?:word|wd)?|pwd|secret|token|key)_?\d*|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+"
    r"|(?:\.{0,2}|~|[A-Za-z]:)[/\\][\w./\\-]*",
    re.IGNORECASE,
)
"""A variable, an attribute or a path in the place of a password."""
_WORDS = frozenset(
    {"characters", "authentication", "configuration", "credentials", "confirmation", "encryption"}
    | {"environment", "validation", "management", "unavailable", "plaintext", "passphrase"}
    | {"verification", "authorization", "requirements", "information", "understand", "protection"}
)
"""Long words that stand after “password:” without being one."""
_LONG_WORD = 10


def _no_placeholder(value: str) -> bool:
    return not _PLACEHOLDER.search(value)


def _random(value: str) -> bool:
    """Letters and digits mixed, as in keys but not in words."""
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return mixed and _no_placeholder(value)


def _keylike(value: str) -> bool:
    """A digit, or letters of both cases or capitals alone: few keys have no digit, but some do."""
    body = value[value.rfind("_", 0, 12) + 1 :]
    return (any(c.isdigit() for c in value) or body.lower() != body) and _no_placeholder(value)


def _password(value: str) -> bool:
    return _random(value) and not _CODE.fullmatch(value)


def _word_as_password(value: str) -> bool:
    return value.lower() not in _WORDS and _no_placeholder(value) and not _CODE.fullmatch(value)


def _password_in_url(value: str) -> bool:
    return _no_placeholder(value) and value.lower() not in {"password", "pass", "pwd", "secret"}


_FILE = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|ico|pdf|jsx?|tsx?|s?css|jsonl?|xml|html?|txt|csv|tsv|ya?ml|toml"
    r"|lock|gz|tgz|zip|whl|bin|gguf|safetensors)$",
    re.IGNORECASE,
)


def _is_email(value: str) -> bool:
    """No picture for a dense screen (`a@2x.png`), package with its version, or file of a user."""
    local, _at, domain = value.rpartition("@")
    domain = _FILE.sub("", domain)
    return "." in domain and not re.match(r"\d+x\b|\d+\.\d+", domain) and local != "git"


def _is_card(value: str) -> bool:
    """Luhn check digit."""
    digits = [int(c) for c in value if c.isdigit()][::-1]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _is_iban(value: str) -> bool:
    """ISO 13616 check digits."""
    plain = value.replace(" ", "")
    number = "".join(str(int(c, 36)) for c in plain[4:] + plain[:4])
    return int(number) % 97 == 1


def _is_chinese_id(value: str) -> bool:
    """GB 11643 check digit."""
    total = sum(int(c) * pow(2, 17 - i, 11) for i, c in enumerate(value[:17]))
    return "10X98765432"[total % 11] == value[17].upper()


# -- rules -----------------------------------------------------------------------------------------

_KEYS = (
    r"sk-(?:proj|svcacct|admin|ant|or)-[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic, OpenRouter
    r"sk-(?:[A-Za-z0-9]{1,12}-){0,3}[A-Za-z0-9_]{20,}",  # DeepSeek and others
    r"(?:gsk|hf|r8|npm|fw|lin_api|shp(?:at|ca|pa|ss)|figd|ntn|dckr_pat|sntrys|rubygems|glsa"
    r"|lsv2_(?:pt|sk)|do[opr]_v1|pk_live)_[A-Za-z0-9]{20,}(?:_[A-Za-z0-9]{6,})?",
    r"(?:gl(?:pat|dt|rt|soat|ptt|cbt)|nvapi|tvly|pplx)-[A-Za-z0-9_-]{20,}",
    r"xai-[A-Za-z0-9]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}",
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",  # Amazon
    r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}",  # Google
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{20,}",  # Slack
    r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{20,}",  # Stripe
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",  # SendGrid
    r"pypi-Ag[A-Za-z0-9_-]{50,}",
    r"\d{8,10}:AA[A-Za-z0-9_-]{30,}",  # Telegram
    r"LTAI[A-Za-z0-9]{12,24}",  # Alibaba
    r"AKID[A-Za-z0-9]{32}",  # Tencent
    r"dapi[a-f0-9]{32}(?:-\d{1,3})?",  # Databricks
    r"hv[sbr]\.[A-Za-z0-9_-]{24,}",  # Vault
    r"ATATT3[A-Za-z0-9_=-]{20,}|ATCTT3[A-Za-z0-9_=-]{20,}",  # Atlassian
    r"key-[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2}",  # Mailgun, Mailchimp
    r"SK[0-9a-f]{32}",  # Twilio
    r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",  # Postman
    r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",  # Discord
    r"AGE-SECRET-KEY-1[A-Z0-9]{58}|tskey-[a-z]{3,8}-[A-Za-z0-9-]{20,}|pul-[0-9a-f]{40}",
)

_SECRET_NAMES = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret(?:[_ -]?(?:access[_ -]?)?key)?"
    r"|(?:api|access|auth|account|private|client|encryption|session|security|refresh|bearer"
    r"|personal|bot|deploy)[_ -]?(?:key|token|secret)|密码|口令|密钥)"
)
_VALUE = r"(?P<secret>(?:(?![\"'`,;]|\.{1,3}(?:[\"'`,;]|[^!-~]|$))[!-~]){6,2000}+)"
"""Printable ASCII without quotes around it or a period after it."""
_NAME_MARKS = ("pass", "pwd", "secret", "key", "token", "密码", "口令", "密钥")

_IBAN_LENGTHS = {
    **{"AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20},
    **{"ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26},
    **{"IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15},
    **{"PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24, "TR": 26, "UA": 29, "AE": 23},
    **{"SA": 24, "IL": 23, "BR": 29, "KZ": 20, "PK": 24, "QA": 29},
}
_IBAN = "|".join(
    rf"{country}\d\d(?: ?[A-Z0-9]){{{length - 4}}}" for country, length in _IBAN_LENGTHS.items()
)

_RULES = (
    _Rule(
        N_("private key"),
        re.compile(
            r"-----BEGIN (?P<what>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----"
            r"(?:(?:[^-]|-(?!----)){0,20000}+-----END (?P=what)-----|[A-Za-z0-9+/=\s]*+)",
        ),
        ("private key",),
    ),
    _Rule(
        N_("API key"),
        re.compile(rf"(?<![A-Za-z0-9_-])(?:{'|'.join(_KEYS)})(?![A-Za-z0-9_-])"),
        check=_keylike,
    ),
    _Rule(
        N_("token"),
        re.compile(r"(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{8,}\.[\w-]{8,}", re.ASCII),
        ("eyj",),
    ),
    _Rule(
        N_("token"),
        re.compile(r"\b(?:Bearer|Basic)\s+(?P<secret>[\w.~+/-]{16,}=*)", re.ASCII | re.IGNORECASE),
        ("bearer", "basic"),
        _random,
    ),
    _Rule(
        N_("token"),
        re.compile(
            r"(?:[?&;]sig=|AccountKey=|X-Amz-(?:Signature|Security-Token)=)"
            r"(?P<secret>[A-Za-z0-9%+/_-]{20,2000}+=*)",
            re.IGNORECASE,
        ),
        ("sig=", "accountkey=", "x-amz-"),
        _random,
    ),
    _Rule(
        N_("secret address"),
        re.compile(
            r"https://(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)"
            r"/(?P<secret>[\w/-]{16,})",
            re.ASCII,
        ),
        ("hooks.slack.com", "webhooks"),
    ),
    _Rule(
        N_("password"),
        re.compile(r"(?<=://)[^\s/:@?#]{0,100}:(?P<secret>[^\s/@]{1,200})@(?=[\w\[])"),
        ("://",),
        _password_in_url,
    ),
    _Rule(
        N_("password"),
        re.compile(
            rf"{_SECRET_NAMES}[\"'`]?\s{{0,20}}+(?:[:=：]|\bis\b|是|为)\s{{0,20}}+[\"'`]?{_VALUE}",
            re.IGNORECASE,
        ),
        _NAME_MARKS,
        _password,
    ),
    _Rule(
        N_("password"),
        re.compile(
            rf"--(?:[a-z]{{1,20}}-){{0,2}}(?:password|secret|token|key)[ =][\"'`]?{_VALUE}",
            re.IGNORECASE,
        ),
        ("--",),
        _password,
    ),
    _Rule(
        N_("password"),
        re.compile(
            r"(?:pass(?:word|wd|phrase)|密码|口令)[\"'`]?\s{0,20}+[:=：]\s{0,20}+[\"'`]?"
            rf"(?P<secret>[A-Za-z]{{{_LONG_WORD},64}}+)"
            r"(?=\.?[\"'`,;]?[ \t]{0,20}+(?:$|[\n,;}]))",
            re.IGNORECASE,
        ),
        _NAME_MARKS,
        _word_as_password,
    ),
    _Rule(
        EMAIL,
        re.compile(
            r"(?<![A-Za-z0-9.!#$%&*+=?^_{|}~-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}+"
            r"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
        ),
        ("@",),
        _is_email,
    ),
    _Rule(
        N_("account number"),
        re.compile(rf"(?<![A-Za-z0-9])(?:{_IBAN})(?![A-Za-z0-9])"),
        check=_is_iban,
    ),
    _Rule(
        N_("identity number"),
        re.compile(
            r"(?<!\d)[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
            r"(?![\dA-Za-z])",
            re.ASCII,
        ),
        check=_is_chinese_id,
    ),
    _Rule(
        N_("card number"),
        re.compile(
            r"(?<![\d.,-])(?:62\d{14,17}|62\d\d(?P<bar>[ -])\d{4}(?P=bar)\d{4}(?P=bar)\d{4}"
            r"(?:(?P=bar)\d{1,3})?|9558\d{15}"  # UnionPay, and an older kind of it
            r"|(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6\d{3}|35\d\d)(?P<gap>[ -]?)"
            r"\d{4}(?P=gap)\d{4}(?P=gap)\d{4}|3[47]\d\d(?P<space>[ -]?)\d{6}(?P=space)\d{5})"
            r"(?![\d-]|[.,]\d)",
            re.ASCII,
        ),
        check=_is_card,
    ),
)

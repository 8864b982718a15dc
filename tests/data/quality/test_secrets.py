"""What must not be shared is found, and little else.

The keys here are made up: put together from parts, so that no scanner takes them for real ones.
"""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.quality.secrets import find, redact, redacted
from store.records import ChatMessage, Instruction, Preference, Verdict

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"

RANDOM = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC2eF4hJ6kL8n"
KEYS = {
    "OpenAI": "sk-proj-" + RANDOM,
    "Anthropic": "sk-ant-" + "api03-" + RANDOM + "_-AA",
    "GitHub": "ghp" + "_" + RANDOM[:36],
    "GitHub, fine": "github" + "_pat_" + RANDOM,
    "GitLab": "glpat" + "-" + RANDOM[:20],
    "Amazon": "AKIA" + "J7QX4WSN5ZBTR2VA",
    "Google": "AIza" + (RANDOM + RANDOM)[:35],
    "Slack": "xoxb" + "-123456789012-" + RANDOM[:24],
    "Stripe": "sk_" + "live_" + RANDOM[:24],
    "Hugging Face": "hf" + "_" + RANDOM[:34],
    "npm": "npm" + "_" + RANDOM[:36],
    "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" + RANDOM,
    "SendGrid": "SG." + RANDOM[:22] + "." + RANDOM + "abc",
    "Telegram": "123456789" + ":AA" + RANDOM[:33],
    "Alibaba": "LTAI" + RANDOM[:20],
}


def hidden(text: str) -> list[tuple[str, str]]:
    return [(secret.kind, text[secret.start : secret.end]) for secret in find(text)]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize(
    "around", ["{}", "key={}\n", "用{}来登录", '{{"k": "{}"}}', "({})", "“{}”。"]
)
def test_keys_are_found_by_their_form(key: str, around: str) -> None:
    text = around.format(key)
    assert [found for _, found in hidden(text)] == [key]
    assert redact(text) == around.format("[secret]")


@pytest.mark.parametrize(
    ("text", "kind", "secret"),
    [
        ("Write to jane.doe+x@mail.co.uk.", "e-mail address", "jane.doe+x@mail.co.uk"),
        ("请联系zhang@qq.com谢谢", "e-mail address", "zhang@qq.com"),
        ("<mailto:a@b.io>", "e-mail address", "a@b.io"),
        ("postgres://admin:s3cr3t!x@db.internal/x", "password", "s3cr3t!x"),
        ("redis://:hunter22@localhost:6379", "password", "hunter22"),
        ("password: hunter2a", "password", "hunter2a"),
        ("my password is hunter2a.", "password", "hunter2a"),
        ('{"api_key": "d41d8cd98f00b204"}', "password", "d41d8cd98f00b204"),
        ("密码：abc12345，谢谢", "password", "abc12345"),
        ("AWS_SECRET_ACCESS_KEY=" + RANDOM, "password", RANDOM),
        ("Authorization: Bearer " + RANDOM, "token", RANDOM),
        ("eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0" + ".c2lnbmF0dXJl", "token", None),
        ("card 4111 1111 1111 1111, thanks", "card number", "4111 1111 1111 1111"),
        ("5500005555555559", "card number", "5500005555555559"),
        ("3782-822463-10005", "card number", "3782-822463-10005"),
        ("IBAN DE89 3704 0044 0532 0130 00 AND", "account number", "DE89 3704 0044 0532 0130 00"),
        ("GB29NWBK60161331926819", "account number", "GB29NWBK60161331926819"),
        ("身份证11010519491231002X号", "identity number", "11010519491231002X"),
    ],
)
def test_each_kind_is_found_with_its_place(text: str, kind: str, secret: str | None) -> None:
    assert hidden(text) == [(kind, secret or text)]


@pytest.mark.parametrize(
    "text",
    [
        "The password must be at least 12 characters long.",
        "password: <your password>",
        "API_KEY=your_api_key_1",
        "export TOKEN=${API_TOKEN1}",
        "api_key = os.environ['API_KEY_1']",
        "sk-this-is-a-slug-and-not-a-key",
        "https://user:password@host/x",
        "https://example.com:8080/a@b",
        "@dataclass and @user.name",
        "4111 1111 1111 1112 fails the check",
        "1234567890123456 starts as no card does",
        "3.14159265358979323846264338",
        "DE89370400440532013001 is no account",
        "commit 4f2a9d1c8be7745503d9c1a2b3c4d5e6f7a8b9c0",
        "123e4567-e89b-12d3-a456-426614174000",
        "The secret is 3 things.",
        "asia 1 token = about 4 letters",
        "0000 0000 0000 0000",
    ],
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert hidden(text) == []
    assert redact(text) == text


@pytest.mark.parametrize("end", ["\n-----END RSA PRIVATE KEY-----", ""])
def test_a_private_key_is_hidden_with_its_body(end: str) -> None:
    key = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow+/IBAAK\nabc=" + end
    assert redact(f"Here:\n{key} – thanks") in (
        "Here:\n[secret] – thanks",
        "Here:\n[secret]– thanks",
    )


def test_several_in_one_text_are_all_hidden() -> None:
    text = f"I am a@b.io, key {KEYS['OpenAI']}, mysql://me:pa55w0rd@c.io and c@d.org"
    assert redact(text) == "I am [e-mail], key [secret], mysql://me:[secret]@c.io and [e-mail]"


@given(st.text("aA1@.:/ -_=我sk\n'\"", max_size=80) | st.text())
def test_redacting_is_complete_and_loses_nothing_else(text: str) -> None:
    found = find(text)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    expected, end = "", 0
    for secret in found:
        stand_in = "[e-mail]" if secret.kind == "e-mail address" else "[secret]"
        expected, end = expected + text[end : secret.start] + stand_in, secret.end
    assert redact(text) == expected + text[end:]
    assert redact(redact(text)) == redact(text)


def test_every_text_of_a_record_is_redacted_and_the_rest_is_as_it_was() -> None:
    asked = (
        ChatMessage(role="system", content="Be a@b.io"),
        ChatMessage(role="user", content="I am c@d.io"),
    )
    verdict = Verdict(prompt=asked, completion="Hi c@d.io", label=False, comment="ask e@f.io")
    clean = redacted(verdict)
    assert isinstance(clean, Verdict)
    assert [turn.content for turn in clean.prompt] == ["Be [e-mail]", "I am [e-mail]"]
    assert (clean.completion, clean.comment) == ("Hi [e-mail]", "ask [e-mail]")
    assert (clean.id, clean.created, clean.label) == (verdict.id, verdict.created, False)
    pair = Preference(prompt=asked[1:], chosen="a@b.io", rejected="no")
    assert redacted(pair).model_dump()["chosen"] == "[e-mail]"


def test_a_record_with_nothing_to_hide_is_the_same() -> None:
    record = Instruction(prompt=(ChatMessage(role="user", content="hello"),), completion="hi")
    assert redacted(record) is record


@pytest.mark.skipif(not DATA.exists(), reason="the real data is not here")
def test_real_instructions_raise_few_alarms() -> None:
    rows = [
        row
        for name in ("alpaca_en_demo", "alpaca_zh_demo")
        for row in json.loads((DATA / "llama-factory" / f"{name}.json").read_text("utf-8"))
    ]
    alarms = [found for row in rows for text in row.values() if text for found in hidden(text)]
    assert len(alarms) < len(rows) / 100
    assert {kind for kind, _ in alarms} <= {"e-mail address", "password"}

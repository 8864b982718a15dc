"""Strings that break programs: of markup, Markdown, terminals, Unicode and sheer size."""

import random
from collections.abc import Iterator

PARTS = (
    "[/etc/passwd]", "([sys:LOCK=SAFE…])", "[b", "[/]", "[@click=app.quit]x[/]", "[/#888888]",
    "$error", "{0}", "{key:app.tune}", "%s", "\\", "\\\n", "`", "``", "```", "```ini\na=b:\\\n```",
    "~~~html\n<a b='\n~~~", "```python title=[/x]\ndef __add__(s): ...\n```", "```\n", "    code\n",
    "| a | [/b] |\n|--:|:-:|\n| [x | `|` |\n", "|a|\n|-|\n", "- [ ] [/todo]\n", "- [x] `[b`\n",
    "1. [ ] x\n", "999999999. x\n", "# [/h1]\n", "## [b\n", "===\n", "---\n", "> > > > [/q]\n",
    "<script>&#27;[31m</script>", "&#x202e;", "&#0;", "&#xfffe;", "[x](javascript:alert(1))",
    "![i](file:///etc/passwd)", "[a][b]\n\n[b]: <x y>\n", "<think>", "</think>", "<|im_end|>",
    "\x1b[2J", "\x1b]0;t\x07", "\x9b31m", "\x00", "\x08", "\x7f", "\r", "\t", "\v", "\f", "\x85",
    "\u2028", "\u2029", "\u202e", "\u2067", "\u200b", "\u200d", "\ufeff", "\ufffd", "\ufffe",
    "e\u0301\u0302\u0303", "👨‍👩‍👧‍👦", "🏳️‍🌈", "1️⃣", "你好，世界", "مرحبا", "שלום", "Z̸̛a̷l̶g̵o̸", "ﷺ",
    "𒐫", "\U0010ffff", "x" * 400, "宽" * 200, "-" * 90, " " * 90, "* " * 30, "[" * 40, "(" * 40,
    "https://a.b/" + "c" * 200, "' OR 1=1 --", "$(id)", "; rm -rf /", "../../etc", "CON", "NULL",
    "1e999", "-0", "0x", "١٢٣",
)  # fmt: skip
_GLUE = ("", " ", "\n", "\n\n", "|", "\n- ", "\n> ", "**", "\n    ")


def strings(count: int, seed: int = 1) -> Iterator[str]:
    """Yield every part by itself, then `count` mixtures of them."""
    yield from PARTS
    dice = random.Random(seed)
    for _ in range(count):
        parts = dice.choices(PARTS, k=dice.randint(2, 8))
        yield "".join(part + dice.choice(_GLUE) for part in parts)

"""JSON on standard output: valid and complete in every locale, and harmless in every terminal."""

import json
import re
import sys
from typing import Any

import click

from tui.terminal.output import speaks_utf8
from tui.text_format import STEERING


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Serialize `value`.

    Characters that could control a terminal are escaped, and all but ASCII where standard output is
    not UTF-8; a parser reads the same.
    """
    text = json.dumps(value, ensure_ascii=not speaks_utf8(sys.stdout), indent=indent)
    return STEERING.sub(_escape, text)


def echo_json(value: Any, *, indent: int | None = None) -> None:
    click.echo(to_json(value, indent=indent))


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"

"""Expressions over a reply, in a file that may come from anywhere.

They look like Python and are parsed as Python, but nothing is executed: the few kinds of nodes that
are allowed are interpreted here. No attribute, index, loop or power, so an expression can neither
reach anything nor take long.

    len(words(reply)) < 20 and "thank" not in lower(reply)
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from store.i18n import _

_LONGEST = 1000
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "len": len,
    "lower": lambda text: _text(text).lower(),
    "upper": lambda text: _text(text).upper(),
    "strip": lambda text: _text(text).strip(),
    "words": lambda text: _text(text).split(),
    "lines": lambda text: _text(text).splitlines(),
    "count": lambda text, part: _text(text).count(_text(part)),
    "starts": lambda text, part: _text(text).startswith(_text(part)),
    "ends": lambda text, part: _text(text).endswith(_text(part)),
    "number": lambda text: float(_NUMBER.findall(_text(text))[0]),
}
"""`number` is the first one in a text; a check on a text without any fails."""
_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda part, whole: part in whole,
    ast.NotIn: lambda part, whole: part not in whole,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
}
NAMES = ("reply", "prompt")


def parse(source: str) -> ast.expr:
    """Parse an expression.

    Raises:
        ValueError: it is too long, is not an expression, or uses something that is not allowed.
    """
    if len(source) > _LONGEST:
        raise ValueError(_("longer than {limit} characters").format(limit=_LONGEST))
    try:
        body = ast.parse(source.strip(), mode="eval").body
        nodes = list(ast.walk(body))
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        for node in nodes:
            if id(node) not in called:
                _check(node)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(_("not an expression: {text}").format(text=source)) from error
    return body


def holds(expression: ast.expr, reply: str, prompt: str) -> bool:
    """Return whether a parsed expression is true; one that cannot be computed is not."""
    try:
        return bool(_value(expression, {"reply": reply, "prompt": prompt}))
    except (TypeError, ValueError, ArithmeticError, IndexError, RecursionError):
        return False


def _check(node: ast.AST) -> None:
    match node:
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _FUNCTIONS:
            pass
        case ast.Name(id=name) if name in NAMES:
            pass
        case ast.Constant(value=str() | int() | float()) | ast.Load() | ast.And() | ast.Or():
            pass
        case ast.BoolOp() | ast.Compare() | ast.BinOp() | ast.UnaryOp():
            pass
        case _ if type(node) in _OPERATORS:
            pass
        case _:
            raise ValueError(
                _("not allowed in an expression: {text}").format(text=ast.unparse(node))
            )


def _value(node: ast.expr, names: Mapping[str, str]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return names[node.id] if node.id in names else _refuse(node)
        case ast.Call(func=ast.Name(id=name)):
            return _FUNCTIONS[name](*(_value(argument, names) for argument in node.args))
        case ast.UnaryOp():
            return _OPERATORS[type(node.op)](_value(node.operand, names))
        case ast.BinOp():
            return _OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names))
        case ast.BoolOp(op=ast.And()):
            return all(_value(part, names) for part in node.values)
        case ast.BoolOp():
            return any(_value(part, names) for part in node.values)
        case ast.Compare():
            sides = [_value(part, names) for part in (node.left, *node.comparators)]
            return all(
                _OPERATORS[type(op)](left, right)
                for op, left, right in zip(node.ops, sides, sides[1:], strict=False)
            )
    return _refuse(node)


def _refuse(node: ast.AST) -> Any:
    raise TypeError(ast.unparse(node))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value

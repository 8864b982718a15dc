"""Reasons of the disk and of pydantic, in English as they came and in Chinese."""

import errno
import os
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from store import error_messages
from store.i18n import using_language


class _Every(BaseModel):
    model_config = ConfigDict(extra="forbid")

    whole: int = Field(0, gt=-2, lt=10)
    share: float = Field(0, ge=0, le=1, allow_inf_nan=False)
    flag: bool = False
    word: str = ""
    names: tuple[str, ...] = ()
    listed: list[str] = []
    table: dict[str, str] = {}
    inner: "_Every | None" = None
    kind: Literal["a", "b"] = "a"


class _Needed(BaseModel):
    needed: int


WRONG: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (_Needed, {}),
    (_Every, {"other": 1}),
    (_Every, {"whole": 10}),
    (_Every, {"whole": -2}),
    (_Every, {"whole": "x"}),
    (_Every, {"whole": 1.5}),
    (_Every, {"whole": []}),
    (_Every, {"share": 1.5}),
    (_Every, {"share": -1}),
    (_Every, {"share": "x"}),
    (_Every, {"share": []}),
    (_Every, {"share": float("nan")}),
    (_Every, {"flag": "x"}),
    (_Every, {"flag": []}),
    (_Every, {"word": 1}),
    (_Every, {"names": 1}),
    (_Every, {"listed": 1}),
    (_Every, {"table": 1}),
    (_Every, {"inner": 1}),
    (_Every, {"kind": "c"}),
]


def error_of(model: type[BaseModel], values: dict[str, Any]) -> ErrorDetails:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return caught.value.errors()[0]


@pytest.mark.parametrize(("model", "values"), WRONG)
def test_what_is_wrong_with_a_value(model: type[BaseModel], values: dict[str, Any]) -> None:
    error = error_of(model, values)
    assert error_messages.validation_message(error) == error["msg"]
    with using_language("zh"):
        told = error_messages.validation_message(error)
    assert told != error["msg"]
    assert "{" not in told


def test_every_message_is_one_of_pydantics() -> None:
    told = {error["type"]: error for error in (error_of(*one) for one in WRONG)}
    assert set(error_messages._MATTERS) == set(told)
    for kind, template in error_messages._MATTERS.items():
        said = template.format(**told[kind].get("ctx", {}))
        assert said.replace(".0", "") == told[kind]["msg"]


def test_what_is_not_known_stays_as_it_came() -> None:
    error: ErrorDetails = {"type": "other", "loc": (), "msg": "Something else", "input": 1}
    with using_language("zh"):
        assert error_messages.validation_message(error) == "Something else"


def test_the_reasons_of_the_disk() -> None:
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/a")
    assert error_messages.reason(error) == "Permission denied"
    assert error_messages.reason(OSError("odd")) == "odd"
    with using_language("zh"):
        assert error_messages.reason(error) == "没有权限"

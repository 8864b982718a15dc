"""Reasons are stored in English and shown in the user's language."""

import pytest

from core import stop_reasons
from store.i18n import using_language

KEPT = {
    "hold-out loss rose from 1.20 to 1.35": "留出集损失从 1.20 升到 1.35",
    "probe loss rose by 4.2%": "探测损失上升了 4.2%",
    "only 80% of the probe replies end by themselves (95% before)": (
        "只有 80% 的探测回复能自行结束（之前为 95%）"
    ),
    "the policy went 0.61 nats a token further from the base": (
        "策略与基座的差距又增加了每词元 0.61 nats"
    ),
    "62% of the replies no longer ended": "62% 的回复不再能结束",
    "something an older version said": "something an older version said",
}


@pytest.mark.parametrize(("kept", "chinese"), KEPT.items())
def test_a_reason_is_told_in_any_language(kept: str, chinese: str) -> None:
    assert stop_reasons.translated(kept) == kept
    with using_language("zh"):
        assert stop_reasons.translated(kept) == chinese


def test_every_reason_is_among_them() -> None:
    assert len(stop_reasons._ALL) == len(KEPT) - 1

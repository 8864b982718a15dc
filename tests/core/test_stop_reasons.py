"""Reasons are stored in English and shown in the user's language."""

import pytest

from core import stop_reasons
from store.i18n import using_language

KEPT = {
    "hold-out loss rose from 1.20 to 1.35": "留出集损失从 1.20 升到 1.35",
    "probe loss rose by 4.2%": "通用能力损失上升了 4.2%",
    "only 80% of the probe replies end by themselves (95% before)": (
        "只有 80% 的探测回复能自行结束（之前为 95%）"
    ),
    "replies drifted 0.31 nats a token from the base (limit 0.25)": (
        "回复与基座的差距为每词元 0.31 nats（上限 0.25）"
    ),
    "replies drifted 0.18 nats a token further from the base (limit 0.15)": (
        "回复与基座的差距又增加了每词元 0.18 nats（上限 0.15）"
    ),
    "probe replies went from 210 to 9 characters on average": (
        "探测题回复的平均长度从 210 个字符变为 9 个"
    ),
    "80% of the probes got the same reply, “it is\nnegative”": (
        "80% 的探测题得到同一条回复“it is\nnegative”"
    ),
    "held-out pairs ranked right fell from 90% to 40%": ("留出的偏好对中排序正确的从 90% 降到 40%"),
    "liked held-out replies lost 0.97 nats against disliked ones": (
        "留出的回复中，点赞的相对点踩的下降了 0.97 nats"
    ),
    "mean reward on held-out prompts fell from 1.50 to 0.53": "留出提示的平均奖励从 1.50 降到 0.53",
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

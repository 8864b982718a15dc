"""What stands beside a wide chat."""

from tui.views.chat import RecalledView, ReplyView
from tui.views.side_panel import recalled


def reply(*records: RecalledView) -> ReplyView:
    return ReplyView(id="r", text="Lyon.", question="Capital?", recalled=records)


def test_what_the_last_reply_followed_is_listed() -> None:
    followed = RecalledView("Capital of\nFrance?", "Lyon.")
    assert recalled([reply(), reply(followed, RecalledView())]) == ("Capital of France? → Lyon.",)
    assert recalled([reply(followed), reply()]) == ()
    assert recalled([]) == ()

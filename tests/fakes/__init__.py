"""Scripted twins of the workers, and a home with them: what tests of the screens need.

The same calls and events as the real ones, from a real thread, without a model. What a twin does by
itself or only when told is chosen by the test, so nothing depends on how fast a thread runs. They
save real (empty) adapter versions, so versions, plans and counts are real.
"""

from tests.fakes.chat import FakeChat
from tests.fakes.home import Home
from tests.fakes.thread import FOLDER, Emit
from tests.fakes.tuning import FakeTuning, examined, proof, rollout

__all__ = ["FOLDER", "Emit", "FakeChat", "FakeTuning", "Home", "examined", "proof", "rollout"]

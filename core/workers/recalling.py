"""Recall for the replies of one model: to the chat, and to other programs."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.workers.serving_model import ServingModel
from data.prompt_fitting import NO_EXAMPLES, Examples
from store.records import ChatMessage, Record

if TYPE_CHECKING:
    from core.recall import Example, Recall

log = logging.getLogger(__name__)


class Recalling:
    """Finds the records that a version has not learned yet; in the thread of the model."""

    def __init__(self, model: ServingModel) -> None:
        self._model = model
        self._recall: Recall | None = None

    def found(
        self, messages: Sequence[ChatMessage], records: Sequence[Record], version: str
    ) -> "tuple[tuple[Example, ...], Examples]":
        """Return the records like the last of `messages`, and as a prompt has them.

        There are none if they cannot be looked for.
        """
        adapters, engine = self._model.adapters, self._model.engine
        if not records or adapters is None or engine is None:
            return (), NO_EXAMPLES
        try:
            # Imported here because it loads numpy, which the first paint does not need.
            from core.recall import Recall, placed

            self._recall = self._recall or Recall()
            learned = adapters.learned(version)
            found = self._recall.examples(messages, records, learned, engine.count_tokens)
            return found, placed(found)
        except Exception:
            log.exception("Corrections could not be recalled")
            return (), NO_EXAMPLES

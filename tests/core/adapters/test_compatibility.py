"""A version is refused on a base it was not trained on."""

import json
from hashlib import sha256

import pytest

from core.adapters.registry import Adapters
from store.errors import TuteeError
from tests.versions import add_version


def test_an_adapter_of_another_base_is_refused(adapters: Adapters) -> None:
    add_version(adapters, revision="revision-0")
    with pytest.raises(TuteeError, match="another revision"):
        adapters.use("v1")


@pytest.mark.parametrize("there", ["jinja", "config", "named"])
def test_an_adapter_of_another_template_is_refused(adapters: Adapters, there: str) -> None:
    base = adapters.folder.path
    base.mkdir()
    if there == "jinja":
        (base / "chat_template.jinja").write_text("{{ messages }}")
    elif there == "config":
        (base / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    else:
        named = [{"name": "default", "template": "{{ messages }}"}]
        (base / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    add_version(adapters, template=sha256(b"{{ messages }}").hexdigest())
    add_version(adapters, template=sha256(b"{{ other }}").hexdigest())
    add_version(adapters)  # made before templates were written down
    assert adapters.path("v1") == adapters.dir / "v1"
    assert adapters.path("v3") == adapters.dir / "v3"
    with pytest.raises(TuteeError, match="v2 was trained with a different chat template"):
        adapters.path("v2")
    with pytest.raises(TuteeError, match="different chat template"):
        adapters.use("v2")


def test_without_the_base_at_hand_its_template_is_not_compared(adapters: Adapters) -> None:
    add_version(adapters, template="0" * 64)
    assert adapters.path("v1") == adapters.dir / "v1"

"""Pieces add up to the whole text, and none of them shows half a character."""

from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.folder import ModelFolder
from core.models.loading import load_tokenizer
from core.serving.detokenizer import StopStrings, TextStream, decode

TEXT = "Grüße, 你好！ 👩‍👩‍👧 family.  Two  spaces,\n\nnew lines and क्षि."


@pytest.fixture(scope="module")
def byte_level(tiny_folder: ModelFolder) -> Any:
    """As GPT-2, Llama 3, Qwen and SmolLM have it."""
    return load_tokenizer(tiny_folder)


@pytest.fixture(scope="module")
def spaced() -> Any:
    """As Llama 2 and Mistral have it: words begin with a mark, the first one's is dropped."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "</s>", "▁", "▁Hello", "▁world", "lo", ".", "▁.", "'", "▁n't"]
    pieces += [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


def pieces_of(tokenizer: Any, tokens: list[int]) -> list[str]:
    stream = TextStream(tokenizer)
    return [*(stream.push(token) for token in tokens), stream.flush()]


def test_text_comes_as_soon_as_it_is_whole(byte_level: Any) -> None:
    tokens = byte_level(TEXT)["input_ids"]
    pieces = pieces_of(byte_level, tokens)
    assert "".join(pieces) == TEXT
    assert not any("\ufffd" in piece for piece in pieces)
    whole = [
        index
        for index in range(len(tokens))
        if "\ufffd" not in decode(byte_level, tokens[: index + 1])
    ]
    assert all(pieces[index] for index in whole)


def test_half_a_character_at_the_end_is_not_lost(byte_level: Any) -> None:
    tokens = byte_level("cat 🐈")["input_ids"][:-1]
    pieces = pieces_of(byte_level, tokens)
    assert "".join(pieces) == decode(byte_level, tokens) == "cat \ufffd"
    assert not any("\ufffd" in piece for piece in pieces[:-1])


def test_special_tokens_are_not_shown(byte_level: Any) -> None:
    tokens = byte_level("<|im_start|>a<|im_end|> b")["input_ids"]
    assert "".join(pieces_of(byte_level, tokens)) == "a b"


def test_spaces_between_words_are_kept(spaced: Any) -> None:
    assert pieces_of(spaced, [3, 4, 7, 2, 9, 5]) == ["Hello", " world", " .", " ", " n't", "lo", ""]


def test_a_special_token_between_words_costs_no_space(spaced: Any) -> None:
    assert "".join(pieces_of(spaced, [3, 1, 4])) == "Hello world"


@given(data=st.data())
def test_whatever_the_bytes_the_pieces_add_up(byte_level: Any, data: Any) -> None:
    tokens = data.draw(st.lists(st.integers(0, len(byte_level) - 1), max_size=40))
    assert "".join(pieces_of(byte_level, tokens)) == decode(byte_level, tokens)


@given(data=st.data())
def test_whatever_the_words_the_pieces_add_up(spaced: Any, data: Any) -> None:
    word = st.integers(0, 9).map(lambda token: [token])
    spelt = st.text(max_size=3).map(lambda text: [10 + byte for byte in text.encode()])
    tokens = list(chain(*data.draw(st.lists(word | spelt, max_size=40))))
    assert "".join(pieces_of(spaced, tokens)) == decode(spaced, tokens)


def test_the_work_per_token_does_not_grow(byte_level: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = 0

    def counting(tokenizer: Any, tokens: list[int]) -> str:
        nonlocal longest
        longest = max(longest, len(tokens))
        return decode(tokenizer, tokens)

    monkeypatch.setattr("core.serving.detokenizer.decode", counting)
    tokens = byte_level(TEXT * 20)["input_ids"]
    assert "".join(pieces_of(byte_level, tokens)) == TEXT * 20
    assert longest <= 8


def cut(pieces: list[str], stops: list[str]) -> tuple[str, list[str]]:
    """The text as it was shown, and its pieces."""
    watch, shown = StopStrings(stops), []
    for piece in pieces:
        shown.append(watch.push(piece))
        if watch.met:
            break
    else:
        shown.append(watch.flush())
    return "".join(shown), shown


@given(
    st.lists(st.text("ab\n", max_size=4), max_size=8),
    st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3),
)
def test_a_text_ends_before_the_first_stop_string(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    places = [whole.find(stop) for stop in stops if stop in whole]
    shown, _ = cut(pieces, stops)
    if not places:
        assert shown == whole
    else:
        # Of two that overlap, the one that is whole first ends the text.
        ends = min(whole.find(stop) + len(stop) for stop in stops if stop in whole)
        assert whole.startswith(shown)
        assert len(shown) < ends


def test_only_what_may_be_a_stop_string_is_held_back() -> None:
    _, shown = cut(["one\n", "two", "\n", "\nUser: three"], ["\n\nUser:"])
    assert shown == ["one", "\ntwo", "", ""]
    _, shown = cut(["one\n", "two"], [])
    assert shown == ["one\n", "two", ""]

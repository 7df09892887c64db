"""Token counts of real tokenizers, loaded offline."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from curator.core.errors import UsageError
from curator.core.tokenizer import load_tokenizer_file
from curator.teacher import token_count
from curator.teacher.token_count import MESSAGE, REPLY, counter, prompt_tokens

TEXT = "Natalia sold 48/2 = 24 clips in May.\nprint(48 + 24)\n"


def train_tokenizer(folder: Path) -> Path:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT * 20], trainer)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=512)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


# Counted with OpenAI's published ranks by two independent implementations.
@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("hello world", 2), ("1234567", 3), ("<|endoftext|>", 7)]
)
def test_the_general_counter_is_o200k(text: str, tokens: int) -> None:
    assert counter()(text) == tokens


def test_any_text_can_be_counted() -> None:
    assert counter()("a\ud800b") == counter()("a?b")
    assert counter()("🦔 ∫ é \0") > 4
    assert counter()("a" * 200_000) == 25_000


def test_a_models_own_tokenizer_counts_whole_texts(tmp_path: Path) -> None:
    count = counter(train_tokenizer(tmp_path))
    assert 3 < count(TEXT) < len(TEXT)
    assert count(TEXT * 100) == 100 * count(TEXT), "without the truncation and padding in its file"
    assert count("a\ud800b") == count("a?b")


def test_threads_that_need_a_tokenizer_at_once_load_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    def load_slowly(path: Path) -> tokenizers.Tokenizer:
        loaded.append(path)
        sleep(0.2)
        return load_tokenizer_file(path)

    monkeypatch.setattr(token_count, "load_tokenizer_file", load_slowly)
    path = train_tokenizer(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(counter, [path] * 4))) == 1
    assert loaded == [path]


def test_a_prompt_is_its_texts_and_the_tokens_around_them() -> None:
    messages = [("system", "hello world"), ("user", "1234567")]
    assert prompt_tokens(counter(), messages) == 2 + 3 + 2 * MESSAGE + REPLY


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"model": {"type": "BPE"}}', "\0"])
def test_an_invalid_tokenizer_file_is_reported_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"is not a valid tokenizer\.json") as raised:
        counter(path)
    assert "\n" not in str(raised.value)


def test_a_missing_tokenizer_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot read the tokenizer .*: No such file"):
        counter(tmp_path / "none.json")

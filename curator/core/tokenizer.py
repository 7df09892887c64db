"""Tokenizers as data: a `tokenizer.json` counts tokens, and no code of a model is ever run.

In: a path or an id on the Hub, from a recipe. Out: the file with its digest, and a function that
counts tokens. Not covered: a tokenizer that exists only as code or as a sentencepiece model; the
authors of most models publish a `tokenizer.json` beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError, to_one_line

FILE = "tokenizer.json"
PATHS = (".", "/")
"""Beginnings of names that are paths and never ids on the Hub."""


@dataclass(frozen=True, slots=True)
class TokenizerFile:
    """A `tokenizer.json` on this machine."""

    name: str
    """As the recipe names it: a path, or an id on the Hub with its commit."""
    path: Path
    sha256: str
    """Digest of its bytes, by which results are cached."""


def find_tokenizer(name: str, revision: str, folder: Path) -> TokenizerFile:
    """Return the file of a tokenizer; a relative path begins at `folder`.

    A file of the Hub at a full commit is downloaded once. Raises UsageError if there is no such
    file, or if it is not a valid tokenizer.
    """
    if name.startswith(PATHS):
        path = folder / name
        path = path / FILE if path.is_dir() else path
    else:
        path, name = _download(name, revision), f"{name}@{revision}"
    try:
        digest = sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"Cannot read the tokenizer {path}: {error.strerror}.") from None
    load_tokenizer_file(path)
    return TokenizerFile(name, path, digest)


def _download(name: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, FILE, revision=revision))
    except Exception as error:  # the client raises its own errors, those of httpx, and bare ones
        reason = to_one_line(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise UsageError(
            f"Cannot fetch {FILE} of {name} at {revision[:12]} from the Hub: {reason}. Name a "
            "local file by a path that begins with a dot or a slash."
        ) from None


def load_tokenizer_file(path: Path) -> Any:
    """Return the tokenizer in a `tokenizer.json`. Raises UsageError if it is not a valid one."""
    import tokenizers

    try:
        tokenizer = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"Cannot read the tokenizer {path}: {error.strerror}.") from None
    except Exception as error:  # the library raises nothing narrower
        message = " ".join(str(error).split())[:200]
        raise UsageError(f"{path} is not a valid {FILE}: {message}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def batch_counter(path: Path) -> Callable[[Sequence[str]], list[int]]:
    """Return a function that counts the tokens of each text, without special tokens."""
    tokenizer = load_tokenizer_file(path)

    def count(texts: Sequence[str]) -> list[int]:
        plain = [replace_surrogates(text) for text in texts]
        encoded = tokenizer.encode_batch_fast(plain, add_special_tokens=False)
        return [len(each.ids) for each in encoded]

    return count


def replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which JSON can express and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()

"""A model is sampled as it was trained: the saved chat template renders the training rows."""

import json
import random
import re
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curator.cli.app import app
from curator.core.errors import TeacherError, UsageError
from curator.core.samples import read_samples
from tests.paths import ROOT
from tests.trainers.tiny import tiny_model
from tests.worlds import curator
from trainers.recipe import SFT
from trainers.release import Example, Message
from trainers.tokenize import ALPACA, encode, set_template

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

PARTS = ("What is", "π²", "print(x)", "\\frac{1}{2}", "naïve", "{{ x }}", "Ann's 3,000", "#", "\t")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A template whose answers end with another token than the end of a text."""


def rows(count: int = 200) -> list[Example]:
    """Return examples of mixed text; answers start with a letter or a digit."""
    draw = random.Random(1)

    def text() -> str:
        return " ".join(draw.choices(PARTS, k=draw.randint(1, 9)))

    return [
        Example((Message("user", f"{text()}\n{text()}"),), f"{n} is {text()}.", "", f"row {n}")
        for n in range(count)
    ]


def train_tokenizer(kind: str, starts: bool) -> Any:
    """Return a tokenizer trained on the rows: bytes as in GPT-2, or words as in Llama 2."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    if kind == "bytes":
        made, trainer = Tokenizer(models.BPE()), trainers.BpeTrainer
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        made, trainer = Tokenizer(models.BPE(unk_token="<unk>")), trainers.BpeTrainer
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=kind, split=False)
        made.decoder = decoders.Metaspace(prepend_scheme=kind)
        alphabet = []
    texts = [ALPACA, *(each.prompt[0].content + each.answer for each in rows())]
    made.train_from_iterator(
        texts, trainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet)
    )
    if starts:
        made.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
    )


@pytest.mark.parametrize("template", ["alpaca", "chat"])
@pytest.mark.parametrize("starts", [True, False], ids=["start token", "no start token"])
@pytest.mark.parametrize("kind", ["bytes", "first", "always"])
def test_the_saved_template_renders_what_was_trained(
    kind: str, starts: bool, template: Any, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer, examples = train_tokenizer(kind, starts), rows()
    tokenizer.chat_template = CHATML if template == "chat" else None
    end = set_template(tokenizer, template)
    assert tokenizer.decode([end]) == ("<|im_end|>" if template == "chat" else "</s>")
    trained, counts = encode(examples, tokenizer, 10_000, "refuse")
    assert counts.rows == 200
    tokenizer.save_pretrained(tmp_path)
    saved = AutoTokenizer.from_pretrained(tmp_path)
    for example, row in zip(examples, trained, strict=True):
        question = {"role": "user", "content": example.prompt[0].content}
        answer = {"role": "assistant", "content": example.answer}
        prompt = saved.apply_chat_template([question], add_generation_prompt=True)["input_ids"]
        assert prompt == list(row.prompt)
        whole = saved.apply_chat_template([question, answer])["input_ids"]
        assert whole == list(row.prompt + row.answer)
        assert end in row.answer
        starting = template == "alpaca" and starts
        assert row.prompt.count(tokenizer.bos_token_id) == starting


def test_a_prompt_is_unchanged_if_the_answer_would_merge_with_its_last_token() -> None:
    tokenizer = train_tokenizer("bytes", False)
    set_template(tokenizer, "alpaca")
    question = Message("user", "What is")
    (row,), _ = encode([Example((question,), "::: 3", "", "row")], tokenizer, 1_000, "refuse")
    turns = [{"role": "user", "content": "What is"}]
    assert list(row.prompt) == tokenizer.apply_chat_template(turns)["input_ids"]
    assert tokenizer.decode(row.answer) == "::: 3</s>"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: setattr(t, "chat_template", None), "has no chat template"),
        (
            lambda t: setattr(
                t, "chat_template", "{% for m in messages %}{{ m.content }}\n{% endfor %}"
            ),
            "no end token",
        ),
        (lambda t: setattr(t, "eos_token", None), "no end-of-text token"),
    ],
)
def test_a_template_that_cannot_be_trained_is_refused(
    change: Callable[[Any], None], message: str
) -> None:
    tokenizer = train_tokenizer("bytes", False)
    change(tokenizer)
    with pytest.raises(UsageError, match=message):
        set_template(tokenizer, "chat")


def test_alpaca_refuses_conversations() -> None:
    tokenizer = train_tokenizer("bytes", False)
    set_template(tokenizer, "alpaca")
    turns = tuple(Message(role, "x") for role in ("user", "assistant", "user"))
    with pytest.raises(UsageError, match=r"^row 1: .* one answer, saw 3 messages\)[^\n]+$"):
        encode([Example(turns, "y", "", "row 1")], tokenizer, 1_000, "refuse")


SUMS = {f"What is {a} + {b}?": f"The answer is {a + b}." for a in range(4) for b in range(3)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model without a chat template, a release, and its questions as GSM8K."""
    folder = tmp_path_factory.mktemp("templates")
    texts = [ALPACA, CHATML, "<|im_start|>user assistant", *SUMS, *SUMS.values()]
    tiny_model(folder / "base", texts, width=128, layers=2)
    (folder / "base" / "chat_template.jinja").unlink()
    release = [{"prompt": q, "completion": a} for q, a in SUMS.items()]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, release)))
    evals = folder / "mirror" / "evals" / "gsm8k"
    evals.mkdir(parents=True)
    golds = [
        json.dumps({"question": q, "answer": f"#### {re.findall(r'[0-9]+', a)[0]}"})
        for q, a in SUMS.items()
    ]
    (evals / "test.jsonl").write_text("\n".join(golds))
    return folder


def train(world: Path, name: str, **keys: object) -> Path:
    from trainers.sft import train_sft

    values = {
        "train": "sft",
        "name": name,
        "about": "A test",
        "model": str(world / "base"),
        "release": str(world / "rows.jsonl"),
        "output": str(world / name),
        "learning_rate": 3e-3,
        "steps": 150,
        "batch": 12,
        "micro_batch": 12,
        "max_length": 128,
        "precision": "fp32",
    }
    train_sft(SFT.model_validate({**values, **keys}), print)
    return world / name / "model"


def count_learned(model: Path, template: Any) -> int:
    """Return the number of training rows whose answer is the most probable one."""
    import torch

    from trainers.models import load_causal, load_tokenizer

    tokenizer, loaded = load_tokenizer(str(model)), load_causal(str(model))
    set_template(tokenizer, template)
    examples = [Example((Message("user", q),), a, "", q) for q, a in SUMS.items()]
    learned = 0
    for row in encode(examples, tokenizer, 1_000, "refuse")[0]:
        with torch.inference_mode():
            best = loaded(torch.tensor([[*row.prompt, *row.answer]])).logits[0].argmax(-1)
        learned += best[len(row.prompt) - 1 : -1].tolist() == list(row.answer)
    return learned


SERVERS = {
    "chat server": ("--server", f"{sys.executable} {ROOT}/tests/trainers/chat_server.py {{model}}"),
    "transformers serve": ("--local",),
}


@pytest.mark.parametrize("server", SERVERS)
def test_a_trained_model_is_as_good_when_it_is_sampled(
    world: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if server == "transformers serve" and not find_spec("fastapi"):
        pytest.skip("the extra model is not installed")
    options = SERVERS[server]
    if "--server" in options:
        options = (options[0], f"{options[1]} {{port}}")
    shared = ["--mirror", world / "mirror", "--store", world / server, "--how", "CoT"]
    model, out = train(world, "alpaca"), world / "samples.jsonl"
    learned = count_learned(model, "alpaca")
    assert learned >= 10
    done = curator("sample", model, *options, *shared, "-o", out, "--max-answer", 20)
    assert done.returncode == 0, done.stderr
    assert {s.finish for each in read_samples(out) for s in each.samples} == {"stop"}
    scored = curator("evaluate", out, "--store", world / server)
    assert re.search(rf"Pass@1 +12 +{learned / 12:.1%}", scored.stdout), scored.stdout

    cut = curator("sample", model, *options, *shared, "-o", out, "--max-answer", 2, "--limit", 3)
    assert cut.returncode == 0, cut.stderr
    scored = curator("evaluate", out, "--store", world / server)
    assert "3 of 3 samples were cut at the maximum number of tokens" in scored.stdout

    out.unlink()
    monkeypatch.setattr("curator.teacher.dispatch.backoff_s", lambda tries: 0.01)
    words = ["sample", world / "base", *options, *shared, "-o", out, "--limit", 2]
    error = CliRunner().invoke(app, [*map(str, words)]).exception
    assert isinstance(error, TeacherError) and error.exit_code == 1
    assert re.match("2 calls failed and none .*chat_template is not set[^\n]+$", str(error))
    assert not out.exists()


def test_a_model_whose_turns_end_with_another_token_stops_there(world: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(world / "base")
    tokenizer.add_special_tokens({"unk_token": "<unk>", "extra_special_tokens": ["<s>", "<unk>"]})
    # "<s>" ends a turn here, and "</s>" a text.
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}<s>\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    base = world / "turns"
    shutil.copytree(world / "base", base)
    tokenizer.save_pretrained(base)
    model = train(world, "chat", template="chat", model=str(base))
    stops = GenerationConfig.from_pretrained(model).eos_token_id
    assert stops == [tokenizer.convert_tokens_to_ids(each) for each in ("<s>", "</s>")]
    server = f"{SERVERS['chat server'][1]} {{port}}"
    shared = ["--mirror", world / "mirror", "--store", world / "turns-store", "--how", "CoT"]
    done = curator("sample", model, "--server", server, *shared, "-o", world / "s.jsonl")
    assert done.returncode == 0, done.stderr
    problems = list(read_samples(world / "s.jsonl"))
    assert {s.finish for each in problems for s in each.samples} == {"stop"}
    right = sum(each.samples[0].text.strip() == SUMS[each.question] for each in problems)
    assert right == count_learned(model, "chat") >= 10

"""A model is data: no loader runs code of its folder, whatever the folder has in it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import UsageError
from curator.core.pretrained import check_served_model, load_model, make_empty_model
from curator.screens.embedding import Embedder
from curator.teacher.local_server import serve
from tests.trainers.tiny import tiny_model

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from trainers.models import load_causal, load_reward, load_tokenizer  # noqa: E402
from trainers.tokenize import set_template  # noqa: E402

LOADERS: dict[str, Callable[[str], Any]] = {
    "causal": load_causal,
    "reward": load_reward,
    "tokenizer": load_tokenizer,
    "embedder": Embedder,
    "server": check_served_model,
    "empty": lambda name: make_empty_model("AutoModelForCausalLM", name),
}


class Bomb:
    """Pickled, it writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> object:
        return (open, (self.path, "w"))


def change_json(path: Path, **values: object) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | values))


def add_code(folder: Path, ran: Path) -> None:
    """Add a module of every name that transformers looks for."""
    (folder / "custom_generate").mkdir()
    for name in ("evil.py", "modeling.py", "custom_generate/generate.py", "__init__.py"):
        (folder / name).write_text(
            f"open({str(ran)!r}, 'w')\n"
            "from transformers import PretrainedConfig as C, PreTrainedModel as M\n"
            "from transformers import PreTrainedTokenizer as T\n"
        )


def auto_map_of_an_unknown_type(folder: Path, ran: Path) -> None:
    add_code(folder, ran)
    classes = ("AutoModel", "AutoModelForCausalLM", "AutoModelForSequenceClassification")
    auto_map = dict.fromkeys(classes, "evil.M") | {"AutoConfig": "evil.C"}
    change_json(folder / "config.json", model_type="evil", auto_map=auto_map)
    tokenizer_map = {"AutoTokenizer": ["evil.T", "evil.T"]}
    change_json(folder / "tokenizer_config.json", tokenizer_class="T", auto_map=tokenizer_map)


def auto_map_of_a_known_type(folder: Path, ran: Path) -> None:
    add_code(folder, ran)
    classes = ("AutoModel", "AutoModelForCausalLM", "AutoModelForSequenceClassification")
    auto_map = dict.fromkeys(classes, "evil.M") | {"AutoConfig": "evil.C"}
    change_json(folder / "config.json", auto_map=auto_map)
    change_json(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", "evil.T"]})


def pickled_weights(folder: Path, ran: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"a": Bomb(ran)}, folder / "pytorch_model.bin")
    torch.save({"a": Bomb(ran)}, folder / "consolidated.00.pth")


def pickled_shards(folder: Path, ran: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"a": Bomb(ran)}, folder / "shard.bin")
    index = {"metadata": {}, "weight_map": {"a": "shard.bin"}}
    for name in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        (folder / name).write_text(json.dumps(index))


def weights_named_safetensors(folder: Path, ran: Path) -> None:
    torch.save({"a": Bomb(ran)}, folder / "model.safetensors")


def adapter(folder: Path, ran: Path) -> None:
    add_code(folder, ran)
    torch.save({"a": Bomb(ran)}, folder / "adapter_model.bin")
    change_json(
        folder / "adapter_config.json",
        peft_type="LORA",
        base_model_name_or_path=str(folder),
        auto_mapping={"base_model_class": "M", "parent_library": "evil"},
        r=2,
    )


def kernel(folder: Path, ran: Path) -> None:
    change_json(folder / "config.json", attn_implementation="evil/kernel")


def bare_pickles(folder: Path, ran: Path) -> None:
    for name in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "vocab.pkl"):
        torch.save({"a": Bomb(ran)}, folder / name)


FOLDERS = {
    make.__name__: make
    for make in (
        auto_map_of_an_unknown_type,
        auto_map_of_a_known_type,
        pickled_weights,
        pickled_shards,
        weights_named_safetensors,
        adapter,
        kernel,
        bare_pickles,
    )
}
HARMLESS = {
    ("weights_named_safetensors", "server"),  # which cannot read them
    ("weights_named_safetensors", "empty"),  # which does not read weights
    ("pickled_weights", "empty"),
    *((name, "tokenizer") for name in FOLDERS if not name.startswith("auto_map")),
    *(("bare_pickles", loader) for loader in LOADERS),
    *(("auto_map_of_a_known_type", loader) for loader in LOADERS),
}
"""Folders that load, since a loader ignores what is hostile in them."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("base"), ["What is 1 + 1?"], width=8, layers=1)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("folder", FOLDERS)
def test_no_code_of_a_model_folder_runs(
    model: Path, tmp_path: Path, folder: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on the terminal"))
    hostile, ran = tmp_path / "hostile", tmp_path / "ran"
    shutil.copytree(model, hostile)
    FOLDERS[folder](hostile, ran)
    if (folder, loader) in HARMLESS:
        LOADERS[loader](str(hostile))
    else:
        with pytest.raises(UsageError, match=r"Cannot load the model [^\n]+$"):
            LOADERS[loader](str(hostile))
    assert not ran.exists()


def test_a_kernel_of_a_part_of_a_model_is_not_loaded(tmp_path: Path) -> None:
    from transformers import CLIPConfig, CLIPModel

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2}
    picture = {"image_size": 16, "patch_size": 8}
    parts = {"text_config": sizes | heads, "vision_config": sizes | heads | picture}
    CLIPModel(CLIPConfig(**parts, projection_dim=8)).save_pretrained(tmp_path)
    load_model("AutoModel", str(tmp_path))
    change_json(tmp_path / "config.json", attn_implementation={"text_config": "evil/kernel"})
    with pytest.raises(UsageError, match="names the attention kernel evil/kernel"):
        load_model("AutoModel", str(tmp_path))


def test_a_class_that_generates_no_text_is_not_served(model: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    shutil.copytree(model, hostile)
    change_json(hostile / "config.json", architectures=["RagRetriever"])
    with pytest.raises(UsageError, match=r"\['RagRetriever'\] generates no text"):
        check_served_model(str(hostile))


def test_no_server_starts_for_a_model_with_pickled_weights(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile, ran = tmp_path / "hostile", tmp_path / "ran"
    shutil.copytree(model, hostile)
    pickled_weights(hostile, ran)
    program = tmp_path / "transformers"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a server was started"))
    with pytest.raises(UsageError, match=r"it has no file model\.safetensors"), serve(str(hostile)):
        pass


def test_the_bomb_goes_off_where_pickles_are_trusted(tmp_path: Path) -> None:
    torch.save({"a": Bomb(tmp_path / "ran")}, tmp_path / "x.bin")
    torch.load(tmp_path / "x.bin", weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "template",
    [
        "{{ cycler.__init__.__globals__.os.system('touch ran') }}",
        "{{ strftime_now.__globals__['os'].system('touch ran') }}",
        "{{ messages.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{{ 1 / 0 }}",
        "{{",
    ],
)
def test_a_chat_template_runs_in_a_sandbox_and_fails_in_one_line(
    model: Path, tmp_path: Path, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = tmp_path / "hostile"
    shutil.copytree(model, hostile)
    (hostile / "chat_template.jinja").write_text(template)
    with pytest.raises(UsageError, match=r"^The first row: the chat template fails \([^\n]+$"):
        set_template(load_tokenizer(str(hostile)), "chat")
    assert not (tmp_path / "ran").exists()

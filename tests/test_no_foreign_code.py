"""Nothing that comes from others is executed or unpickled: a test over the source.

Each call that could do so states its safe argument, or is listed here with the reason.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.paths import ROOT

SAFE_ARGUMENTS: Mapping[str, Mapping[str, object]] = {
    "from_pretrained": {"trust_remote_code": False},
    "load_dataset": {"trust_remote_code": False},
    "pipeline": {"trust_remote_code": False},
    "SentenceTransformer": {"trust_remote_code": False},
    "torch.load": {"weights_only": True},
    "numpy.load": {"allow_pickle": False},
    "np.load": {"allow_pickle": False},
}
"""Functions that need an argument to be safe. A model needs `use_safetensors=True` as well."""
TOKENIZERS_AND_CONFIGS = {"AutoTokenizer", "AutoConfig"}
"""Classes whose files have no weights."""
REFUSED = {
    "eval", "exec", "__import__", "execfile",
    "import_module", "importlib.import_module", "runpy.run_path", "runpy.run_module",
    "yaml.load", "yaml.full_load", "yaml.unsafe_load",
    "pickle.load", "pickle.loads", "dill.load", "dill.loads", "cloudpickle.load", "marshal.loads",
    "joblib.load", "shelve.open", "pandas.read_pickle", "pd.read_pickle",
    "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter", "torch.ops.load_library",
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
    "get_class_from_dynamic_module",
}  # fmt: skip
REFUSED_METHODS = {"load_extension", "install_extension", "read_pickle", "unsafe_load"}
REFUSED_MODULES = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
EXCEPTIONS = {
    ("curator/__init__.py", "import_module"): "one of two fixed names",
    ("curator/cli/commands/__init__.py", "import_module"): "the commands, by fixed names",
    ("curator/pipeline/executors/ray.py", "pickle"): "what the driver of a build sent to its task",
    ("curator/pipeline/executors/ray.py", "pickle.loads"): "the same; Ray itself unpickles it, too",
    ("curator/sandbox/preload.py", "importlib.import_module"): "packages of programs; fixed names",
    ("curator/sandbox/preload.py", "exec"): "imports of fixed names, before any program runs",
    ("curator/sandbox/run_program.py", "exec"): "the program itself, in its sandbox",
    ("trainers/run.py", "pickle"): "the class of an error",
    ("curator/teacher/token_count.py", "from_pretrained"): "a vocabulary inside the package",
}
"""Calls that are safe for another reason: path and function -> reason."""
FILES = sorted(
    path
    for folder in ("curator", "datastore", "trainers")
    for path in (ROOT / folder).rglob("*.py")
)


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{_dotted(value)}.{name}"
    return "?"  # the result of a call or an item


def _is_safe(call: ast.Call, name: str, needed: Mapping[str, object]) -> bool:
    given = {
        each.arg: each.value.value
        for each in call.keywords
        if each.arg and isinstance(each.value, ast.Constant)
    }
    if name.endswith("from_pretrained") and not TOKENIZERS_AND_CONFIGS & set(name.split(".")):
        needed = {**needed, "use_safetensors": True}
    return all(given.get(key) is value for key, value in needed.items())


def unsafe_calls(code: str) -> Iterator[str]:
    """Yield the name of each function that is called, or only named, without being safe."""
    tree = ast.parse(code)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                name = _dotted(node.func)
                last = name.rsplit(".", 1)[-1]
                needed = SAFE_ARGUMENTS.get(name) or SAFE_ARGUMENTS.get(last)
                if needed and not _is_safe(node, name, needed):
                    yield last if last in SAFE_ARGUMENTS else name
                elif name in REFUSED or last in REFUSED_METHODS:
                    yield name
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name in REFUSED_MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in REFUSED_MODULES:
                yield module
            case ast.Attribute() if id(node) not in called and node.attr == "from_pretrained":
                yield "from_pretrained"  # passed on, so that its arguments are out of sight


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_call_runs_or_unpickles_what_others_wrote(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    found = [
        name
        for name in unsafe_calls(path.read_text(encoding="utf-8"))
        if (place, name) not in EXCEPTIONS
    ]
    assert found == []


def test_every_exception_is_needed() -> None:
    needed = {
        (str(path.relative_to(ROOT)), name)
        for path in FILES
        for name in unsafe_calls(path.read_text(encoding="utf-8"))
    }
    assert needed == EXCEPTIONS.keys()


@pytest.mark.parametrize(
    "code",
    [
        "AutoModel.from_pretrained(x)",
        "AutoModel.from_pretrained(x, trust_remote_code=False)",
        "AutoModel.from_pretrained(x, trust_remote_code=flag, use_safetensors=True)",
        "AutoTokenizer.from_pretrained(x, trust_remote_code=True)",
        "load(AutoModel.from_pretrained, x)",
        "datasets.load_dataset(x)",
        "SentenceTransformer(x)",
        "transformers.pipeline('x')",
        "torch.load(x)",
        "torch.load(x, weights_only=False)",
        "np.load(x, allow_pickle=True)",
        "np.load(x)",
        "import pickle",
        "from joblib import load",
        "yaml.load(x, Loader=y)",
        "eval(x)",
        "exec(x)",
        "__import__(x)",
        "connection.load_extension(x)",
    ],
)
def test_an_unsafe_call_is_found(code: str) -> None:
    assert list(unsafe_calls(code))


@pytest.mark.parametrize(
    "code",
    [
        "AutoModel.from_pretrained(x, trust_remote_code=False, use_safetensors=True)",
        "AutoTokenizer.from_pretrained(x, trust_remote_code=False)",
        "torch.load(x, weights_only=True)",
        "np.load(x, allow_pickle=False)",
        "model.eval()",
        "yaml.safe_load(x)",
    ],
)
def test_a_safe_call_is_accepted(code: str) -> None:
    assert not list(unsafe_calls(code))

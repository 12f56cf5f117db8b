import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

import dataproc_assets

ROOT = Path(dataproc_assets.__file__).parent
# what each package may import of the others; `defs`, `what_if`, `diff`, `commands` and others may
# import all
BELOW = {
    "config": set(),
    "models": {"config", "storage"},  # the object store alone: see below
    "transforms": {"config"},
    "sources": {"config", "transforms"},
    "dedup": {"config"},
    "safety": {"config", "transforms"},
    "storage": {"config", "version"},
    "runners": {"config", "storage"},
    "jobs": {"config", "storage", "models", "transforms", "runners", "dedup"},
    "release": {"config", "storage", "transforms", "safety"},
    "gallery": {"config", "storage", "version", "safety", "explain"},
    "explain": {"config", "storage", "sources", "transforms", "safety", "release"},
}
# who alone may import a library, so that a code location loads fast and pure parts stay pure
ONLY = {
    "dagster": {"defs", "definitions", "run", "turn", "cli", "what_if", "takedown"},
    "torch": {"models", "jobs"},
    "onnxruntime": {"models", "jobs"},
    "open_clip": {"models", "jobs"},
    "diffusers": {"models", "jobs"},
    "sagemaker": {"runners"},
    "boto3": {"runners", "storage"},
    "obstore": {"storage", "jobs"},
    "click": {"cli", "commands"},
    "gradio": {"sample_page"},
    "huggingface_hub": {"models", "release"},  # of release, what pushes: see below
}
PURE = ("transforms", "sources", "dedup", "safety")
INPUT_AND_OUTPUT = {"os", "pathlib", "shutil", "socket", "subprocess", "tempfile"}
NETWORK = {"urllib.request", "http.client"}
HEAVY = (
    *("torch", "sagemaker", "onnxruntime", "open_clip", "diffusers"),
    *("scipy", "boto3", "distributed", "gradio", "pandas", "pyarrow.parquet", "pyarrow.dataset"),
)


def imports() -> list[tuple[str, str, str]]:
    """Every import of the package, at whatever depth: part, file, imported module."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        below = path.relative_to(ROOT)
        part = below.parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found += [(part, str(below), alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{below}: a relative import"
                found.append((part, str(below), node.module or ""))
    return found


IMPORTS = imports()


def test_every_package_has_its_place_in_the_order():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == {*BELOW, "commands", "defs", "diff", "takedown", "what_if"}


def test_imports_run_downwards():
    wrong = [
        f"{file} imports {module}"
        for part, file, module in IMPORTS
        if part in BELOW and module.startswith("dataproc_assets.")
        if module.split(".")[1] not in BELOW[part] | {part}
    ]
    assert not wrong


def test_models_reach_storage_in_one_module_and_for_one_thing():
    """A worker has no other way to weights on S3 than to fetch them itself."""
    reached = {
        (file, module)
        for part, file, module in IMPORTS
        if part == "models" and module.startswith("dataproc_assets.storage")
    }
    assert reached == {("models/fetch.py", "dataproc_assets.storage.objects")}


def test_a_release_reaches_the_hub_where_it_is_pushed_alone():
    reached = {f for part, f, module in IMPORTS if part == "release" and "huggingface" in module}
    assert reached == {"release/hub.py", "release/push.py"}


def test_a_library_is_imported_where_it_belongs():
    wrong = [
        f"{file} imports {module}"
        for part, file, module in IMPORTS
        if part not in ONLY.get(module.split(".")[0], {part})
    ]
    assert not wrong


def test_pure_parts_do_no_input_or_output():
    wrong = [
        f"{file} imports {module}"
        for part, file, module in IMPORTS
        if part in PURE and {module, module.split(".")[0]} & {*INPUT_AND_OUTPUT, *NETWORK}
    ]
    wrong += [
        f"{path} calls open"
        for part in PURE
        for path in (ROOT / part).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    assert not wrong


def test_every_imported_library_is_declared():
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))["project"]
    lines = chain(project["dependencies"], *project["optional-dependencies"].values())
    declared = {re.split(r"[<>=!~\[; ]", line)[0].lower().replace("_", "-") for line in lines}
    known = packages_distributions()
    wrong = set()
    for _, file, module in IMPORTS:
        name = module.split(".")[0]
        if name in sys.stdlib_module_names or name in ("dataproc_assets", "__future__"):
            continue
        owners = {owner.lower().replace("_", "-") for owner in known.get(name, [name])}
        if not owners & declared:
            wrong.add(f"{file} imports {name} of {sorted(owners)}")
    assert not wrong


OFFLINE = """
import sys

def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"{event} {args}")

sys.addaudithook(refuse)
"""


def loaded(code: str, **environment: str) -> set[str]:
    """The modules that are loaded after `code`, in a process without a network."""
    code = f"{OFFLINE}\n{code}\nprint(*sorted(sys.modules))"
    path = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment}
    run = subprocess.run(
        [sys.executable, "-c", code], env=path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return set(run.stdout.split())


@pytest.mark.parametrize("profile", ["local", "aws"])
def test_definitions_load_without_network_and_heavy_libraries(profile):
    modules = loaded("import dataproc_assets.definitions", DATAPROC_PROFILE=profile)
    assert "dataproc_assets.defs.images" in modules
    assert not modules & set(HEAVY)


def test_the_package_and_the_command_load_without_dagster():
    modules = loaded("import dataproc_assets, dataproc_assets.cli")
    assert not modules & {*HEAVY, "dagster"}
    assert "polars" not in loaded("import dataproc_assets")

"""dvc.yaml, the params files and the import graph must tell the same story."""

import ast
import functools
import graphlib
import importlib
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.running import paramfile, plugins

yaml = YAML(typ="safe")
STAGES = yaml.load(Path("dvc.yaml"))["stages"]
PARAMS_FILES = [Path("params.yaml"), *sorted(Path("configs").glob("*.yaml"))]


@functools.cache
def imported_names(path):
    """Dotted names imported anywhere in a file, functions included."""
    names = []
    for node in ast.walk(ast.parse(Path(path).read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def project_files(path, found=None):
    """Files of this project that `path` imports, directly or through others."""
    found = set() if found is None else found
    for name in imported_names(path):
        file = name.replace(".", "/") + ".py"
        if name.startswith("stages.") and file not in found:
            assert Path(file).exists(), f"{path} imports {name}: import modules, not names"
            found.add(file)
            project_files(file, found)
    return found


def code_deps(stage):
    """The files and folders of stages/ that dvc.yaml lists, a template as the folder of its plug-ins."""
    listed = [dep for dep in STAGES[stage]["deps"] if dep.startswith("stages/")]
    return [str(Path(dep).parent) if "${" in dep else dep for dep in listed]


def imports(stage):
    """The project's files that a stage imports, and those of the plug-ins that it may be told to use."""
    rooms = {room for room in ("datasets", "models") if f"stages/{room}" in code_deps(stage)}
    plugins = [str(path) for room in rooms for path in Path("stages", room).glob("*.py")]
    files = {f"stages/{stage}.py", *plugins} | project_files(f"stages/{stage}.py")
    return files.union(*map(project_files, plugins))


def covers(dep, file):
    return file == dep or file.startswith(f"{dep}/")


def test_every_stage_is_one_file():
    assert {path.stem for path in Path("stages").glob("[a-z]*.py")} == set(STAGES)


def test_the_package_only_prepares_the_process():
    """So that stages/running covers what each import of the package runs."""
    _, line = ast.parse(Path("stages/__init__.py").read_text()).body
    assert ast.unparse(line) == "from stages.running import process as process"


@pytest.mark.parametrize("stage", STAGES)
def test_deps_cover_every_import(stage):
    assert not [file for file in imports(stage) if not any(covers(dep, file) for dep in code_deps(stage))]


@pytest.mark.parametrize("stage", STAGES)
def test_each_dep_covers_an_import(stage):
    assert not [dep for dep in code_deps(stage) if not any(covers(dep, file) for file in imports(stage))]


@pytest.mark.parametrize("stage", STAGES)
def test_plugins_are_deps_of_the_stages_that_choose_them(stage):
    sources = "".join(Path(file).read_text() for file in imports(stage))
    rooms = set(re.findall(r'plugins\.(?:choose|load)\("(\w+)"', sources))
    templated = {
        Path(dep).parent.name for dep in STAGES[stage]["deps"] if "${" in dep and dep.endswith(".py")
    }
    assert templated == rooms


def rooms_imported(room):
    """The folders of stages/ that a folder's files import."""
    names = {name for path in Path("stages", room).glob("*.py") for name in imported_names(path)}
    return {name.split(".")[1] for name in names if name.startswith("stages.")} - {room}


def test_the_rooms_import_each_other_in_no_circle():
    graph = {path.name: rooms_imported(path.name) for path in Path("stages").glob("[a-z]*/")}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", sorted(map(str, Path("stages").glob("*/*.py"))))
def test_a_part_imports_no_stage(path):
    assert not {file for file in project_files(path) if Path(file).parent == Path("stages")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_no_other_stage(stage):
    assert not {file for file in project_files(f"stages/{stage}.py") if Path(file).parent == Path("stages")}


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_a_command(stage):
    assert not [file for file in imports(stage) if file.startswith(("stages/review/", "stages/serving/"))]


@pytest.mark.parametrize(
    "pattern", ["download.py", "subset.py", "datasets/*.py", "figures/*.py", "reporting/*.py", "review/*.py"]
)
def test_does_not_need_tensorflow(pattern):
    files = {str(path) for path in Path("stages").glob(pattern)}
    files |= {found for path in files for found in project_files(path)}
    roots = {name.split(".")[0] for path in files for name in imported_names(path)}
    assert files and not roots & {"tensorflow", "keras"}


def test_training_never_gets_the_test_split():
    paths = STAGES["train"]["cmd"].split() + STAGES["train"]["deps"]
    assert not [path for path in paths if path.endswith("test")]


@pytest.mark.parametrize("path", PARAMS_FILES, ids=str)
@pytest.mark.parametrize("stage", STAGES)
def test_each_section_fits_its_schema(stage, path):
    params = paramfile.read(importlib.import_module(f"stages.{stage}").Params, stage, path)
    if stage == "download":
        plugins.choose("datasets", params.dataset, "download.dataset")
    if stage == "train":
        plugins.choose("models", params.model, "train.model")


@pytest.mark.parametrize("path", PARAMS_FILES, ids=str)
def test_params_files_have_only_the_sections_of_the_pipeline(path):
    assert list(yaml.load(path)) == list(STAGES)


def keys(values, prefix=""):
    """Dotted names of everything below a mapping, except the options of a plug-in."""
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict) and f"{prefix}{key}" not in ("download.dataset", "train.model"):
            yield from keys(value, f"{prefix}{key}.")


@pytest.mark.parametrize("path", PARAMS_FILES[1:], ids=str)
def test_all_params_files_have_the_same_keys_in_the_same_order(path):
    assert list(keys(yaml.load(path))) == list(keys(yaml.load(PARAMS_FILES[0])))


@pytest.mark.parametrize("path", PARAMS_FILES[2:], ids=str)
def test_configs_say_what_each_key_means_in_the_same_words(path):
    def comments(file):
        lines = [line.split(" # ") for line in file.read_text().splitlines() if " # " in line]
        return {(line[0].split(":")[0], line[1]) for line in lines}

    assert comments(PARAMS_FILES[1]) <= comments(path)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_tracks_its_own_section(stage):
    assert STAGES[stage]["params"] == [stage]


def test_what_a_reviewer_reads_is_kept_in_git():
    outs = [out for stage in STAGES.values() for out in stage["outs"] + stage.get("plots", [])]
    reports = {path: options for out in outs if isinstance(out, dict) for path, options in out.items()}
    assert all(path.startswith("reports/") and options["cache"] is False for path, options in reports.items())
    cached = [out for out in outs if isinstance(out, str)]
    assert [out for out in cached if not out.startswith("data/")] == ["reports/probabilities.parquet"]


def foreign_privates(path):
    """Names with a leading underscore that a file takes from something else than itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield node.attr


@pytest.mark.parametrize("path", [*Path("tests").glob("*.py"), *Path("benchmarks").rglob("*.py")], ids=str)
def test_tests_and_benchmarks_use_public_names(path):
    named_tuples = {"_replace", "_asdict", "_fields"}
    assert set(foreign_privates(path)) <= named_tuples


@pytest.mark.parametrize("path", sorted(Path("tests").glob("*.py")), ids=str)
def test_no_test_module_imports_another(path):
    assert not [name for name in imported_names(path) if name.startswith("tests.test_")]

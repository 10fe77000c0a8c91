"""dvc.yaml, the params files and the import graph must tell the same story."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages import train
from stages.running import paramfile

yaml = YAML(typ="safe")
STAGES = yaml.load(Path("dvc.yaml"))["stages"]
PARAMS_FILES = [Path("params.yaml"), *sorted(Path("configs").glob("*.yaml"))]


def imported_names(path):
    """Dotted names imported anywhere in a file, functions included."""
    for node in ast.walk(ast.parse(Path(path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


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


def plugins(stage):
    """Templated deps with their template, such as stages/models/${train.model.name}.py."""
    return [dep for dep in STAGES[stage]["deps"] if dep.startswith("stages/") and "${" in dep]


def test_every_stage_is_one_file():
    assert {path.stem for path in Path("stages").glob("[a-z]*.py")} == set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_exactly_the_imports(stage):
    listed = {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")} - set(plugins(stage))
    expected = {"stages/__init__.py", f"stages/{stage}.py"} | project_files(f"stages/{stage}.py")
    for template in plugins(stage):
        for plugin in Path(template).parent.glob("*.py"):
            expected |= project_files(plugin)
    assert listed == expected


@pytest.mark.parametrize("stage", STAGES)
def test_plugin_deps_follow_the_code_that_loads_them(stage):
    loads = set(re.findall(r'f"stages\.(\w+)\.\{', Path(f"stages/{stage}.py").read_text()))
    assert {Path(dep).parent.name for dep in plugins(stage)} == loads


@pytest.mark.parametrize("path", sorted(map(str, Path("stages").glob("*/*.py"))))
def test_a_part_imports_no_stage(path):
    assert not {file for file in project_files(path) if Path(file).parent == Path("stages")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_no_other_stage(stage):
    assert not {file for file in project_files(f"stages/{stage}.py") if Path(file).parent == Path("stages")}


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_reruns_for_a_change_to_the_report(stage):
    assert "stages/review/report.py" not in project_files(f"stages/{stage}.py")
    assert "stages/review/comparison.py" not in project_files(f"stages/{stage}.py")


@pytest.mark.parametrize("pattern", ["download.py", "subset.py", "datasets/*.py", "reporting/*.py"])
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
    if stage == "train":
        train._architecture(params.model)


@pytest.mark.parametrize("path", PARAMS_FILES, ids=str)
def test_params_files_have_the_sections_of_the_pipeline_and_no_more(path):
    assert list(yaml.load(path)) == list(STAGES)


def keys(values, prefix=""):
    """Dotted names of everything below a mapping, but for a model's own options."""
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict) and f"{prefix}{key}" != "train.model":
            yield from keys(value, f"{prefix}{key}.")


@pytest.mark.parametrize("path", PARAMS_FILES[1:], ids=str)
def test_all_params_files_have_the_same_keys_in_the_same_order(path):
    assert list(keys(yaml.load(path))) == list(keys(yaml.load(PARAMS_FILES[0])))


@pytest.mark.parametrize("path", PARAMS_FILES, ids=str)
def test_params_files_say_what_each_key_means_in_the_same_words(path):
    def comments(text):
        return [line.split(" # ")[1] for line in text.splitlines() if " # " in line]

    assert comments(path.read_text()) == comments(PARAMS_FILES[0].read_text())


def test_the_default_is_one_of_the_known_problems():
    assert yaml.load(Path("params.yaml")) in [yaml.load(path) for path in PARAMS_FILES[1:]]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_tracks_its_own_section(stage):
    assert STAGES[stage]["params"] == [stage]


def test_what_a_reviewer_reads_is_kept_in_git():
    outs = [out for stage in STAGES.values() for out in stage["outs"] + stage.get("plots", [])]
    reports = {path: options for out in outs if isinstance(out, dict) for path, options in out.items()}
    assert all(path.startswith("reports/") and options["cache"] is False for path, options in reports.items())
    assert all(out.startswith("data/") for out in outs if isinstance(out, str))

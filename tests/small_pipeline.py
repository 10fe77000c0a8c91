"""A repository whose stages train and evaluate take no time: a training is a text, its answers are drawn."""

import shutil
from pathlib import Path

from ruamel.yaml import YAML

from tests import sandbox

TRAIN = """
import pathlib, re
params = pathlib.Path("params.yaml").read_text()
if "fail: true" in params:
    raise SystemExit("train: error: expected a rate that works, received another")
pathlib.Path("data/model").write_text(params)
pathlib.Path("reports/history.csv").write_text("epoch,loss,accuracy,val_loss\\n1,0.9,0.5,0.95\\n")
with open({trained!r}, "a") as file:
    file.write("-".join(re.findall("(?:rate|seed): (.+)", params)) + "\\n")
"""
RECORDS = """
import pathlib
pathlib.Path("data/records").write_text(pathlib.Path("data/images/cat.txt").read_text())
"""
EVALUATE = """
import json, pathlib, random, re
params = pathlib.Path("data/model").read_text()
rate, seed = re.findall("(?:rate|seed): (.+)", params)
draw = random.Random(params)
rows = [(index, "cat" if index % 2 else "dog", draw.random() < float(rate)) for index in range(200)]
other = {"cat": "dog", "dog": "cat"}
lines = [f"{index},{actual},{actual if right else other[actual]},0.9000" for index, actual, right in rows]
table = ["index,actual,predicted,probability", *lines, ""]
pathlib.Path("reports/predictions.csv").write_text("\\n".join(table))
metrics = {"accuracy": sum(right for _, _, right in rows) / len(rows), "images": len(rows)}
pathlib.Path("reports/metrics.json").write_text(json.dumps(metrics))
"""
PIPELINE: dict = {
    "stages": {
        "train": {
            "cmd": "python code/train.py",
            "params": ["train"],
            "deps": ["code/train.py"],
            "outs": ["data/model"],
            "plots": [{"reports/history.csv": {"cache": False}}],  # of other kinds DVC caches no runs
        },
        "evaluate": {
            "cmd": "python code/evaluate.py",
            "deps": ["data/model", "reports/history.csv", "code/evaluate.py"],
            "outs": [{f"reports/{name}": {"cache": False}} for name in ("metrics.json", "predictions.csv")],
        },
    },
    "metrics": ["reports/metrics.json"],
}


def create(path: Path) -> sandbox.Repository:
    """Create the repository with nothing run yet, without a commit; a rate is the accuracy to expect."""
    for folder in (".dvc", "code", "data", "reports"):
        (path / folder).mkdir(parents=True)
    made = sandbox.Repository(path)
    made.run("git", "init", "--quiet", "--initial-branch=main")
    made.sign()
    for name in ("config", ".gitignore"):
        shutil.copy(sandbox.PROJECT / ".dvc" / name, path / ".dvc")
    (path / "data/.gitignore").write_text("/model\n")
    (path / "code/train.py").write_text(TRAIN.format(trained=str(_log(path))))
    (path / "code/evaluate.py").write_text(EVALUATE)
    YAML().dump(PIPELINE, path / "dvc.yaml")
    YAML().dump({"train": {"rate": 0.6, "seed": 7, "fail": False}}, path / "params.yaml")
    return made


def add_pictures(made: sandbox.Repository) -> None:
    """Let a stage before the training read a folder that Git ignores but for the file that says so."""
    images = made.path / "data/images"
    images.mkdir()
    (images / ".gitignore").write_text("*\n!.gitignore\n")
    (images / "cat.txt").write_text("a picture")
    (made.path / "code/records.py").write_text(RECORDS)
    document = YAML().load(made.path / "dvc.yaml")
    deps = ["code/records.py", "data/images"]
    document["stages"]["records"] = {"cmd": "python code/records.py", "deps": deps, "outs": ["data/records"]}
    document["stages"]["train"]["deps"].append("data/records")
    YAML().dump(document, made.path / "dvc.yaml")
    (made.path / "data/.gitignore").write_text("/model\n/records\n")


def trained(made: sandbox.Repository) -> list[str]:
    """All trainings that have run, each as rate-seed."""
    return _log(made.path).read_text().split()


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}.log")

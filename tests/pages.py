"""A folder with what the pipeline leaves, made of predictions, for the page about it."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from stages.inputs import arrays
from stages.page import write
from stages.reporting import wilson

HISTORY = "epoch,loss,accuracy,val_loss,val_accuracy\n1,0.9,0.5,0.95,0.4\n2,0.7,0.6,0.8,0.55\n"
CARD = """# Model card: `dense` for `tiny`

It is right about **most** images. The sections are those of [a paper](https://arxiv.org/abs/1810.03993).

## Model details

|  |  |
| :--- | :--- |
| architecture | `dense` |

[model_summary.txt](model_summary.txt) lists its layers.

```python
print("<b>")
```

<details>
<summary>Settings (1 rows)</summary>

| setting | value |
| :--- | ---: |
| `rate` | 0.1 |

</details>

![The data](data.png)

![Filters](filters.png)
"""


def write_results(
    folder: Path,
    actual: Sequence[str],
    predicted: Sequence[str],
    confidence: Sequence[float] | None = None,
    classes: Sequence[str] | None = None,
    paths: Sequence[str] | None = None,
    card: str = CARD,
) -> Path:
    """Write the reports of N test images, whose positions begin with 100; return the folder."""
    reports = folder / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    names = list(classes or dict.fromkeys([*actual, *predicted]))
    table = pd.DataFrame({"index": np.arange(len(actual)) + 100, "actual": actual, "predicted": predicted})
    sure = np.full(len(actual), 0.9) if confidence is None else np.array(confidence)
    table = table.assign(probability=sure) if paths is None else table.assign(probability=sure, path=paths)
    table.to_csv(reports / "predictions.csv", index=False, float_format="%.4f", lineterminator="\n")
    right = int((table["actual"] == table["predicted"]).sum())
    low, high = wilson.interval(right, len(table))
    metrics = {"accuracy": right / len(table), "accuracy_low": low, "accuracy_high": high, "loss": 0.2036}
    put_json(
        reports / "metrics.json",
        {**metrics, "images": len(table), "top_2_accuracy": 1.0, "odd": {"share": 0.5}},
    )
    put_json(reports / "data.json", data_report(names, actual, paths is not None))
    (reports / "history.csv").write_text(HISTORY)
    (reports / "model_card.md").write_text(card, encoding="utf-8")
    for name in ("data.png", "reliability.png"):
        Image.new("RGB", (40, 30), "white").save(reports / name)
    return folder


def data_report(classes: Sequence[str], actual: Sequence[str], are_own: bool) -> dict[str, Any]:
    """What the subset stage says of the data."""
    counts = {name: list(actual).count(name) for name in classes}
    place = {"class": classes[0], "position": "a/<b>.png" if are_own else 7, "split": "train"}
    shares = {"got": {"train": 0.6, "val": 0.2, "test": 0.2}}
    own = {"formats": {"PNG": 5}, "notes": {"turned": 2}, "odd": {"darkest": ["a/night.png"]}}
    own |= {"groups": 0, "near_duplicates": {"more": False, "pairs": []}, "shares": shares}
    once = {"within": 0}
    params: dict[str, Any] = {
        "background": "white",
        "conflicts": "keep",
        "decode": "auto",
        "image_size": None,
        "limit_per_class": None,
    }
    params |= {"resize": "squash", "test_fraction": None, "val_fraction": 0.2}
    return {
        "classes": list(classes),
        "contradictions": {"pictures": 1, "places": [[place, {**place, "class": classes[-1]}]]},
        "dataset": "folder" if are_own else "tiny",
        "images": {split: counts for split in ("train", "val", "test")},
        "pictures": own if are_own else {},
        "params": params,
        "repeated": {"train": {"within": 1, "dropped_for_test": [3, 4]}, "val": once, "test": once},
        "unused": {},
    }


def write_images(folder: Path, actual: Sequence[str], classes: Sequence[str], images: np.ndarray) -> Path:
    """Write N test images, uint8 [N, H, W, C], as the subset stage does; return the folder."""
    labels = np.array([list(classes).index(name) for name in actual])
    manifest = arrays.Manifest(classes=list(classes), count=len(labels), image_shape=list(images.shape[1:]))
    (folder / "data/subset").mkdir(parents=True)
    arrays.write(folder / "data/subset/test", manifest, images, labels, np.arange(len(labels)) + 100)
    return folder


def noise(count: int, side: int = 8, channels: int = 3) -> np.ndarray:
    """Images that no encoding makes smaller."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def page(folder: Path, base: str | None = None) -> Path:
    """Write the page about a folder; return its file."""
    output = folder / "page/index.html"
    write.write(folder, base, output)
    return output


def commit(folder: Path) -> None:
    """Make the folder a repository of Git and DVC if it is none, and commit its reports."""
    if not (folder / ".git").exists():
        (folder / ".dvc").mkdir()
        (folder / ".dvc/config").touch()
        (folder / ".gitignore").write_text("/data\n/page\n/.dvc/tmp\n")
        git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    who = ("-c", "user.email=tests@example.com", "-c", "user.name=Tests")
    git(folder, *who, "commit", "--quiet", "--message=results")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def put_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")

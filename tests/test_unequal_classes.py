"""Classes of 50 to 1, from pictures to reports: weights and repeats find more of the small class."""

import numpy as np
import pytest
from PIL import Image

from stages import evaluate, records, subset
from stages.figures import canvas
from stages.inputs import manifest, tfrecord
from stages.running import outputs, paramfile
from tests import pictures, subsets, tiny, training

LARGE, SMALL = 1000, 20
TRAINING = {
    "model": {"name": "dense", "units": [], "dropout": 0.0},
    "optimizer": training.PARAMS["optimizer"] | {"learning_rate": 0.05},
    "epochs": 6,
    "batch_size": 50,
    "calibrate": "none",
}
EVALUATION = {
    "calibration_bins": 10,
    "examples": 1,
    "feature_maps": {"classes": 1, "images": 1, "channels": 1},
    "target_precision": None,
    "min_accuracy": 0.0,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The folder of a project after its stage subset; the two classes overlap in brightness."""
    folder = tmp_path_factory.mktemp("unequal")
    generator = np.random.default_rng(0)
    for name, count, level in (("common", LARGE, 110), ("rare", SMALL, 135)):
        for number in range(count):
            brightness = level + generator.normal(scale=10)
            pixels = np.clip(brightness + generator.normal(scale=20, size=(4, 4)), 0, 255).astype(np.uint8)
            path = folder / "pictures" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    pictures.downloaded(folder / "pictures", folder / "raw")
    changes = {"val_fraction": 0.2, "test_fraction": 0.4, "near_duplicates": False, "channels": 1}
    params = paramfile.check(subset.Params, {**subsets.DEFAULTS, **changes}, "subset")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(canvas, "save", lambda figure, path: path.touch())  # it takes longer than all else
        subset.subset(params, folder / "raw", folder / "arrays", folder / "data.json", folder / "data.png")
    return folder


def found(data, folder, balance="none", class_weight="none"):
    """Prepare, train and evaluate; return metrics.json and per_class.json."""
    changes = {"augment": [], "views": 3, "images_per_record": 100, "shards": 1, "balance": balance}
    params = records.Params.model_validate({**tiny.RECORDS, **changes})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(canvas, "save", lambda figure, path: path.touch())
        records.records(
            params, data / "raw", data / "arrays", folder / "records", folder / "training_images.png"
        )
        training.run(folder / "records", folder, **TRAINING, class_weight=class_weight)
        judging = paramfile.check(evaluate.Params, EVALUATION, "evaluate")
        places = folder / "model", folder / "records" / "test", data / "data.json", folder / "history.csv"
        evaluate.evaluate(judging, *places, folder / "reports")
    reports = folder / "reports"
    return outputs.read_json(reports / "metrics.json"), outputs.read_json(reports / "per_class.json")


@pytest.fixture(scope="module")
def plain(data, tmp_path_factory):
    return found(data, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("remedy", [{"class_weight": "balanced"}, {"balance": "equal"}], ids=str)
def test_more_of_the_small_class_is_found(data, plain, tmp_path, remedy):
    metrics, by_class = found(data, tmp_path, **remedy)
    assert by_class["rare"]["recall"] >= plain[1]["rare"]["recall"] + 0.3
    assert metrics["balanced_accuracy"] >= plain[0]["balanced_accuracy"] + 0.1
    assert metrics["balanced_accuracy"] == pytest.approx(
        (by_class["rare"]["recall"] + by_class["common"]["recall"]) / 2, abs=1e-4
    )


def test_no_picture_is_in_two_splits_however_often_it_is_repeated(data, tmp_path):
    changes = {"augment": [], "views": 2, "images_per_record": 100, "balance": "equal"}
    folder = tiny.build_records(tmp_path, data / "arrays", **changes)
    contents: dict[str, set[bytes]] = {}
    for split in ("train", "val", "test"):
        made = manifest.read(folder / split)
        for view in range(made.views):
            for images, _, _ in tfrecord.Split(folder / split).batches(100, [view]):
                contents.setdefault(split, set()).update(image.tobytes() for image in images.numpy())
        assert len(contents[split]) == made.different == sum(made.class_images)
        assert (made.count > made.different) == (split == "train")
    assert len(set.union(*contents.values())) == sum(len(each) for each in contents.values()) == LARGE + SMALL

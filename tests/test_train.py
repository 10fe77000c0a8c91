"""The train stage: a model that takes pixels, the same one for the same seed, or a clear message."""

import zipfile
from typing import Any

import keras
import numpy as np
import pytest

from stages.classifier.history import VALIDATION
from stages.inputs import manifest, tfrecord
from stages.layers import processor
from stages.models import airbench, transfer
from stages.running import errors, outputs
from stages.training import stepping
from tests import precisions, rounding, small_backbone, tiny
from tests.training import OPTIONS, PARAMS, TRANSFER, history, load, run

is_held_back = processor.is_held_back()


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Start as in a new process: layers are named from the start, the precision is float32."""
    keras.utils.clear_session()
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return tiny.build_records(folder, tiny.subset(folder / "arrays"))


@pytest.fixture(scope="module")
def trained(records, tmp_path_factory):
    keras.utils.clear_session()
    return run(records, tmp_path_factory.mktemp("trained"))


def test_the_stage_writes_model_summary_history_and_environment(trained):
    files = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    assert files == {
        "model/model.keras",
        "model/summary.txt",
        "model/environment.json",
        "model/training.json",
        "model/validation.csv",
        "history.csv",
    }
    assert "of them trainable" in (trained / "model" / "summary.txt").read_text()


def test_the_model_takes_raw_pixels_and_gives_probabilities(trained):
    model = load(trained)
    assert model.input_shape == (None, 8, 8, 1)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    probabilities = model.predict(images, verbose=0)
    assert probabilities.shape == (5, 2)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=rounding.of_sum(2, 1))
    assert np.all(probabilities >= 0)


@pytest.mark.parametrize(
    ("scaled", "rounded"),
    [
        (lambda pixels: pixels.astype(np.float32), False),
        (lambda pixels: pixels.astype(np.int64), False),
        (lambda pixels: pixels / 255, True),
        (lambda pixels: pixels / 127.5 - 1, True),
    ],
    ids=["floats", "integers", "0..1", "-1..1"],
)
def test_images_of_any_scale_are_taken_for_what_they_are(trained, scaled, rounded):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1)).astype(np.uint8)
    model = load(trained)
    expected = model.predict(pixels, verbose=0)
    assert len(np.unique(expected.round(3))) > 2
    # Scaled to 0..255 and then to about -2..2: three roundings of up to 255, and sums over 64 pixels.
    bound = rounding.of_steps(3, 255) + rounding.of_sum(64, 64) if rounded else 0
    np.testing.assert_allclose(model.predict(scaled(pixels), verbose=0), expected, rtol=0, atol=bound)


def test_an_image_is_judged_by_itself(trained):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1)).astype(np.float32)
    model = load(trained)
    mixed = model.predict(np.stack([pixels[0], pixels[1] / 255]), verbose=0)
    alone = [model.predict(each[None], verbose=0)[0] for each in (pixels[0], pixels[1] / 255)]
    np.testing.assert_allclose(mixed, alone, rtol=0, atol=rounding.of_sum(64, 64))


@pytest.mark.parametrize("value", [256.0, -1.5, float("nan"), float("inf")])
def test_what_no_pixel_can_be_gives_no_probabilities(trained, value):
    pixels = np.full((1, 8, 8, 1), 7.0, np.float32)
    pixels[0, 3, 3] = value
    assert np.isnan(load(trained).predict(pixels, verbose=0)).all()


def test_the_darkest_images_stay_dark(trained):
    pixels = np.zeros((2, 8, 8, 1), np.uint8)
    pixels[1, 2:4] = 1
    found = load(trained).predict(pixels, verbose=0)
    np.testing.assert_allclose(found[0], found[1], atol=0.05)


def test_patience_without_validation_images_is_bad_input(tmp_path):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays", val=0))
    with pytest.raises(errors.BadInput, match="no validation images to wait for; set it to null"):
        run(records, tmp_path / "out", patience=3)


def test_the_model_consists_only_of_layers_of_keras(trained):
    with zipfile.ZipFile(trained / "model" / "model.keras") as archive:
        assert b"stages" not in archive.read("config.json")


def test_the_model_normalizes_with_the_training_constants(records, trained):
    constants = manifest.read(records / "train").normalization
    (layer,) = (layer for layer in load(trained).layers if isinstance(layer, keras.layers.Normalization))
    pixels = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    expected = (pixels - constants.mean[0]) / constants.std[0]
    np.testing.assert_allclose(layer(pixels), expected, rtol=1e-5)


def test_the_history_has_a_row_and_a_learning_rate_per_epoch(trained):
    table = history(trained)
    measures = ["loss", "accuracy", "above_half_precision", "above_half_recall"]
    columns = ["epoch", "learning_rate", *measures, *(f"val_{name}" for name in measures)]
    assert table.columns.tolist() == columns
    assert table["epoch"].tolist() == [1, 2]
    np.testing.assert_allclose(table["learning_rate"], [0.02 / 3, 0.02], atol=1e-6)


def test_the_history_does_not_round_small_learning_rates_away(records, tmp_path):
    small = PARAMS["optimizer"] | {"learning_rate": 1.2345e-6}
    run(records, tmp_path, optimizer=small, schedule=PARAMS["schedule"] | {"warmup_epochs": 0}, epochs=1)
    assert history(tmp_path)["learning_rate"][0] == pytest.approx(1.2345e-6, rel=0.01)


def test_training_tells_dark_from_light(records, tmp_path):
    run(records, tmp_path, epochs=5)
    model = load(tmp_path)
    for split in ("train", "val"):
        ((images, labels, _),) = tfrecord.Split(records / split).batches(99)
        assert np.mean(model.predict(images, verbose=0).argmax(axis=1) == labels) == 1.0


def test_the_settings_are_kept_with_the_model(trained):
    settings = outputs.read_json(trained / "model" / "training.json")
    assert settings["params"] == PARAMS
    assert (settings["train_images"], settings["val_images"]) == (24, 8)
    assert settings["records"]["augment"] == tiny.RECORDS["augment"]
    assert settings["records"]["normalization"]["method"] == "standardize"


def test_what_the_model_is_for_is_kept_with_it(tmp_path):
    form = manifest.Form(background="#ffffff", resize="pad")
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "subset", form=form))
    settings = outputs.read_json(run(records, tmp_path / "out") / "model/training.json")
    assert (settings["classes"], settings["form"]) == (tiny.CLASSES, form.model_dump())


def test_the_environment_says_what_ran(trained):
    environment = outputs.read_json(trained / "model" / "environment.json")
    assert set(environment) == {
        "cores", "deterministic", "device", "instruction_set", "keras", "numpy", "onednn", "platform",
        "precision", "processor", "python", "tensorflow",
    }  # fmt: skip
    assert (environment["device"], environment["precision"]) == ("cpu", "float32")
    assert environment["keras"] == keras.__version__


def test_the_same_seed_gives_the_same_bytes(records, trained, tmp_path):
    assert tiny.digests(run(records, tmp_path)) == tiny.digests(trained)


def test_another_seed_gives_other_weights(records, trained, tmp_path):
    again, before = tiny.digests(run(records, tmp_path, seed=1)), tiny.digests(trained)
    assert {name for name in before if before[name] != again[name]} == {
        "model/model.keras",
        "model/training.json",
        "model/validation.csv",
        "history.csv",
    }


@pytest.mark.parametrize("precision", precisions.HALVES)
def test_a_half_precision_model_gives_float32_probabilities(records, tmp_path, precision):
    run(records, tmp_path, precision=precision, epochs=1)
    probabilities = load(tmp_path)(np.zeros((2, 8, 8, 1), np.uint8))
    assert probabilities.dtype == "float32"
    np.testing.assert_allclose(np.sum(probabilities, axis=1), 1, atol=rounding.of_sum(2, 1))
    assert outputs.read_json(tmp_path / "model" / "environment.json")["precision"] == precision


def test_without_validation_images_its_history_columns_are_empty(tmp_path):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays", val=0))
    run(records, tmp_path, patience=None)
    table = history(tmp_path)
    assert table.columns.tolist() == [
        "epoch", "learning_rate", "loss", "accuracy", "above_half_precision", "above_half_recall", *VALIDATION
    ]  # fmt: skip
    assert len(table) == 2
    (_, *lines) = (tmp_path / "history.csv").read_text().splitlines()
    assert [line.split(",")[6:] for line in lines] == [["nan"] * 4] * 2  # val_loss, val_accuracy, ...
    assert table[VALIDATION].isna().all(axis=None) and table["loss"].notna().all()
    assert load(tmp_path).output_shape == (None, 2)


def test_every_validation_takes_the_images_in_the_same_order(records, tmp_path, monkeypatch):
    orders, test = [], stepping.Trainer.test

    def noted(trainer, batches):
        taken = list(batches)
        orders.append(np.concatenate([positions for _, _, positions in taken]).tolist())
        return test(trainer, taken)

    monkeypatch.setattr(stepping.Trainer, "test", noted)
    run(records, tmp_path, epochs=5)
    assert len(orders[0]) == 8 and orders == [orders[0]] * 5


def test_training_goes_on_when_the_views_are_used_up(records, tmp_path):
    run(records, tmp_path, epochs=5)
    assert len(history(tmp_path)) == 5


def test_patience_stops_the_training(records, tmp_path):
    unmoving = PARAMS["optimizer"] | {"name": "sgd", "learning_rate": 1e-30}
    run(records, tmp_path, epochs=9, patience=2, optimizer=unmoving)
    assert len(history(tmp_path)) < 9


@pytest.mark.parametrize(
    ("model", "normalize"),
    [
        ({"name": "dense", "units": [6], "dropout": 0.2}, "unit"),
        (
            {"name": "simple_cnn", "filters": [4], "kernel_size": 3, "units": [5], "dropout": 0.2},
            "standardize",
        ),
        pytest.param(TRANSFER, "none", marks=pytest.mark.long),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)
def test_every_architecture_trains_and_gives_probabilities(tmp_path, model, normalize):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays"), normalize=normalize)
    run(records, tmp_path / "out", model=model, precision="float32" if is_held_back else "mixed_bfloat16")
    assert len(history(tmp_path / "out")) == 2
    probabilities = load(tmp_path / "out").predict(np.zeros((3, 8, 8, 1), np.uint8), verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=rounding.of_sum(2, 1))
    with zipfile.ZipFile(tmp_path / "out" / "model" / "model.keras") as archive:
        assert b"stages" not in archive.read("config.json")


def test_records_not_normalized_as_a_model_needs_are_bad_input(records, tmp_path):
    with pytest.raises(errors.BadInput, match=r"received standardize; set records\.normalize to none"):
        run(records, tmp_path / "out", model=TRANSFER)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("views", [1, 2])
def test_only_a_model_that_looks_twice_ignores_mirroring(records, tmp_path, views):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    model = load(run(records, tmp_path, test_time_augmentation=views))
    plain, mirrored = (model.predict(each, verbose=0) for each in (images, images[:, :, ::-1]))
    assert np.allclose(plain, mirrored, atol=1e-5) == (views > 1)


@pytest.mark.parametrize(("epochs", "trained"), [(1, False), (2, True)])
def test_a_backbone_is_trained_only_after_the_epochs_of_the_head(tmp_path, monkeypatch, epochs, trained):
    small_backbone.in_place_of_vgg16(monkeypatch, features=6)
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays", val=0), normalize="none")
    model: dict[str, Any] = {"backbone": "VGG16", "weights": "none", "image_size": 32, "dropout": 0.0}
    run(
        records,
        tmp_path,
        model={"name": "transfer", **model},
        epochs=epochs,
        fine_tuning={"head_epochs": 1, "learning_rate_scale": 0.1},
        schedule=PARAMS["schedule"] | {"warmup_epochs": 0},
    )
    after = load(tmp_path).get_layer("transfer")
    keras.utils.clear_session()
    keras.utils.set_random_seed(PARAMS["seed"])
    before = transfer.build((8, 8, 1), 2, transfer.Options(**model))
    kernels = [network.get_layer("backbone").get_weights()[0] for network in (before, after)]
    assert np.array_equal(*kernels) != trained
    heads = [network.layers[-1].get_weights()[0] for network in (before, after)]
    assert not np.array_equal(*heads)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"name": "three_blok_cnn"}, "unknown model 'three_blok_cnn'.*Did you mean 'three_block_cnn'"),
        ({"filter": [4]}, "train.model: unknown key 'filter'.*Did you mean 'filters'"),
        ({"dropout": 1.5}, "train.model.dropout: expected less than 1, received 1.5"),
        ({"filters": [4, 4, 4]}, "images of at least 22x22 pixels, received 8x8"),
    ],
)
def test_an_impossible_model_is_bad_input_and_nothing_is_written(records, tmp_path, model, message):
    with pytest.raises(errors.BadInput, match=message):
        run(records, tmp_path / "out", model=PARAMS["model"] | model)
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_name_is_named_as_what_is_missing(records, tmp_path):
    with pytest.raises(errors.BadInput, match=r"train\.model\.name is missing"):
        run(records, tmp_path, model={"filters": [4], "dropout": 0.0, "batch_norm_momentum": 0.9})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "train.epochs: expected greater than or equal to 1, received 0"),
        ({"patience": 0}, "train.patience: expected greater than or equal to 1, received 0"),
        ({"precision": "bfloat16"}, "train.precision: expected 'auto', 'float32', 'mixed_bfloat16'"),
        ({"seed": 2**32}, "train.seed: expected less than "),
        ({"schedule": PARAMS["schedule"] | {"name": "step"}}, "train.schedule.name: expected 'constant'"),
        ({"schedule": PARAMS["schedule"] | {"warmup": 1}}, "Did you mean 'warmup_epochs'"),
        ({"schedule": PARAMS["schedule"] | {"warmup_epochs": 2.5}}, "at most epochs = 2, received 0 and 2.5"),
        (
            {"fine_tuning": {"head_epochs": 2, "learning_rate_scale": 1}},
            "at most epochs = 2, received 2 and 1.0",
        ),
        (
            {"fine_tuning": {"head_epochs": 1, "learning_rate_scale": 1}},
            "three_block_cnn has none: set it to 0",
        ),
    ],
)
def test_a_wrong_parameter_is_named(records, tmp_path, change, message):
    with pytest.raises(errors.BadInput, match=message):
        run(records, tmp_path, **change)


def test_a_loss_that_is_not_finite_leaves_no_model(records, tmp_path):
    optimizer = PARAMS["optimizer"] | {"name": "sgd", "learning_rate": 1e30}
    with pytest.raises(errors.Diverged, match=r"lower train\.optimizer\.learning_rate"):
        run(records, tmp_path / "out", optimizer=optimizer)
    assert not (tmp_path / "out").exists()


def test_records_that_are_not_there_are_bad_input(tmp_path):
    with pytest.raises(
        errors.BadInput, match=r"train/manifest\.json: expected a plain file, received nothing"
    ):
        run(tmp_path, tmp_path / "out")


def test_validation_images_are_read_in_batches_bounded_in_bytes(records, tmp_path, monkeypatch):
    sizes: list[int] = []
    test = stepping.Trainer.test

    def noted(trainer, batches):
        taken = list(batches)
        sizes.extend(len(positions) for _, _, positions in taken)
        return test(trainer, taken)

    monkeypatch.setattr(stepping.Trainer, "test", noted)
    monkeypatch.setattr(tfrecord, "BATCH_BYTES", 3 * 64)  # three images
    run(records, tmp_path, epochs=1, schedule=PARAMS["schedule"] | {"warmup_epochs": 0})
    assert sizes == [3, 3, 2]


def test_first_weights_are_made_of_batches_bounded_in_bytes(records, tmp_path, monkeypatch):
    sizes: list[int] = []

    def noted(network, batches, options):
        sizes.extend(map(len, batches))

    monkeypatch.setattr(airbench, "initialize", noted)
    monkeypatch.setattr(tfrecord, "BATCH_BYTES", 5 * 64)  # five images
    run(records, tmp_path, model={"name": "airbench", **OPTIONS["airbench"]}, epochs=1)
    assert sizes == [5, 5, 5, 5, 4]

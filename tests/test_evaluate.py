"""The evaluate stage: numbers, predictions and pictures that agree, and a floor under the accuracy."""

import re

import keras
import numpy as np
import pandas as pd
import pytest

from stages import evaluate
from stages.classifier import provenance, validation
from stages.explaining import predictions
from stages.inputs import tfrecord
from stages.running import errors, outputs, paramfile
from tests import tiny

PARAMS = {
    "calibration_bins": 10,
    "examples": 6,
    "feature_maps": {"classes": 2, "images": 2, "channels": 4},
    "target_precision": None,
    "min_accuracy": 0.0,
}
COUNT = 10
REPORTS = {
    "metrics.json",
    "per_class.json",
    "predictions.csv",
    "probabilities.parquet",
    "confusions.csv",
    "confusion_matrix.png",
    "learning_curves.png",
    "predictions.png",
    "confusions.md",
    "model_card.md",
    "precision_recall.png",
    "reliability.png",
    "risk_coverage.png",
    "convolution.png",
    "feature_maps.png",
    "filters.png",
    "model_summary.txt",
    "environment.json",
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return tiny.build_records(folder, tiny.subset(folder / "arrays", test=COUNT)) / "test"


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    path = tmp_path_factory.mktemp("history") / "history.csv"
    path.write_text("epoch,learning_rate,loss,accuracy\n1,0.1,0.7,0.5\n")
    return path


def classifier(folder, slope=0.2, shape=(8, 8, 1), classes=2, activation="softmax"):
    """A saved model that calls an image light by its mean: surely so with a large slope, never with 0."""
    pixels = keras.Input(shape, dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(pixels))
    dense = keras.layers.Dense(classes, activation=activation)
    return saved(folder, keras.Model(pixels, dense(mean)), dense, slope)


def convolutional(folder, slope=0.2):
    """Save a model that does the same with a convolution and a pooling, in a nested model."""
    images = keras.Input((8, 8, 1))
    conv = keras.layers.Conv2D(2, 1, activation="relu", name="brighter")
    maps = keras.layers.AveragePooling2D(2, name="coarser")(conv(images))
    network = keras.Model(images, maps, name="network")
    conv.set_weights([np.array([[[[1, 0]]]]), np.zeros(2)])
    pixels = keras.Input((8, 8, 1), dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(network(keras.layers.Rescaling(1.0)(pixels)))
    dense = keras.layers.Dense(2, activation="softmax")
    return saved(folder, keras.Model(pixels, dense(mean)), dense, slope)


def saved(folder, model, dense, slope):
    """Write the model, its last layer set to look at the first channel's mean, as the train stage does."""
    kernel, bias = (np.zeros(weights.shape) for weights in dense.get_weights())
    kernel[:, 1], bias[1] = slope, -125 * slope - (slope == 0)
    dense.set_weights([kernel, bias])
    folder.mkdir()
    model.save(folder / "model.keras")
    (folder / "summary.txt").write_text("dense\n")
    (folder / "environment.json").write_text("{}\n")
    describe(folder)
    return folder


def describe(folder, **changes):
    """Write training.json, as the train stage does for the model that is there."""
    provenance.write(folder, provenance.Training.model_validate(tiny.TRAINING | changes))


def run(model, records, history, reports, data=None, **changes):
    params = paramfile.check(evaluate.Params, PARAMS | changes, "evaluate")
    report = history.with_name("data.json")
    outputs.write_json(report, data or tiny.data_report())
    evaluate.evaluate(params, model, records, report, history, reports)
    return reports


@pytest.fixture(scope="module")
def reports(records, history, tmp_path_factory):
    folder = tmp_path_factory.mktemp("perfect")
    return run(classifier(folder / "model"), records, history, folder / "reports")


@pytest.fixture(scope="module")
def reports_of_dark(records, history, tmp_path_factory):
    """The reports on a model that calls every image dark."""
    folder = tmp_path_factory.mktemp("dark")
    return run(classifier(folder / "model", slope=0.0), records, history, folder / "reports")


def test_the_stage_writes_numbers_predictions_and_pictures(reports):
    assert {path.name for path in reports.iterdir()} == REPORTS
    for path in reports.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert (reports / "model_summary.txt").read_text() == "dense\n"
    assert (reports / "environment.json").read_text() == "{}\n"


def test_a_right_model_is_right_about_every_image(reports):
    found = outputs.read_json(reports / "metrics.json")
    assert (found["accuracy"], found["images"], found["parameters"]) == (1.0, COUNT, 4)
    by_class = outputs.read_json(reports / "per_class.json")
    assert [(name, numbers["support"]) for name, numbers in by_class.items()] == [("dark", 5), ("light", 5)]


def test_a_constant_model_is_right_half_the_time(reports_of_dark):
    found = outputs.read_json(reports_of_dark / "metrics.json")
    assert found["accuracy"] == 0.5
    by_class = outputs.read_json(reports_of_dark / "per_class.json")
    assert (by_class["dark"]["recall"], by_class["light"]["recall"]) == (1.0, 0.0)
    share = 1 / (1 + np.exp(-1))
    assert found["loss"] == pytest.approx(-np.mean(np.log([share, 1 - share])), abs=1e-4)
    assert found["calibration_error"] == pytest.approx(share - 0.5, abs=1e-4)


def test_all_probabilities_join_the_predictions_and_the_measures_follow_from_them(reports_of_dark):
    every = pd.read_parquet(reports_of_dark / "probabilities.parquet")
    table = pd.read_csv(reports_of_dark / "predictions.csv").merge(every, on="index", validate="1:1")
    assert len(table) == COUNT
    assert (table[tiny.CLASSES].idxmax(axis=1) == table["predicted"]).all()
    assert (table[tiny.CLASSES].max(axis=1) - table["probability"]).abs().max() < 1e-4
    found = outputs.read_json(reports_of_dark / "metrics.json")
    assert (found["balanced_accuracy"], found["macro"]["roc_auc"], found["macro"]["ranked_classes"]) == (
        0.5,
        0.5,
        2,
    )
    assert outputs.read_json(reports_of_dark / "per_class.json")["light"]["average_precision"] == 0.5


def test_every_prediction_is_listed_with_its_published_position(records, reports_of_dark):
    table = pd.read_csv(reports_of_dark / "predictions.csv")
    ((_, labels, positions),) = tfrecord.Split(records).batches(COUNT)
    assert table.columns.tolist() == ["index", "actual", "predicted", "probability"]
    assert table["index"].tolist() == positions.numpy().tolist()
    assert table["actual"].tolist() == [tiny.CLASSES[label] for label in labels]
    assert table["predicted"].tolist() == ["dark"] * COUNT
    assert table["probability"].tolist() == [0.7311] * COUNT


@pytest.mark.parametrize("name", ["reports", "reports_of_dark"])
def test_the_predictions_add_up_to_the_metrics(name, request):
    reports = request.getfixturevalue(name)
    table, found = pd.read_csv(reports / "predictions.csv"), outputs.read_json(reports / "metrics.json")
    right = table["actual"] == table["predicted"]
    assert found["accuracy"] == right.mean()
    for class_name, numbers in outputs.read_json(reports / "per_class.json").items():
        of_class = table["actual"] == class_name
        assert numbers["support"] == of_class.sum()
        assert numbers["recall"] == pytest.approx(right[of_class].mean(), abs=1e-4)


def test_the_same_model_gives_the_same_bytes(records, history, reports_of_dark, tmp_path):
    again = run(reports_of_dark.parent / "model", records, history, tmp_path / "reports")
    assert tiny.digests(again) == tiny.digests(reports_of_dark)


@pytest.mark.parametrize(
    ("examples", "rows"), [(1, [0]), (4, [0, 3, 6, 9]), (COUNT, range(COUNT)), (100, range(COUNT))]
)
def test_examples_are_spread_over_the_split(examples, rows):
    assert predictions.spread(COUNT, examples).tolist() == list(rows)


@pytest.mark.parametrize("batch", [3, COUNT])
@pytest.mark.parametrize("rows", [[0], [0, 3, 6, 9], [7, 2, 8], []])
def test_images_are_read_by_row_whatever_the_batches(records, monkeypatch, batch, rows):
    split = tfrecord.Split(records)
    ((images, _, _),) = split.batches(COUNT)
    monkeypatch.setattr(predictions, "BATCH", batch)
    read = predictions.images(split, np.array(rows, int))
    np.testing.assert_array_equal(read, images.numpy()[rows])


@pytest.mark.parametrize(("classes", "images"), [(1, 1), (1, 3), (2, 2), (10, 10)])
def test_the_first_images_of_the_first_classes_come_by_class(records, classes, images):
    ((_, labels, _),) = tfrecord.Split(records).batches(COUNT)
    labels = labels.numpy()
    chosen = list(dict.fromkeys(labels.tolist()))[:classes]
    expected = [row for label in sorted(chosen) for row in np.flatnonzero(labels == label)[:images]]
    assert predictions.first_of_classes(labels, classes, images).tolist() == expected


def test_a_convolutional_network_is_judged_and_drawn_alike_twice(records, history, reports, tmp_path):
    model = convolutional(tmp_path / "model")
    once, again = (run(model, records, history, tmp_path / name) for name in ("once", "again"))
    assert {path.name for path in once.iterdir()} == REPORTS
    assert tiny.digests(once) == tiny.digests(again)
    assert (once / "predictions.csv").read_bytes() == (reports / "predictions.csv").read_bytes()
    for name in ("feature_maps.png", "filters.png"):
        assert (once / name).read_bytes() != (reports / name).read_bytes()


def test_more_channels_change_only_the_feature_maps(records, history, tmp_path):
    model = convolutional(tmp_path / "model")
    changes = {"feature_maps": {"classes": 2, "images": 2, "channels": 1}}
    two = tiny.digests(run(model, records, history, tmp_path / "two"))
    one = tiny.digests(run(model, records, history, tmp_path / "one", **changes))
    assert {name for name in two if two[name] != one[name]} == {"feature_maps.png"}


def test_the_confusions_are_those_of_the_predictions(reports, reports_of_dark):
    assert "None of the 10 test images" in (reports / "confusions.md").read_text()
    assert (
        "- `light` is taken for `dark` 5 times of 5 (100.0 %)"
        in (reports_of_dark / "confusions.md").read_text()
    )


def test_the_table_of_confusions_is_that_of_the_predictions(reports_of_dark):
    table = pd.read_csv(reports_of_dark / "confusions.csv")
    assert table.to_numpy().tolist() == [
        ["dark", "dark", 5, 1.0],
        ["light", "light", 0, 0.0],
        ["light", "dark", 5, 1.0],
    ]


def test_the_card_says_what_the_metrics_say(reports_of_dark):
    found = outputs.read_json(reports_of_dark / "metrics.json")
    card = (reports_of_dark / "model_card.md").read_text()
    assert "| accuracy | 50.00 % (23.66 to 76.34) |" in card
    assert (found["accuracy_low"], found["accuracy_high"]) == (0.2366, 0.7634)
    assert f"| expected calibration error | {found['calibration_error']:.4f} |" in card
    assert "| `dark` | 100.00 % (56.55 to 100.00) | 50.00 % (23.66 to 76.34) | 66.67 % | 5 |" in card
    assert "| `light` | 0.00 % (0.00 to 43.45) | never predicted | 0.00 % | 5 |" in card
    assert "| `light` taken for `dark` | 5 | 100.00 % (56.55 to 100.00) |" in card


def test_the_card_links_only_to_what_is_beside_it(reports):
    card = re.sub("`[^`\n]*`", "", (reports / "model_card.md").read_text())  # code is no link
    links = set(re.findall(r"\]\(([^):]+)\)", card))
    assert (
        {"confusion_matrix.png", "reliability.png", "learning_curves.png"} < links <= {*REPORTS, "data.png"}
    )


def test_a_report_on_other_classes_is_bad_input(records, history, reports, tmp_path):
    with pytest.raises(errors.BadInput, match=r"expected the records' classes, dark, light; received a, b"):
        run(reports.parent / "model", records, history, tmp_path / "out", data=tiny.data_report("ab"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("examples", [1, 100])
def test_one_example_or_more_than_there_are_can_be_asked_for(records, history, reports, tmp_path, examples):
    run(reports.parent / "model", records, history, tmp_path, examples=examples)
    assert (tmp_path / "predictions.png").stat().st_size > 0


def test_classes_are_listed_in_the_order_of_their_labels(tmp_path, history):
    arrays = tiny.subset(tmp_path / "arrays", test=COUNT)
    for path in arrays.rglob("manifest.json"):
        outputs.write_json(path, outputs.read_json(path) | {"classes": ["zebra", "ant"]})
    records = tiny.build_records(tmp_path, arrays) / "test"
    model = classifier(tmp_path / "model")
    describe(model, classes=["zebra", "ant"])
    out = run(model, records, history, tmp_path / "out", tiny.data_report(["zebra", "ant"]))
    assert list(outputs.read_json(out / "per_class.json")) == ["zebra", "ant"]


def test_a_model_that_gives_nan_is_bad_input(records, history, tmp_path):
    model = classifier(tmp_path / "model", slope=2.5e36)  # an infinite score
    with pytest.raises(errors.BadInput, match=r"model\.keras: expected probabilities .*nan for 5 of 10"):
        run(model, records, history, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_a_model_with_a_nan_weight_is_bad_input(records, history, tmp_path):
    model = classifier(tmp_path / "model")
    loaded = keras.models.load_model(model / "model.keras")
    weights = loaded.get_weights()
    weights[0].flat[0] = np.nan
    loaded.set_weights(weights)
    loaded.save(model / "model.keras")
    describe(model)
    with pytest.raises(errors.BadInput, match=r"expected finite weights, found others in .*; train again"):
        run(model, records, history, tmp_path / "reports")


def test_scores_that_are_no_probabilities_are_bad_input(records, history, tmp_path):
    model = classifier(tmp_path / "model", activation=None)
    with pytest.raises(errors.BadInput, match=r"expected probabilities that add up to 1 for each image"):
        run(model, records, history, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_empty_columns_of_validation_are_as_good_as_none(records, history, reports, tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,learning_rate,loss,accuracy,val_loss,val_accuracy\n1,0.1,0.7,0.5,,\n")
    found = run(reports.parent / "model", records, path, tmp_path / "reports")
    assert tiny.digests(found) == tiny.digests(reports)


def test_a_calibrated_model_is_shown_before_and_after(records, history, tmp_path):
    model = classifier(tmp_path / "model", slope=0.01)
    calibration = {"temperature": 0.2, "log_loss": 0.1, "log_loss_before": 0.5, "images": 8}
    describe(model, calibration=calibration)
    found = outputs.read_json(run(model, records, history, tmp_path / "reports") / "metrics.json")
    assert found["loss"] < found["uncalibrated"]["loss"]
    assert "from 0.5000 to 0.1000" in (tmp_path / "reports/model_card.md").read_text()


@pytest.mark.parametrize(("sure", "answered"), [(True, 1.0), (False, 0.0)])
def test_the_answers_above_a_confidence_are_counted(records, history, tmp_path, sure, answered):
    model = classifier(tmp_path / "model")
    labels = np.arange(100) % 2
    chances = np.eye(2)[labels] * (0.2 if sure else 0.9) + 0.05
    validation.write(model, labels if sure else 1 - labels, chances)
    found = run(model, records, history, tmp_path / "reports", target_precision=0.95) / "metrics.json"
    assert outputs.read_json(found)["selective"]["answered"] == answered


def test_too_low_an_accuracy_is_refused_after_the_reports(records, history, reports_of_dark, tmp_path):
    with pytest.raises(errors.BelowFloor, match=r"evaluate\.min_accuracy = 0\.9, received 0\.5"):
        run(reports_of_dark.parent / "model", records, history, tmp_path / "reports", min_accuracy=0.9)
    assert {path.name for path in (tmp_path / "reports").iterdir()} == REPORTS


def test_an_accuracy_at_the_floor_is_enough(records, history, reports_of_dark, tmp_path):
    run(reports_of_dark.parent / "model", records, history, tmp_path, min_accuracy=0.5)


@pytest.mark.parametrize(
    ("change", "received"),
    [
        ({"shape": (8, 8, 3)}, r"images \(8, 8, 3\) and 2 classes"),
        ({"classes": 3}, r"images \(8, 8, 1\) and 3 classes"),
    ],
)
def test_a_model_of_another_shape_is_bad_input(records, history, tmp_path, change, received):
    model = classifier(tmp_path / "model", **change)
    message = rf"model for images \(8, 8, 1\) and 2 classes, received one for {received}"
    with pytest.raises(errors.BadInput, match=message):
        run(model, records, history, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_a_file_that_is_no_model_is_bad_input_that_names_it(records, history, tmp_path):
    model = classifier(tmp_path / "model")
    (model / "model.keras").write_bytes(b"not a model")
    describe(model)
    with pytest.raises(errors.BadInput, match=r"model\.keras: expected a Keras model: "):
        run(model, records, history, tmp_path / "reports")


@pytest.mark.parametrize("content", [b"another", None])
def test_a_model_that_is_not_the_trained_one_is_bad_input(records, history, tmp_path, content):
    model = classifier(tmp_path / "model")
    (model / "model.keras").write_bytes(content) if content else (model / "model.keras").unlink()
    with pytest.raises(errors.BadInput, match=r"model\.keras: expected the model that was trained"):
        run(model, records, history, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_a_model_of_other_classes_is_bad_input(records, history, tmp_path):
    model = classifier(tmp_path / "model")
    describe(model, classes=["zebra", "ant"])
    with pytest.raises(errors.BadInput, match=r"training\.json: expected .*; received zebra, ant"):
        run(model, records, history, tmp_path / "reports")


def test_records_that_are_not_there_are_bad_input(history, reports, tmp_path):
    with pytest.raises(errors.BadInput, match=r"manifest\.json: expected a plain file, received nothing"):
        run(reports.parent / "model", tmp_path, history, tmp_path / "reports")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_accuracy": 1.5}, "evaluate.min_accuracy: expected less than or equal to 1, received 1.5"),
        ({"examples": 0}, "evaluate.examples: expected greater than or equal to 1, received 0"),
        ({"examples": 101}, "evaluate.examples: expected less than or equal to 100, received 101"),
        (
            {"feature_maps": {"classes": 0, "images": 2, "channels": 4}},
            "evaluate.feature_maps.classes: expected greater than or equal to 1, received 0",
        ),
        ({"calibration_bin": 3}, "unknown key 'calibration_bin'.*Did you mean 'calibration_bins'"),
    ],
)
def test_a_wrong_parameter_is_named(records, history, reports, tmp_path, change, message):
    with pytest.raises(errors.BadInput, match=message):
        run(reports.parent / "model", records, history, tmp_path, **change)


def test_images_are_judged_in_batches_bounded_in_bytes(records, tmp_path, monkeypatch):
    sizes, iterate = [], tfrecord.Split.iterate

    def noted(split, dataset):
        for batch in iterate(split, dataset):
            sizes.append(len(batch[1]))
            yield batch

    monkeypatch.setattr(tfrecord.Split, "iterate", noted)
    monkeypatch.setattr(tfrecord, "BATCH_BYTES", 4 * 64)  # four images
    model = keras.models.load_model(classifier(tmp_path / "model") / "model.keras")
    predictions.predict(model, tfrecord.Split(records))
    assert sizes == [4, 4, 2]

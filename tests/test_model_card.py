"""The card agrees with what it is given, and any class name is shown as it is."""

import html
import re
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from PIL import Image, ImageOps
from sklearn.metrics import confusion_matrix

from stages.classifier import provenance
from stages.decoding import picture, resizing
from stages.reporting import calibration, markdown, metrics, model_card
from stages.running import outputs
from tests import names, tiny

CLASSES = ["ant", "bee", "cat"]
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4],
        "loss": 0.5,
        "accuracy": [0.5, 0.7, 0.9, 0.9],
        "val_accuracy": [0.6, 0.875, 0.875, 0.875],
        "val_loss": [0.4, 0.3, 0.2, 0.2],
    }
)
SECTIONS = [
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
]
renderer = MarkdownIt("commonmark").enable("table")


BALANCED = {"balanced_accuracy": 0.8, "balanced_accuracy_low": 0.75, "balanced_accuracy_high": 0.85}
RANKED = {"f1_low": 0.7, "f1_high": 0.9, "ranked_classes": 3} | {
    f"{name}{bound}": value
    for name in ("average_precision", "roc_auc")
    for bound, value in {"": 0.9, "_low": 0.85, "_high": 0.95}.items()
}


def facts(classes=CLASSES, confidence=0.8, right=0.8, images=300, shape=(8, 8, 1), history=HISTORY, **params):
    """Of a model that gives every image the same confidence and has a share of them right."""
    labels = np.arange(images) % len(classes)
    rank = np.arange(images) // len(classes) / (images / len(classes))
    predicted = np.where(rank < right, labels, (labels + 1) % len(classes))
    probabilities = np.full((images, len(classes)), (1 - confidence) / (len(classes) - 1))
    probabilities[np.arange(images), predicted] = confidence
    numbers = metrics.evaluate(labels, probabilities, classes, 10) | BALANCED
    numbers["macro"] |= RANKED
    return model_card.Facts(
        data=tiny.data_report(classes, test=images, **params),
        training=provenance.Training.model_validate(tiny.TRAINING),
        environment={"device": "cpu", "keras": "3.15.1"},
        image_shape=shape,
        history=history,
        metrics=numbers | {"parameters": 1234},
        per_class=metrics.per_class(labels, predicted, classes),
        counts=confusion_matrix(labels, predicted),
        confidence=probabilities.max(axis=1),
        right=predicted == labels,
        calibration=calibration.bins(labels, probabilities, 10),
    )


def test_means_over_classes_have_intervals_and_say_which_classes_they_leave_out():
    given = facts()
    shown = rows(section(model_card.text(given), "Quantitative analyses"))
    rows_of = dict(row for row in shown if len(row) == 2)
    assert rows_of["balanced accuracy: mean of the classes' recall"] == "80.00 % (75.00 to 85.00)"
    assert rows_of["mean of the classes' average precision, each against the rest"].startswith("90.00 % (8")
    assert "no test image" not in model_card.text(given)
    given.per_class["bee"]["support"] = 0
    assert "1 of 3 classes have no test image" in section(model_card.text(given), "By class")


def test_without_two_classes_in_the_test_there_is_no_ranking():
    given = facts()
    for name in ("average_precision", "roc_auc"):
        del given.metrics["macro"][name]
    assert "against the rest" not in section(model_card.text(given), "Quantitative analyses")


def test_repeated_images_are_told_from_different_ones():
    given = facts()
    assert "those of small classes repeated" not in model_card.text(given)
    records = given.training.records.model_copy(update={"view_images": 44})
    card = model_card.text(given._replace(training=given.training.model_copy(update={"records": records})))
    assert "| images of a copy, those of small classes repeated | 44 |" in card


def trained(facts, **params):
    """The same facts of a model trained with other params."""
    settings = facts.training.params.model_copy(update=params)
    return facts._replace(training=facts.training.model_copy(update={"params": settings}))


def section(card, title):
    """The text below a heading, up to the next of its level."""
    level = "#" * (3 if f"\n### {title}\n" in card else 2)
    return re.split(rf"\n#{{2,{len(level)}}} ", card.split(f"\n{level} {title}\n")[1])[0]


def rows(text):
    """The rendered cells of every row, without markup."""
    found = re.findall(r"<tr>(.*?)</tr>", renderer.render(text), re.DOTALL)
    cells = [re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", row, re.DOTALL) for row in found]
    return [[html.unescape(re.sub(r"</?code>", "", cell)) for cell in row] for row in cells]


def test_the_sections_are_those_of_the_paper_in_its_words():
    card = model_card.text(facts())
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == SECTIONS
    assert "https://arxiv.org/abs/1810.03993" in card


def test_equal_facts_give_equal_text():
    assert model_card.text(facts()) == model_card.text(facts())


def test_the_numbers_are_those_of_the_metrics():
    given = facts()
    card, numbers = model_card.text(given), given.metrics
    overall = dict(row for row in rows(section(card, "Quantitative analyses")) if len(row) == 2)
    assert overall["accuracy"] == "80.00 % (75.11 to 84.13)"
    assert (numbers["accuracy"], numbers["accuracy_low"], numbers["accuracy_high"]) == (0.8, 0.7511, 0.8413)
    assert overall["loss (negative log-likelihood, nats)"] == f"{numbers['loss']:.4f}"
    assert overall["expected calibration error"] == f"{numbers['calibration_error']:.4f}"
    for name, *shown in rows(section(card, "By class"))[1:]:
        assert shown[0].startswith(f"{100 * given.per_class[name]['recall']:.2f} % (")
        assert shown[1].startswith(f"{100 * given.per_class[name]['precision']:.2f} % (")
        assert shown[3] == "100"


def test_recall_and_precision_have_intervals_of_their_own():
    # 80 of 100: Wilson's formula gives 0.71117 and 0.86663.
    ant = rows(section(model_card.text(facts()), "By class"))[1]
    assert ant[1:3] == ["80.00 % (71.12 to 86.66)"] * 2


def test_the_weakest_class_comes_first_and_into_the_caveats():
    given = facts()
    counts = np.array([[90, 10, 0], [0, 100, 0], [40, 0, 60]])
    for label, name in enumerate(CLASSES):
        given.per_class[name]["recall"] = counts[label, label] / 100
    card = model_card.text(given._replace(counts=counts))
    assert [row[0] for row in rows(section(card, "By class"))[1:]] == ["cat", "ant", "bee"]
    assert rows(section(card, "By class"))[1][2].endswith("(93.98 to 100.00)")  # all 60 taken for cats
    assert rows(section(card, "Confusions"))[1:] == [
        ["cat taken for ant", "40", "40.00 % (30.94 to 49.80)"],
        ["ant taken for bee", "10", "10.00 % (5.52 to 17.44)"],
    ]
    assert "The lowest recall: `cat` 60.00 % (50.20 to 69.06), `ant`" in card
    assert "`bee` 100" not in section(card, "Caveats and recommendations")


def test_a_faultless_model_has_no_confusions_or_weakest_class():
    card = model_card.text(facts(right=1.0))
    assert "No test image is taken for another class." in card
    assert "It finds every test image of every class." in card
    assert ["wrong", "0", "none", "none", "none"] in rows(section(card, "How certain it is"))


@pytest.mark.parametrize(
    ("confidence", "said"),
    [
        (0.95, "overconfident by 15.00 percentage points"),
        (0.6, "underconfident by 20.00 percentage points"),
        (0.81, "neither over- nor underconfident"),
    ],
)
def test_the_words_on_confidence_follow_the_calibration(confidence, said):
    card = model_card.text(facts(confidence=confidence))
    assert said in section(card, "Calibration") and said in section(card, "Caveats and recommendations")


def test_how_certain_right_and_wrong_predictions_are():
    given = facts()
    surer = given._replace(confidence=np.where(given.right, 0.96, 0.4))
    found = rows(section(model_card.text(surer), "How certain it is"))
    assert found[1] == ["right", "240", "96.00 %", "96.00 %", "96.00 % to 96.00 %"]
    assert found[2] == ["wrong", "60", "40.00 %", "40.00 %", "40.00 % to 40.00 %"]
    assert found[4:] == [
        *[
            [share, "240 (80.00 %)", "100.00 % (98.42 to 100.00)"]
            for share in ("50 %", "70 %", "90 %", "95 %")
        ],
        ["99 %", "0 (0.00 %)", "none"],
    ]


def learning(kept_epoch=3, history=HISTORY, **settings):
    """The section on the learning, of a model with the weights of an epoch."""
    given = trained(facts(history=history), epochs=4, **settings)
    training = given.training.model_copy(update={"kept_epoch": kept_epoch})
    return section(model_card.text(given._replace(training=training)), "Learning")


def test_of_equally_accurate_epochs_the_best_has_the_least_loss():
    learnt = learning()
    assert "Trained for 4 epochs. The weights are those of epoch 3, with a validation accuracy of" in learnt
    assert (
        "**87.50 %** on 8 images (training accuracy in that epoch: 90.00 %). No epoch has a better" in learnt
    )


def test_a_better_epoch_that_is_not_kept_is_told():
    worse = HISTORY.assign(val_accuracy=[0.6, 0.875, 0.9, 0.85])
    learnt = learning(4, worse)
    assert "of epoch 4, with a validation accuracy of **85.00 %** on 8 images" in learnt
    assert (
        "Epoch 3 has a better validation accuracy (90.00 %), but by no more than chance explains." in learnt
    )


def test_the_measure_that_chose_the_epoch_is_told():
    balanced = HISTORY.assign(val_balanced_accuracy=[0.9, 0.8, 0.7, 0.6])
    learnt = learning(1, balanced, select="balanced_accuracy")
    assert "validation accuracy of **60.00 %**" in learnt
    assert "No epoch has a better validation balanced accuracy (90.00 %)" in learnt
    learnt = learning(4, HISTORY.assign(val_loss=[0.4, 0.3, 0.2, 0.25]), select="loss")
    assert "Epoch 3 has a better validation loss (0.2000 instead of 0.2500), but by no more" in learnt


def test_averaged_weights_are_told():
    assert "of epoch 3, averaged over steps, with" in learning(average=0.9)


def test_an_early_stop_and_missing_validation_are_told():
    stopped = section(model_card.text(trained(facts(), epochs=20)), "Learning")
    assert "Trained for 4 epochs of 20, stopped because the validation accuracy no longer rose" in stopped
    given = trained(facts(history=HISTORY.drop(columns=["val_accuracy", "val_loss"])), epochs=4)
    card = model_card.text(given._replace(training=given.training.model_copy(update={"val_images": 0})))
    assert "without validation images: the weights are those of the last epoch" in section(card, "Learning")
    assert "no validation images were set apart" in card


def test_the_data_are_told_as_the_subset_stage_made_them():
    card = model_card.text(facts())
    assert "`tiny`: the published test split." in section(card, "Evaluation data")
    assert "24 images of the published training split of `tiny`, and 8 for validation: 25.00 % of" in card
    assert "No image is in two splits, pixel for pixel. No picture has two classes." in section(
        card, "Training data"
    )
    assert rows(section(card, "Training data"))[1:4] == [
        ["0", "ant", "8", "2", "100"],
        ["1", "bee", "8", "2", "100"],
        ["2", "cat", "8", "2", "100"],
    ]
    given = facts(test_fraction=0.25, limit_per_class=100, image_size=[8, 8])
    given.data["repeated"]["test"]["within"] = 1
    given.data["repeated"]["train"] |= {"dropped_for_test": [3, 4], "dropped_for_val": [9]}
    card = model_card.text(given)
    assert "carved at random from each class of the published training split (25.00 %)" in card
    assert "at most 100 images of a class. 1 image of them" in card
    assert "resized to 8 x 8 pixels and 1 channel" in card
    assert "pixel for pixel: 3 images from the training split." in card


def test_contradictions_and_unused_splits_are_told():
    given = facts()
    places = [
        {"class": "ant", "position": 1234, "split": "train"},
        {"class": "a|b", "position": 5, "split": "val"},
    ]
    given.data["contradictions"] = {"pictures": 2, "places": [places, places]}
    given.data["unused"] = {"unlabelled": 0, "extra": 1}
    told = section(model_card.text(given), "Training data")
    assert (
        "**2 pictures have several classes**, pixel for pixel: the first is `ant` (image 1,234, training)"
        in told
    )
    assert " and <code>a&#124;b</code> (image 5, validation); reports/data.json has more of them." in told
    assert "not used: `extra` (1 labelled image), `unlabelled` (0 labelled images).\n\n![The data" in told


def test_braces_in_a_name_are_no_template():
    given = facts(classes=["{{ x }}", "{% if %}", "{# y #}"])
    assert rows(section(model_card.text(given), "Training data"))[1][1] == "{{ x }}"


def test_settings_that_shape_the_model_are_listed():
    given = trained(facts(), model={"name": "transfer", "weights": "imagenet"}, test_time_augmentation=6)
    card = model_card.text(given)
    settings = dict(row for row in rows(section(card, "Settings")) if len(row) == 2)
    assert settings["optimizer.learning_rate"] == "0.05"
    assert settings["augmentation"] == "flip_horizontal(probability=0.5), translate(pixels=1)"
    assert settings["device"] == "cpu"
    details = section(card, "Model details")
    assert "weights trained elsewhere (`imagenet`)" in details and "its mirror image" in details
    assert "trained elsewhere" not in model_card.text(facts())


@pytest.mark.parametrize("count", [3, len(names.NASTY)])
def test_any_class_name_is_shown_as_it_is(count):
    classes = names.NASTY[:count]
    given = facts(classes=classes, images=10 * count)
    card = model_card.text(given)
    for title, column in (("By class", 0), ("Training data", 1)):
        shown = [row[column] for row in rows(section(card, title))[1:]][: len(classes)]
        assert sorted(shown) == sorted(classes)
    # Rows within their tables; the rest is prose, in which names are code too.
    assert "<script>" not in renderer.render(card)
    assert html.unescape(re.sub(r"</?code>", "", renderer.render(card))).count(classes[0]) >= 3


@pytest.mark.parametrize("name", names.NASTY)
def test_the_heading_shows_a_dataset_of_any_name(name):
    given = facts()
    card = model_card.text(given._replace(data=given.data | {"dataset": name}))
    (heading,) = re.findall(r"<h1>(.*?)</h1>", renderer.render(card), re.DOTALL)
    assert html.unescape(re.sub(r"</?code>", "", heading)) == f"Model card: dense for {name}"


@pytest.mark.parametrize("shape", [(8, 8, 1), (4, 6, 3), (5, 5, 4)])
def test_the_example_runs(tmp_path, monkeypatch, capsys, shape):
    pixels = keras.Input(shape, dtype="uint8")
    layers = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    (tmp_path / "data/model").mkdir(parents=True)
    keras.Model(pixels, layers(keras.ops.cast(pixels, "float32"))).save(tmp_path / "data/model/model.keras")
    outputs.write_json(tmp_path / "data/model/training.json", {"classes": CLASSES})
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", model_card.text(facts(shape=shape)), re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.splitlines()[-1].split()[0] in CLASSES


def own_pictures(**changes):
    """Facts of a model for own pictures, two of ten test images of which belong to groups."""
    shares = {"got": {"train": 0.61, "val": 0.15, "test": 0.24}}
    params = {"test_fraction": 0.2, "val_fraction": 0.3, "image_size": [8, 8], "resize": "pad"}
    given = facts(**params | changes)
    given.data["pictures"] = {"groups": 0, "shares": shares}
    return given


def test_the_card_of_own_pictures_speaks_of_them():
    card = model_card.text(own_pictures())
    assert "of your pictures: 24.00 % of all pictures (20.00 % was asked for)" in section(
        card, "Evaluation data"
    )
    told = section(card, "Training data")
    assert "15.00 % of all pictures (30.00 % of those that the test images leave was asked for)" in told
    assert "padded with white and resized to" in told and "[data_faults.csv](data_faults.csv)" in told
    assert "these are your own pictures" in section(card, "Ethical considerations")
    assert "published" not in card
    assert card.startswith("# Model card: `dense` for your pictures\n")


def test_the_card_warns_of_pictures_without_groups():
    given = own_pictures()
    assert "- **Groups.** No groups were given." in model_card.text(given)
    given.data["pictures"]["groups"] = 2
    assert "**Groups.**" not in model_card.text(given)


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_the_example_prepares_a_picture_as_training_did(tmp_path, monkeypatch, resize):
    generator = np.random.default_rng(0)
    turned = Image.Exif()
    turned[0x0112] = 6
    colours = generator.integers(0, 256, (3, 5, 4), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    Image.fromarray(colours).save(tmp_path / "picture.png", exif=turned)
    monkeypatch.chdir(tmp_path)
    given = own_pictures(resize=resize, background="red")._replace(image_shape=(12, 12, 3))
    (code,) = re.findall(r"```python\n(.*?)```", model_card.text(given), re.DOTALL)
    start = code.index("picture = ImageOps")
    found: dict[str, Any] = {"Image": Image, "ImageOps": ImageOps, "np": np}
    exec(code[start : code.index("(probabilities,)")], found)
    decoded = picture.decode((tmp_path / "picture.png").read_bytes(), picture.Colours(3, (255, 0, 0)))
    expected = resizing.resize(decoded, [12, 12], resize, (255, 0, 0))
    assert np.abs(found["images"][0].astype(int) - expected).mean() <= 1


def test_there_is_a_line_for_pictures_and_one_for_each_export():
    used = section(model_card.text(facts()), "Use")
    assert "`python -m stages.serving.predict PICTURE...`" in used
    head, *lines = rows(used)
    assert head == ["format", "probabilities"]
    assert [line[0].split(",")[0] for line in lines] == [
        "saved_model",
        "saved_model",
        "onnx",
        "litert",
        "litert --int8",
    ]
    for name, line in lines:
        folder = name.split(",")[0].replace(" -", "")
        assert f'"exports/{folder}' in line


def test_images_of_other_channels_leave_the_reading_to_the_user():
    (code,) = re.findall(r"```python\n(.*?)```", model_card.text(facts(shape=(9, 7, 2))), re.DOTALL)
    assert "images = ...  # uint8 [B, 9, 7, 2]" in code and "PIL" not in code


@pytest.mark.parametrize("name", names.NASTY)
def test_any_name_is_code_in_every_sentence(name):
    given = facts(classes=[name, "bee", "cat"])
    place = {"class": name, "position": 1, "split": "train"}
    given.data["contradictions"] = {"pictures": 1, "places": [[place, place | {"class": "bee"}]]}
    given.data["unused"] = {name: 3}
    card = model_card.text(given)
    assert card.count(f"{markdown.name(name)} (image 1,") == 1
    assert f"{markdown.name(name)} (3 labelled images)" in card
    assert f"{markdown.name(name)} taken for `bee`" in card
    assert f"{markdown.name(name)}, `bee`, `cat`" in card

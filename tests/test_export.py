"""An export answers as the model does, says what it is, and is not kept if it does not."""

import json
import re
import shutil
import sys

import ai_edge_litert
import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert import interpreter

from stages.classifier import assembly, provenance, saving
from stages.inputs import manifest, tfrecord
from stages.running import outputs
from stages.serving import decoded, export, facts, float32, litert, looks, parity, source
from stages.serving import onnx as onnx_format
from tests import pictures, sandbox, tiny

SHAPE = (8, 8, 3)
FORM = {"background": "#ff0000", "resize": "pad"}
CONSTANTS = manifest.Normalization(method="standardize", mean=[100, 120, 140], std=[50, 60, 70])
CARD = sandbox.PROJECT / "stages/reporting/model_card.md.j2"
FORMATS = ["saved_model", "onnx", "litert"]


def network():
    """A network in mixed bfloat16 that calls an image light by the mean of its edges and fields."""
    keras.utils.set_random_seed(0)
    policy = {"dtype": "mixed_bfloat16"}
    images = keras.Input(SHAPE, name="images")
    x = keras.layers.Conv2D(8, 3, activation="relu", **policy)(images)
    x = keras.layers.BatchNormalization(**policy)(x)
    x = keras.layers.Concatenate(**policy)(
        [keras.layers.GlobalAveragePooling2D(**policy)(each) for each in (x, images)]
    )
    dense = keras.layers.Dense(2, dtype="float32")
    made = keras.Model(images, dense(x), name="network")
    kernel, bias = dense.get_weights()
    kernel = 0.3 * kernel
    kernel[-3:] += [[-0.5, 0.5]] * 3
    dense.set_weights([kernel, bias])
    return made


def save(folder, taken=2, made=None):
    """Save what the train stage would of a network, with some looks."""
    folder.mkdir()
    classifier = assembly.assemble(made or network(), SHAPE, CONSTANTS, taken)
    saving.save(classifier.probabilities, folder / "model.keras")
    training = {**tiny.TRAINING, "form": FORM}
    provenance.write(folder, provenance.Training.model_validate(training))
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with a model and records, where the stages have them."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "data").mkdir()
    save(folder / "data/model")
    tiny.build_records(folder / "data", tiny.subset(folder / "arrays", test=40, shape=SHAPE, form=FORM))
    return folder


def run(monkeypatch, folder, *words):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["export", *words])
    export.main()


@pytest.fixture(scope="module")
def exported(project):
    """The same folder with an export in each format, and one in int8."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in FORMATS:
            run(monkeypatch, project, name)
        run(monkeypatch, project, "litert", "--int8")
    return project / "exports"


def images(project, count=40):
    split = tfrecord.Split(project / "data/records/test")
    return np.concatenate([batch.numpy() for batch, _, _ in split.batches(10)])[:count].astype(np.float32)


def judged(folder, given):
    """The probabilities that an export gives, called as its users call it, by the names of its tensors."""
    if folder.name == "saved_model":
        signature = tf.saved_model.load(folder).signatures["serving_default"]
        return signature(image=tf.constant(given))["probabilities"].numpy()
    if folder.name == "onnx":
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
        return session.run(["probabilities"], {"image": given})[0]
    runner = interpreter.Interpreter(str(folder / "model.tflite")).get_signature_runner()
    return runner(image=given)["probabilities"]


@pytest.fixture(scope="module")
def expected(project):
    """What the model gives in float32 for all test images."""
    return in_float32(project, images(project))


def in_float32(project, given):
    model = float32.rebuilt(keras.models.load_model(project / "data/model/model.keras"))
    return np.asarray(model(given, training=False))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("batch", [1, 5, 40])
def test_a_batch_of_any_size_gets_what_the_model_gives_in_float32(project, exported, expected, name, batch):
    received = judged(exported / name, images(project, batch))
    np.testing.assert_allclose(received, expected[:batch], atol=2e-6)


@pytest.mark.parametrize("name", FORMATS)
def test_images_of_other_scales_are_taken_as_the_model_takes_them(project, exported, expected, name):
    given = images(project, 4)
    mixed = np.stack([given[0] / 255, given[1] / 127.5 - 1, given[2], given[3] + 500])
    received = judged(exported / name, mixed)
    np.testing.assert_allclose(received[:3], expected[:3], atol=1e-5)
    assert np.isnan(received[3]).all()


def test_the_model_in_float32_is_another_than_in_bfloat16(project, expected):
    model = keras.models.load_model(project / "data/model/model.keras")
    rebuilt = float32.rebuilt(model)
    away = np.abs(np.asarray(model(images(project), training=False)) - expected).max()
    assert 1e-5 < away < 0.05
    nested = [*rebuilt.layers, *rebuilt.get_layer("network").layers]
    assert {layer.compute_dtype for layer in nested} == {"float32"}


def test_int8_is_small_and_as_accurate(project, exported):
    split = tfrecord.Split(project / "data/records/test")
    labels = np.concatenate([labels.numpy() for _, labels, _ in split.batches(10)])
    received = judged(exported / "litert-int8", images(project))
    assert (received.argmax(axis=1) == labels).mean() >= 0.95
    loaded = interpreter.Interpreter(str(exported / "litert-int8/model.tflite"))
    assert "int8" in {detail["dtype"].__name__ for detail in loaded.get_tensor_details()}


def test_the_facts_travel_with_each_export(project, exported):
    digest = tiny.digests(project / "data/model")["model.keras"]
    places = {name: exported / name for name in ("onnx", "litert", "litert-int8")}
    places["saved_model"] = exported / "saved_model/assets.extra"
    for name, folder in places.items():
        found = json.loads((folder / "export.json").read_text())
        assert (folder / "labels.txt").read_text() == "dark\nlight\n"
        assert found["classes"] == tiny.CLASSES and found["form"] == FORM
        assert found["image_shape"] == list(SHAPE) and found["looks"] == 2
        assert found["precision"] == ("int8" if name == "litert-int8" else "float32")
        assert found["source"]["sha256"] == digest and found["source"]["commit"] is None
        assert found["versions"]["keras"] == keras.__version__
    properties = onnx.load(exported / "onnx/model.onnx").metadata_props
    inside = {entry.key: json.loads(entry.value) for entry in properties}
    assert inside == json.loads((exported / "onnx/export.json").read_text())


def test_the_commit_of_the_model_is_known(tmp_path):
    repository = sandbox.Repository(tmp_path)
    repository.run("git", "init", "--quiet")
    repository.sign()
    (tmp_path / "model.keras").write_bytes(b"model")
    repository.commit("a model")
    commit = repository.run("git", "rev-parse", "HEAD").strip()
    assert source.of(tmp_path / "model.keras").commit == commit
    (tmp_path / "model.keras").write_bytes(b"other")
    assert source.of(tmp_path / "model.keras").commit == f"{commit}-dirty"


def test_names_and_the_free_dimension_of_onnx(exported):
    session = onnxruntime.InferenceSession(str(exported / "onnx/model.onnx"))
    ends = [(each.name, each.shape) for each in (*session.get_inputs(), *session.get_outputs())]
    assert ends == [("image", ["batch", *SHAPE]), ("probabilities", ["batch", 2])]


LINES = re.findall(r"^\| `(.*)`.*\| `(.*)` \|$", CARD.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("name", "line"), LINES)
def test_the_lines_of_the_model_card_run(project, exported, expected, monkeypatch, name, line):
    monkeypatch.chdir(project)
    pictures.put(project / "picture.png", pictures.encoded(images(project)[0].astype(np.uint8)))
    known = {
        "ai_edge_litert": ai_edge_litert,
        "images": images(project, 1).astype(np.uint8),
        "onnxruntime": onnxruntime,
        "tf": tf,
    }
    received = np.asarray(eval(line, known))
    np.testing.assert_allclose(received, expected[:1], atol=0.1 if "int8" in name else 1e-5)


def test_the_bytes_of_pictures_get_classes(project, exported):
    signatures = tf.saved_model.load(exported / "saved_model").signatures
    shades = [np.full((30, 20, 3), shade, np.uint8) for shade in (10, 240)]
    answer = signatures["bytes"](pictures=tf.constant([pictures.encoded(each) for each in shades]))
    assert [name.decode() for name in answer["class"].numpy()] == tiny.CLASSES
    seen = signatures["pixels"](pictures=tf.constant([pictures.encoded(shades[1])]))["image"].numpy()
    assert seen.shape == (1, *SHAPE) and seen[0, 4, 0].tolist() == [255, 0, 0]  # padded with red
    expected = in_float32(project, seen.astype(np.float32))
    np.testing.assert_allclose(answer["probabilities"][1:], expected, atol=1e-5)


@pytest.mark.parametrize("taken", [1, 2])
def test_looks_can_be_left_out(taken):
    made = network()
    every, some = (assembly.assemble(made, SHAPE, CONSTANTS, n).probabilities for n in (6, taken))
    given = np.random.default_rng(0).integers(0, 256, (8, *SHAPE)).astype(np.float32)
    reduced = looks.reduced(every, taken)
    np.testing.assert_array_equal(reduced(given, training=False), some(given, training=False))
    assert looks.of(reduced) == taken and looks.of(every) == 6


def test_an_export_with_fewer_looks_says_so(project, tmp_path, monkeypatch, capsys):
    run(monkeypatch, project, "litert", "--looks", "1", "--output", str(tmp_path / "one"))
    assert "1 look at an image" in capsys.readouterr().out
    assert facts.read(tmp_path / "one").looks == 1


def refused(monkeypatch, capsys, folder, *words):
    """What an export that ends with an error says; it must leave nothing."""
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, folder, *words, "--output", str(folder / "refused"))
    assert ended.value.code == 1
    assert not list(folder.glob("*refused*"))
    return capsys.readouterr().err.splitlines()[-1]


def test_more_looks_than_the_model_has_are_refused(project, monkeypatch, capsys):
    said = refused(monkeypatch, capsys, project, "onnx", "--looks", "6")
    assert "expected 1 or 2" in said and "received 6" in said


def copied(monkeypatch, room, folder):
    """Let a format's writer give the export that is there already, to save its time."""
    monkeypatch.setattr(room, "write", lambda _, place: shutil.copytree(folder, place, dirs_exist_ok=True))


@pytest.fixture
def changed(exported, monkeypatch, tmp_path):
    """A function that lets the ONNX model be changed after it was written."""

    def change_by(change):
        shutil.copytree(exported / "onnx", tmp_path / "onnx")
        model = onnx.load(tmp_path / "onnx/model.onnx")
        change(model)
        onnx.save(model, tmp_path / "onnx/model.onnx")
        copied(monkeypatch, onnx_format, tmp_path / "onnx")

    return change_by


def last_kernel(model):
    """The weights of the last layer, the only ones for two classes from 11 features."""
    (found,) = [each for each in model.graph.initializer if sorted(each.dims) == [2, 11]]
    return found, onnx.numpy_helper.to_array(found).copy()


def other_weight(model):
    tensor, values = last_kernel(model)
    values.flat[0] += 0.01
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def test_another_weight_is_noticed(project, changed, monkeypatch, capsys):
    changed(other_weight)
    assert "expected the model's probabilities to 0.0001" in refused(monkeypatch, capsys, project, "onnx")


def test_another_order_of_the_outputs_is_noticed(project, changed, monkeypatch, capsys):
    def change(model):
        tensor, values = last_kernel(model)
        values = np.flip(values, axis=values.shape.index(2))
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.copy(), tensor.name))

    changed(change)
    assert "expected the model's probabilities to 0.0001" in refused(monkeypatch, capsys, project, "onnx")


def test_another_order_of_the_names_is_noticed(project, changed, monkeypatch, capsys):
    def change(model):
        (entry,) = [each for each in model.metadata_props if each.key == "classes"]
        entry.value = json.dumps(tiny.CLASSES[::-1])

    changed(change)
    said = refused(monkeypatch, capsys, project, "onnx")
    assert "expected the classes dark, light; the export has light, dark" in said


def test_another_resize_is_noticed(project, monkeypatch, capsys):
    right = decoded.images

    def images(encoded, shape, form):
        return right(encoded, shape, form.model_copy(update={"resize": "squash"}))

    monkeypatch.setattr(decoded, "images", images)
    said = refused(monkeypatch, capsys, project, "saved_model")
    assert "expected the pixels of the pipeline's resizing (pad) to 1 level" in said


def test_a_float32_model_of_other_weights_is_noticed(project, exported, monkeypatch, capsys):
    copied(monkeypatch, litert, exported / "litert")
    right = float32.rebuilt

    def rebuilt(model):
        made = right(model)
        made.set_weights([-values for values in made.get_weights()])
        return made

    monkeypatch.setattr(float32, "rebuilt", rebuilt)
    said = refused(monkeypatch, capsys, project, "litert")
    assert "expected the model in float32 to answer as the saved one" in said


def test_less_accurate_whole_numbers_are_refused(project, exported, monkeypatch, capsys):
    copied(monkeypatch, litert, exported / "litert-int8")
    loaded = litert.load(exported / "litert-int8")
    wrong = loaded._replace(probabilities=lambda given: loaded.probabilities(given)[:, ::-1])
    monkeypatch.setattr(litert, "load", lambda folder: wrong)
    said = refused(monkeypatch, capsys, project, "litert", "--int8")
    assert "expected to lose at most 0.01 of the accuracy" in said


def test_accuracy_may_fall_by_a_point_and_no_more(project):
    split = tfrecord.Split(project / "data/records/test")
    labels = {
        image.numpy().tobytes(): int(label)
        for batch, batch_labels, _ in split.batches(10)
        for image, label in zip(batch, batch_labels, strict=True)
    }

    def judge(wrong):
        mistaken = set(list(labels)[:wrong])

        def answer(given):
            keys = [image.astype(np.uint8).tobytes() for image in given]
            return np.eye(2)[[labels[key] ^ (key in mistaken) for key in keys]]

        return answer

    assert parity.require_accuracy((judge(1), judge(1)), split).exported == 39 / 40
    assert parity.require_accuracy((judge(1), judge(0)), split).exported == 1
    with pytest.raises(parity.Differs, match=r"accuracy 1.0000 on 40 test images, received 0.9750"):
        parity.require_accuracy((judge(0), judge(1)), split)


def test_a_class_of_a_narrow_margin_may_be_another():
    expected = np.array([[0.50004, 0.49996]])
    assert parity.require_same(expected, expected[:, ::-1], "an image") < 1e-4
    with pytest.raises(parity.Differs, match=r"to 0\.0001, received some that are nan away"):
        parity.require_same(expected, np.full((1, 2), np.nan), "an image")
    with pytest.raises(parity.Differs, match=r"expected probabilities \(1, 2\), received \(2, 2\)"):
        parity.require_same(expected, np.full((2, 2), 0.5), "an image")


def of_one_operation(operation):
    images = keras.Input(SHAPE)
    x = keras.ops.tanh(keras.layers.Dense(2)(keras.layers.Flatten()(images)))
    return keras.Model(images, operation(x), name="network")


@pytest.mark.parametrize(
    ("name", "owner", "operation", "lacks"),
    [("litert", "LiteRT", keras.ops.erf, "tf.Erf"), ("onnx", "ONNX", keras.ops.erfinv, "Erfinv")],
)
def test_an_operation_that_a_format_lacks_is_named(
    project, tmp_path, monkeypatch, capsys, name, owner, operation, lacks
):
    save(tmp_path / "odd", made=of_one_operation(operation))
    said = refused(monkeypatch, capsys, project, name, "--model", str(tmp_path / "odd"))
    assert f"expected a network of operations that {owner} has, received" in said
    assert lacks in said and "saved_model" in said


def test_missing_records_are_named_with_their_option(project, monkeypatch, capsys):
    said = refused(monkeypatch, capsys, project, "onnx", "--test", "data/none")
    assert "--test: expected the records" in said and "at data/none, found none" in said
    said = refused(monkeypatch, capsys, project, "litert", "--int8", "--train", "data/none")
    assert "--train: expected the records" in said


def test_records_of_other_classes_or_sizes_are_refused(project, tmp_path, monkeypatch, capsys):
    shutil.copytree(project / "data/model", tmp_path / "model")
    training = provenance.read(tmp_path / "model")
    provenance.write(tmp_path / "model", training.model_copy(update={"classes": ["light", "dark"]}))
    said = refused(monkeypatch, capsys, project, "onnx", "--model", str(tmp_path / "model"))
    assert "--test: expected records of light, dark as images [8, 8, 3]; received dark, light" in said
    other = tiny.build_records(tmp_path, tiny.subset(tmp_path / "other", shape=(4, 4, 3))) / "train"
    said = refused(monkeypatch, capsys, project, "litert", "--int8", "--train", str(other))
    assert "--train: expected records of dark, light as images [8, 8, 3]" in said


def test_a_folder_of_other_files_is_never_replaced(project, tmp_path, monkeypatch, capsys):
    pictures.put(tmp_path / "mine/notes.txt", b"mine")
    with pytest.raises(SystemExit):
        run(monkeypatch, project, "onnx", "--output", str(tmp_path / "mine"))
    assert "expected a new folder or an earlier export" in capsys.readouterr().err
    assert pictures.content(tmp_path / "mine") == {"notes.txt": b"mine"}


def test_a_failed_export_leaves_the_one_before(project, exported, changed, monkeypatch):
    changed(other_weight)
    before = tiny.digests(exported)
    with pytest.raises(SystemExit):
        run(monkeypatch, project, "onnx")
    assert tiny.digests(exported) == before


def test_a_missing_package_is_named(project, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.delitem(sys.modules, litert.__name__)
    said = refused(monkeypatch, capsys, project, "litert")
    assert "ai_edge_litert" in said and "pip install -r requirements-export.txt" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["onnx", "--int8"], "--int8 is for litert only, received onnx"),
        (["coreml"], "invalid choice: 'coreml'"),
        (["onnx", "--options", "--looks '1"], "--options: No closing quotation"),
    ],
)
def test_a_wrong_word_ends_with_the_usage(tmp_path, monkeypatch, capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, tmp_path, *words)
    assert ended.value.code == 2 and said in capsys.readouterr().err


def test_labels_stay_one_a_line(tmp_path):
    training = provenance.Training.model_validate({**tiny.TRAINING, "classes": ["a\nb", "c"]})
    pictures.put(tmp_path / "model.keras", b"model")
    known = facts.gather(tmp_path / "model.keras", training, "onnx", [1, 1, 3], 1, False)
    facts.write(tmp_path, known)
    assert (tmp_path / "labels.txt").read_text() == "a b\nc\n"
    assert facts.read(tmp_path) == known
    assert outputs.read_json(tmp_path / "export.json")["classes"] == ["a\nb", "c"]

"""A temperature makes probabilities true and changes no prediction."""

import keras
import numpy as np
import pytest
from scipy import optimize, special

from stages import train
from stages.classifier import provenance, temperature, validation
from stages.inputs import tfrecord
from stages.reporting import calibration
from tests import rounding, tiny, training


def seen(count, true_temperature, classes=3, spread=3.0):
    """Logits of which the labels are drawn after a division by the temperature."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, spread, (count, classes))
    chances = special.softmax(logits / true_temperature, axis=1)
    labels = (chances.cumsum(axis=1) < generator.random((count, 1))).sum(axis=1)
    return temperature.Seen(logits.astype(np.float32), np.minimum(labels, classes - 1))


@pytest.mark.parametrize("true", [0.4, 1.0, 2.5])
def test_the_temperature_is_found(true):
    found = temperature.fit(seen(20_000, true))
    assert found.temperature == pytest.approx(true, rel=0.05)
    assert found.log_loss <= found.log_loss_before


def test_no_other_temperature_has_a_smaller_loss():
    some = seen(5_000, 1.7)
    loss = lambda t: -special.log_softmax(some.logits / t, axis=1)[np.arange(5_000), some.labels].mean()  # noqa: E731
    best = optimize.minimize_scalar(loss, bounds=(0.1, 10), method="bounded").x
    assert temperature.fit(some).temperature == pytest.approx(best, rel=1e-3)


def test_few_images_that_are_all_right_keep_their_doubt():
    right = temperature.Seen(np.array([[2.0, 0.0]] * 5, np.float32), np.zeros(5, int))
    _, probabilities = temperature.judged(right, temperature.fit(right))
    assert 0.9 < probabilities[0, 0] < 0.999


def test_the_saved_model_has_the_temperature(tmp_path):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays", val=16))
    models = {}
    for method in ("none", "temperature"):
        keras.utils.clear_session()
        models[method] = training.run(records, tmp_path / method, calibrate=method)
    images, labels, _ = next(iter(tfrecord.Split(records / "val").batches(16)))
    plain, divided = (training.load(each)(images, training=False).numpy() for each in models.values())
    found = provenance.read(tmp_path / "temperature/model").calibration
    assert provenance.read(tmp_path / "none/model").calibration is None
    assert found is not None and found.images == 16 and found.temperature != 1
    # The logarithm, the division and the softmax of float32 values.
    bound = rounding.of_steps(16, np.abs(np.log(plain)).max())
    np.testing.assert_allclose(calibration.undone(divided, found.temperature), plain, rtol=0, atol=bound)
    assert -np.log(divided[np.arange(16), labels.numpy()]).mean() == pytest.approx(found.log_loss, rel=1e-3)
    answers = validation.read(tmp_path / "temperature/model")
    np.testing.assert_allclose(answers.confidence, divided.max(axis=1), atol=1e-5)
    assert answers.right.tolist() == (divided.argmax(axis=1) == labels.numpy()).tolist()


def test_without_validation_images_nothing_is_calibrated(tmp_path, capsys):
    records = tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays", val=0))
    out = training.run(records, tmp_path / "out", epochs=1)
    assert "not calibrated: there are no validation images" in capsys.readouterr().out
    assert provenance.read(out / "model").calibration is None
    assert len(validation.read(out / "model").right) == 0


def test_another_way_to_calibrate_is_refused():
    with pytest.raises(ValueError, match="'temperature' or 'none'"):
        train.Params.model_validate(training.PARAMS | {"calibrate": "isotonic"})

"""Write the folder of a trained model: the model, and all that the next stages have to know of it."""

from pathlib import Path

import keras

from stages.classifier import provenance, saving, summary, temperature, validation
from stages.running import outputs


def write(
    folder: Path,
    model: keras.Model,
    environment: dict[str, object],
    training: provenance.Training,
    seen: temperature.Seen | None,
) -> None:
    """Write model.keras, summary.txt, environment.json, training.json and validation.csv.

    Args:
        folder: The folder; one that is there is replaced.
        model: The model, from pixels to probabilities, of Keras's own layers.
        environment: What ran.
        training: How the model was trained.
        seen: Its logits of the validation images; None if there were none.
    """
    with outputs.folder(folder) as partial:
        saving.save(model, partial / provenance.MODEL)
        (partial / "summary.txt").write_text(summary.table(model), encoding="utf-8")
        outputs.write_json(partial / provenance.ENVIRONMENT, environment)
        provenance.write(partial, training)
        validation.write(partial, *temperature.judged(seen, training.calibration))

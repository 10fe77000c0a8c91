"""Which test images a page shows: every wrong one, of the right ones the least sure, and what changed."""

import numpy as np
import pandas as pd

from stages.inputs import arrays
from stages.review import pairing, results
from stages.running import errors

MOST_RIGHT = 600  # right images in all, shared out equally among the classes
MOST_RIGHT_OF_CLASS = 24
LEAST_RIGHT_OF_CLASS = 2
REMEDY = "run `dvc checkout`, or `dvc repro` if the reports are older than the data"


def right_of_class(classes: int) -> int:
    """Return how many right images of each of some classes are shown."""
    return min(max(MOST_RIGHT // max(classes, 1), LEAST_RIGHT_OF_CLASS), MOST_RIGHT_OF_CLASS)


def rows(predictions: pd.DataFrame, base: pd.DataFrame | None, classes: int) -> pd.DataFrame:
    """Choose the images, the most confident errors first, then the right ones, the least sure first.

    Args:
        predictions: As `results.read` gives them.
        base: The predictions of another revision for the same images, of which those are added that it has
            wrong; None if there is none.
        classes: The number of classes.

    Returns:
        The columns of `predictions`, and if there is a base, predicted_base and probability_base, which are
        missing for images that it does not have.
    """
    found = predictions
    if base is not None:
        key = pairing.key(base, predictions)
        both = pairing.merged(base, predictions)[[key, "actual", "predicted_base", "probability_base"]]
        found = predictions.merge(both, on=[key, "actual"], how="left")
    is_right = found["actual"] == found["predicted"]
    wrong = found[~is_right].sort_values("probability", ascending=False, kind="stable")
    right = found[is_right].sort_values("probability", kind="stable")
    is_shown = right.groupby("actual", sort=False).cumcount() < right_of_class(classes)
    if base is not None:
        is_shown |= right["predicted_base"].notna() & (right["predicted_base"] != right["actual"])
    return pd.concat([wrong, right[is_shown]], ignore_index=True)


def places(split: arrays.Split, shown: pd.DataFrame) -> np.ndarray:
    """Find images among the arrays of the test split: int [n], in the order of the rows.

    Raises:
        errors.BadInput: the arrays are not those that were judged.
    """
    place_of = {position: place for place, position in enumerate(split.positions.tolist())}
    classes, labels = split.manifest.classes, split.labels.tolist()
    found = []
    for index, actual in zip(shown["index"], shown["actual"], strict=True):
        place = place_of.get(index)
        stored = None if place is None else classes[labels[place]]
        if place is None or stored != actual:
            received = "no such image" if stored is None else f"{stored!r}"
            raise errors.BadInput(
                f"{results.PREDICTIONS} has a test image {index} of the class {actual!r}; the test images"
                f" that are here have {received} in its place; {REMEDY}"
            )
        found.append(place)
    return np.array(found, int)

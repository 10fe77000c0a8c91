"""The picture of test images and the model's answers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from stages.figures import canvas


def figure(
    images: np.ndarray,
    actual: Sequence[int],
    predicted: Sequence[int],
    probability: Sequence[float],
    classes: Sequence[str],
    total: int,
    paths: np.ndarray | None = None,
) -> Figure:
    """Draw a grid of images with the model's answers: green for right answers, red for wrong ones.

    Args:
        images: uint8 [n, H, W, C].
        actual: n labels.
        predicted: n labels.
        probability: n probabilities of the predicted class.
        classes: K names.
        total: The number of all test images, of which these are some.
        paths: str [n], whose last part is drawn below each image; None for images without names.
    """
    shorter, longer = canvas.names(classes, 16), canvas.names(classes, 18)
    rows = -(-len(images) // 6)
    columns = -(-len(images) // rows)
    height = 2.15 if paths is None else 2.5
    drawn = Figure(figsize=(1.75 * columns, height * rows + 0.7), layout="constrained")
    what = f"{len(images):,} of {total:,} test images"
    drawn.suptitle(f"{what}\npredicted class and its probability; red: wrong")
    axes = drawn.subplots(rows, columns, squeeze=False).flat
    for axis, image, truth, guess, share in zip(axes, images, actual, predicted, probability, strict=False):
        canvas.show(axis, image)
        right = truth == guess
        said = f"{shorter[guess]}\n{share:.0%}" if right else f"{shorter[guess]} {share:.0%}"
        title = said if right else f"{said}\nis {longer[truth]}"
        axis.set_title(title, fontsize=9, color=canvas.RIGHT if right else canvas.WRONG)
    for axis, path in zip(drawn.axes, [] if paths is None else paths, strict=False):
        axis.set_xlabel(canvas.file_name(path), fontsize=6)
    for axis in list(drawn.axes)[len(images) :]:
        axis.set_axis_off()
    return drawn

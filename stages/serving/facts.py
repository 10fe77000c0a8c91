"""The facts that travel with an exported model: its classes, its input, and where it came from."""

import platform
from importlib import metadata
from pathlib import Path
from typing import Literal

from stages.classifier import provenance
from stages.inputs import manifest
from stages.running import errors, outputs, paramfile
from stages.serving import source

FILE, LABELS = "export.json", "labels.txt"
ASSETS = "assets.extra"  # in a SavedModel, the folder for files that TensorFlow does not read
IMAGE, PROBABILITIES = "image", "probabilities"  # the names of the model's input and output
ANY_SCALE = "0 to 255, or 0 to 1, or -1 to 1, told apart for each image"
PIXELS = "0 to 255"
AS_ARRAYS = manifest.Form(background="#ffffff", resize="squash")  # of datasets that hold no pictures
PACKAGES = ("ai-edge-litert", "keras", "onnx", "onnxruntime", "tensorflow", "tensorflow-cpu", "tf2onnx")

Precision = Literal["float32", "int8"]


class Facts(paramfile.Section):
    """What whoever runs an exported model has to know.

    The input `image` is float32 [B, *image_shape], the output `probabilities` float32 [B, K], in the order of
    the classes. B is free.
    """

    classes: list[str]  # K names
    form: manifest.Form  # how a picture becomes an image, by an antialiased bilinear filter
    format: str
    image_shape: manifest.ImageShape  # [H, W, C]
    looks: paramfile.Size  # at an image; the probabilities are of their average
    precision: Precision  # of what the network computes
    source: source.Source
    values: str  # of the images
    versions: dict[str, str]


def gather(
    file: Path, training: provenance.Training, format_name: str, shape: list[int], looks: int, int8: bool
) -> Facts:
    """Collect the facts about an export.

    Args:
        file: The model's file.
        training: What is known of its training.
        format_name: The format that it is exported to.
        shape: (H, W, C).
        looks: The number of looks at an image.
        int8: Whether it computes in whole numbers of 8 bits.
    """
    return Facts(
        classes=training.classes,
        form=training.form or AS_ARRAYS,
        format=format_name,
        image_shape=list(shape),
        looks=looks,
        precision="int8" if int8 else "float32",
        source=source.of(file),
        values=PIXELS if int8 else ANY_SCALE,
        versions={"python": platform.python_version(), **_versions()},
    )


def write(folder: Path, facts: Facts) -> None:
    """Write export.json, and labels.txt with a class in each line, into a folder."""
    folder.mkdir(exist_ok=True)
    outputs.write_json(folder / FILE, facts.model_dump())
    lines = "".join(" ".join(name.splitlines()) + "\n" for name in facts.classes)
    with outputs.file(folder / LABELS) as partial:
        partial.write_text(lines, encoding="utf-8", errors="backslashreplace")


def read(folder: Path) -> Facts:
    """Read what `write` has written.

    Raises:
        errors.BadInput: it is missing or damaged.
    """
    return paramfile.check(Facts, outputs.read_json(folder / FILE), str(folder / FILE))


def require_replaceable(folder: Path) -> None:
    """Check that a folder can be replaced: it is missing, empty, or an export.

    Raises:
        errors.BadInput: it holds something else.
    """
    is_export = any((folder / place / FILE).is_file() for place in ("", ASSETS))
    if folder.is_dir() and any(folder.iterdir()) and not is_export:
        raise errors.BadInput(
            f"--output: expected a new folder or an earlier export at {folder}, found other files,"
            " which an export would replace; name another folder"
        )


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found

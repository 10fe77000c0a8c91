"""Choose classes, set train, validation and test apart, and shuffle.

Reads data/raw, and the pictures themselves if it is an index of own ones; writes data/subset (a folder of
arrays per split), and of what it found a report and a picture, reports/data.json and reports/data.png.
"""

import math
from pathlib import Path
from typing import Any, Literal

import pydantic
from PIL import ImageColor

from stages.decoding import picture, resizing
from stages.inputs import arrays
from stages.running import command, errors, outputs, paramfile, plugins
from stages.sources import raw
from stages.splits import carve, describe, divide, repeats, shown, sized, written

MOST_PIXELS = 1 << 24  # of an image, 4,096 x 4,096


class Params(paramfile.Section):
    """Parameters: which classes and image size, how split, in which order."""

    classes: list[str] | Literal["all"]
    image_size: list[int] | None
    resize: resizing.Policy
    channels: Literal[1, 3] | None
    background: str
    limit_per_class: int | None = pydantic.Field(ge=1)
    val_fraction: float | None = pydantic.Field(ge=0, lt=1)
    test_fraction: float | None = pydantic.Field(gt=0, lt=1)
    near_duplicates: bool
    conflicts: divide.Conflicts
    decode: written.Decode
    seed: paramfile.Seed

    @pydantic.field_validator("classes", mode="before")
    @classmethod
    def _distinct(cls, names: Any) -> Any:
        if names == "all":
            return names
        if not isinstance(names, list) or not 2 <= len(set(map(str, names))) == len(names):
            raise ValueError(
                f"expected a list of at least two different class names, or all, received {names!r}"
            )
        if others := [name for name in names if not isinstance(name, str)]:
            raise ValueError(
                f"expected the names as text, received {others[0]!r}, which YAML takes for a"
                f" {type(others[0]).__name__}; write {list(map(str, names))}"
            )
        return names

    @pydantic.field_validator("image_size")
    @classmethod
    def _height_and_width(cls, size: list[int] | None) -> list[int] | None:
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"expected [height, width] in pixels or null, received {size}")
        if size is not None and math.prod(size) > MOST_PIXELS:
            raise ValueError(f"expected at most {MOST_PIXELS:,} pixels, received {size}")
        return size

    @pydantic.field_validator("background")
    @classmethod
    def _colour(cls, name: str) -> str:
        try:
            ImageColor.getcolor(name, "RGB")
        except ValueError:
            raise ValueError(f"expected a colour such as white or '#ffffff', received {name!r}") from None
        return name

    @pydantic.model_validator(mode="after")
    def _size_is_known(self) -> "Params":
        if self.decode == "later" and self.image_size is None:
            raise ValueError(
                "expected an image_size with decode: later, received null; set it to [height, width]"
            )
        return self

    @property
    def form(self) -> sized.Form:
        """The form that all images get."""
        red, green, blue = ImageColor.getrgb(self.background)[:3]
        return sized.Form(self.image_size, self.resize, picture.Colours(self.channels, (red, green, blue)))


def subset(params: Params, raw_files: Path, folder: Path, report: Path, page: Path) -> None:
    """Write `folder`/{train,val,test} in the format of `arrays`, a JSON report of where the images are from
    and what each split holds, and a page of pictures.

    Training pictures whose pixels take too much room are only listed, for the records stage to decode.
    An image found in several splits stays in the test split, else in the validation split; own pictures
    count as found when near duplicates or pictures of their group are. The test split keeps its published
    order, whatever the seed. The report names pictures that are there under several classes, and published
    splits that are not used.

    Raises:
        errors.BadInput: raw files that are not those downloaded, an unknown class, fewer than two classes,
            a class with no images, no test split or one without labels, images of different sizes, or
            pictures under several classes if `params.conflicts` is "error".
    """
    dataset, names, published = _read(raw_files, params.near_duplicates, params.seed)
    chosen = _chosen(params.classes, names, dataset)
    ids = [names.index(name) for name in chosen]
    fractions = carve.Fractions(params.val_fraction, params.test_fraction, params.limit_per_class)
    unused = carve.unused(published, params.test_fraction)
    form = params.form
    divided = divide.divide(published, names, chosen, fractions, params.conflicts, params.seed, form)
    shape = next(sized.images(divided.splits["train"], form)).shape
    listed = None
    if written.waits(params.decode, divided.splits["train"], form, shape):
        parts = carve.parts_of_training(published, fractions)
        listed = arrays.Listed(channels=params.channels, published=parts)
    how = written.Written(ids, chosen, shape, form, listed)
    written.require_space(folder, divided.splits, how)
    with outputs.folder(folder) as partial:
        for split, content in divided.splits.items():
            written.write(partial / split, content, how)
    described = {
        "classes": chosen,
        "contradictions": {
            "pictures": len(divided.conflicts),
            "places": divided.conflicts[: repeats.LISTED],
        },
        "dataset": dataset,
        "images": divided.counts,
        "params": params.model_dump(),
        "pictures": describe.describe(divided.splits, fractions),
        "repeated": divided.repeated,
        "unused": unused,
    }
    outputs.write_json(report, described)
    _draw(page, divided, dict(zip(chosen, ids, strict=True)))
    if remark := describe.remark(divided.splits):
        print(remark)
    for split, count in unused.items():
        print(f"not used: the dataset's own split {split} with {count:,} labelled images")


def _draw(page: Path, divided: divide.Divided, ids: dict[str, int]) -> None:
    from stages.figures import canvas, data_page  # import matplotlib, which takes a second

    rows = shown.rows(divided.splits, ids)
    drawn = data_page.figure(divided.counts, shown.sizes(divided.splits), rows)
    with outputs.file(page) as partial:
        canvas.save(drawn, partial)


def _read(folder: Path, near: bool, seed: int) -> tuple[str, list[str], dict[str, carve.Published]]:
    """Read the dataset's name, its classes and its published splits."""
    manifest = raw.read(folder)
    names, published = plugins.load("datasets", manifest.plugin).read(folder)
    for split, (images, labels) in published.items():
        where = f"{manifest.dataset} {split}"
        if len(images) != len(labels):
            raise errors.BadInput(f"{where}: received {len(images)} images, {len(labels)} labels")
        if len(labels) and labels.max() >= len(names):
            raise errors.BadInput(f"{where}: expected labels below {len(names)}, found {labels.max()}")
    return manifest.dataset, names, divide.with_keys(published, near, seed)


def _chosen(wanted: list[str] | Literal["all"], names: list[str], dataset: str) -> list[str]:
    chosen = names if wanted == "all" else wanted
    for name in chosen:
        if name not in names:
            raise errors.unknown("class", name, names)
    if len(chosen) < 2:
        raise errors.BadInput(f"expected at least two classes, {dataset} has only {', '.join(chosen)}")
    return chosen


if __name__ == "__main__":
    command.run(subset, Params)

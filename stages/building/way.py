"""Choose how the training images are kept: decoded, or encoded where the pixels of all views are too many."""

from collections.abc import Sequence
from typing import Literal

from stages.building import encoding
from stages.inputs import arrays, manifest, operation, resized_crop
from stages.running import errors

Wanted = Literal["auto", "decoded", "encoded"]
GIB = 2**30


def is_encoded(wanted: Wanted, image_shape: Sequence[int], images: int, views: int) -> bool:
    """Choose, and print what was chosen and why.

    Args:
        wanted: `records.encoding`.
        image_shape: (H, W, C).
        images: The number of images of a view.
        views: The number of views.
    """
    size = images * views * manifest.image_bytes(image_shape)
    chosen = wanted
    if wanted == "auto":
        chosen = "encoded" if size > manifest.LARGEST_DECODED else "decoded"
    why = "records.encoding asks for it"
    if wanted == "auto":
        side = "more than" if chosen == "encoded" else "at most"
        why = f"pixels of all views take {size / GIB:,.2f} GiB, {side} {manifest.LARGEST_DECODED / GIB:,.0f}"
    print(f"training images are kept {chosen}: {why}", flush=True)
    return chosen == "encoded"


def require_possible(
    how: encoding.Encoding, train: arrays.Chosen, operations: list[operation.Operation]
) -> None:
    """Check that images can be kept as the params ask for.

    Raises:
        errors.BadInput: pictures of their own shapes are asked for, but there are none, or nothing brings
            them to one shape.
    """
    if how.short_side is None:
        return
    where = f"records.encoded.short_side is {how.short_side}, which keeps pictures in their own shapes"
    if not operations or not isinstance(operations[0], resized_crop.RandomResizedCrop):
        raise errors.BadInput(
            f"{where}: expected random_resized_crop as the first of records.augment, received"
            f" {'another' if operations else 'none'}; put it there, or set short_side to null"
        )
    if train.manifest.listed is None:
        raise errors.BadInput(
            f"{where}: expected pictures that are only listed, received pixels of one size; set subset.decode"
            " to later, or short_side to null"
        )

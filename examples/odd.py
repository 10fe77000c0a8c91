"""A dozen files as they turn up in every collection of pictures."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

ORIENTATION = 0x0112  # EXIF's tag
QUARTER_TURN = 6


def add(folder: Path) -> None:
    """Add the files to a folder with the classes mammals, fruit and vehicles.

    Faulty are an empty file, half a picture, a text and a picture without a class. Two pictures are of the
    same pixels, in two classes. The other files are odd and right.
    """
    mammals, fruit, vehicles = (folder / name for name in ("mammals", "fruit", "vehicles"))
    (mammals / "empty.jpg").touch()
    half = (fruit / "cherries.png").read_bytes()
    (fruit / "half_of_a_picture.png").write_bytes(half[: len(half) // 2])
    (vehicles / "notes.jpg").write_text("Ask Ann for the pictures of the trams.\n", encoding="utf-8")
    shutil.copyfile(fruit / "lemon.png", folder / "no_class.png")
    shutil.copyfile(mammals / "tiger.png", vehicles / "tiger.png")
    shutil.copyfile(mammals / "cow.png", mammals / "copy_of_cow.png")
    (mammals / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (mammals / "._cow.png").write_bytes(b"\0\5\26\7")
    _save_variants(mammals, fruit, vehicles)


def _save_variants(mammals: Path, fruit: Path, vehicles: Path) -> None:
    """Save pictures in other formats, sizes and colours."""
    with Image.open(mammals / "koala.png") as opened:
        koala = _on_white(opened)
    koala.save(mammals / "koala_small.webp", quality=80)
    koala.resize((300, 200)).save(mammals / "koala_wide.jpg", quality=85)
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    koala.transpose(Image.Transpose.ROTATE_90).save(mammals / "koala_turned.jpg", exif=exif)
    with Image.open(fruit / "strawberry.png") as opened:
        strawberry = _on_white(opened)
    strawberry.convert("CMYK").save(fruit / "strawberry_for_print.jpg")
    strawberry.quantize(32).save(fruit / "strawberry_gif.jpg", "GIF")
    with Image.open(vehicles / "tractor.png") as opened:
        grey = np.asarray(_on_white(opened).convert("L")).astype(np.uint16)
    Image.fromarray(grey * 257).save(vehicles / "tractor_16_bits.png")


def _on_white(picture: Image.Image) -> Image.Image:
    layers = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")

"""Picture files as they are found in the wild, sound and unsound, each with what it should decode to."""

import io
import struct
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

# Fields of 16 x 16 pixels, which survive lossy formats: red, green, blue over dark, black, white.
FIELDS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[90, 60, 30], [0, 0, 0], [255] * 3]], np.uint8)
COLOURS = FIELDS.repeat(16, axis=0).repeat(16, axis=1)
PICTURE = Image.fromarray(COLOURS)
GREY = np.asarray(PICTURE.convert("L"))
NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
DEEP = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8) + 255
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


class Odd(NamedTuple):
    """A file, and what becomes of it: pixels that are at most `off` levels away, or a kind of fault.

    The pixels are uint8 [H, W, C] for `Colours(None)`; a grey value or colour stands for a whole picture.
    """

    name: str
    encoded: bytes
    expected: np.ndarray | str
    off: int = 0
    notes: str = ""


def encode(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def animation(file_format, **options):
    others = [Image.fromarray(COLOURS[:, ::-1].copy()), Image.new("RGB", PICTURE.size, "white")]
    return encode(PICTURE, file_format, save_all=True, append_images=others, **options)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, bits, kind, rows, *extra):
    """Write a PNG file by hand: `kind` 0 is grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGBA."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    content = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(content)


def tiff(order, bits, pixels, photometric=1, sample_format=1, size=None):
    """Write an uncompressed grey TIFF file by hand, in byte order "<" or ">"."""
    height, width = size or pixels.shape
    stored = (
        pixels if isinstance(pixels, bytes) else pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    )
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 200, 277: 1}
    tags |= {278: height, 279: len(stored), 339: sample_format}
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    start = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HIH", 42, 8, len(tags))
    return (start + entries + bytes(4)).ljust(200, b"\0") + stored


def gif(screen, extent):
    """Write a GIF file of one pixel's data that states any size, to be replaced by the background."""
    start = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0" + bytes(6) + b"!\xf9\x04\x08\0\0\0\0"
    return start + b"," + struct.pack("<HHHHB", 0, 0, *extent, 0) + b"\x02\x02\x4c\x01\0;"


def jpeg_of_size(width, height):
    encoded = bytearray(encode(PICTURE, "JPEG"))
    place = encoded.index(b"\xff\xc0")
    encoded[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(encoded)


def webp_of_size(width, height):
    encoded = bytearray(encode(PICTURE, "WEBP", exif=exif(1)))
    encoded[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(encoded)


def avif_of_size(width, height):
    encoded = bytearray(encode(PICTURE, "AVIF"))
    place = encoded.index(b"ispe") + 8
    encoded[place : place + 8] = struct.pack(">II", width, height)
    return bytes(encoded)


def bmp_of_size(width, height):
    encoded = bytearray(encode(PICTURE, "BMP"))
    encoded[18:26] = struct.pack("<ii", width, height)
    return bytes(encoded)


def many_scans(count):
    """Repeat the last scan of a progressive JPEG file."""
    encoded = encode(Image.new("L", (640, 640)), "JPEG", progressive=True)
    last = encoded[encoded.rindex(b"\xff\xda") : -2]
    return encoded[:-2] + last * count + encoded[-2:]


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def turned(orientation):
    """Store PICTURE in the way that an orientation of EXIF's undoes."""
    stored = {
        1: COLOURS,
        2: COLOURS[:, ::-1],
        3: COLOURS[::-1, ::-1],
        4: COLOURS[::-1],
        5: COLOURS.swapaxes(0, 1),
        6: np.rot90(COLOURS, 1),
        7: COLOURS[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(COLOURS, -1),
    }
    return Image.fromarray(np.ascontiguousarray(stored[orientation]))


def without_adobe(encoded):
    """Remove the marker of Adobe's from a JPEG file."""
    place = encoded.index(b"\xff\xee")
    return encoded[:place] + encoded[place + 2 + int.from_bytes(encoded[place + 2 : place + 4], "big") :]


def ycck():
    """Write a JPEG file of four channels in Adobe's YCCK, all of it CMYK's (0, 255, 255, 0)."""
    luma, blue, red = Image.new("RGB", (16, 16), (0, 255, 255)).convert("YCbCr").split()
    planes = [plane.point(lambda value: 255 - value) for plane in (luma, blue, red)]
    encoded = bytearray(encode(Image.merge("CMYK", [*planes, Image.new("L", (16, 16))]), "JPEG", quality=100))
    encoded[encoded.index(b"Adobe") + 11] = 2
    return bytes(encoded)


def profile(space, kind, tags):
    """Write an ICC profile of version 2 by hand from the contents of its tags."""
    body, table = b"", struct.pack(">I", len(tags))
    for name, content in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    white = struct.pack(">3i", *(round(value * 65536) for value in (0.9642, 1, 0.8249)))
    header = bytes(8) + struct.pack(">I", 0x02400000) + kind + space
    header += (b"Lab " if kind == b"prtr" else b"XYZ ") + bytes(12) + b"acsp" + bytes(28) + white
    header = header.ljust(128, b"\0")
    return struct.pack(">I", 128 + len(table) + len(body)) + header[4:] + table + body


def swapped_profile():
    """Return the profile of sRGB with red and green exchanged."""
    exchange = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    count = int.from_bytes(SRGB[128:132], "big")
    names = [SRGB[132 + 12 * tag : 136 + 12 * tag] for tag in range(count)]
    swapped = bytearray(SRGB)
    for tag, name in enumerate(names):
        swapped[132 + 12 * tag : 136 + 12 * tag] = exchange.get(name, name)
    return bytes(swapped)


def near_srgb_profile():
    """Return the profile of sRGB with its red moved by a thousandth, which no eye could tell."""
    tags = [SRGB[132 + 12 * tag : 144 + 12 * tag] for tag in range(int.from_bytes(SRGB[128:132], "big"))]
    red = next(int.from_bytes(tag[4:8], "big") for tag in tags if tag[:4] == b"rXYZ") + 8
    moved = int.from_bytes(SRGB[red : red + 4], "big") + 66
    return SRGB[:red] + moved.to_bytes(4, "big") + SRGB[red + 4 :]


def linear_grey_profile():
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return profile(b"GRAY", b"mntr", {b"wtpt": white, b"kTRC": b"curv\0\0\0\0" + struct.pack(">I", 0)})


def ink_profile():
    """Return a CMYK profile in which cyan alone is a light grey, L* = 80, and everything else is black."""
    tables = bytes(range(256))
    grid = np.zeros((2, 2, 2, 2, 3), np.uint8) + np.array([0, 128, 128], np.uint8)
    grid[0, 0, 0, 0, 0], grid[1, 0, 0, 0, 0] = 255, 204
    matrix = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    table = b"mft1\0\0\0\0\x04\x03\x02\0" + matrix + tables * 4 + grid.tobytes() + tables * 3
    return profile(b"CMYK", b"prtr", {b"A2B0": table})


def of_linear(grey):
    """Return the sRGB value of a linear grey from 0 to 255."""
    share = grey / 255
    return 255 * np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)


def lab_grey(lightness):
    """Return the sRGB value of a grey of some L* above 8."""
    return round(float(of_linear(255 * ((lightness + 16) / 116) ** 3)))


def plain(value, size=(16, 16)):
    return np.full((*size, len(value)), value, np.uint8)


def palette(**options):
    return encode(PICTURE.quantize(8), "PNG", **options)


def _faults():
    jpeg, noise = encode(PICTURE, "JPEG"), Image.fromarray(NOISE)
    for suffix in ("jpg", "png", "gif", "bmp", "tif", "webp", "avif"):
        file_format = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
        encoded = encode(noise, file_format)
        yield Odd(f"cut.{suffix}", encoded[: len(encoded) * 3 // 4], "truncated")
        yield Odd(f"start.{suffix}", encoded[:60], "truncated")
    yield Odd("zero.jpg", b"", "empty")
    yield Odd("text.jpg", b"hello", "not_a_picture")
    yield Odd("BMW.bmp", b"BMW is no bitmap, whatever its first letters say", "not_a_picture")
    yield Odd("page.jpg", b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "not_a_picture")
    yield Odd("film.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isomiso2", "not_a_picture")
    yield Odd("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "format")
    yield Odd("heic_by_brand.heic", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(99), "format")
    yield Odd("pixmap.ppm", encode(PICTURE, "PPM"), "format")
    yield Odd("jpeg2000.jp2", encode(PICTURE, "JPEG2000"), "format")
    yield Odd("icon.ico", encode(PICTURE, "ICO"), "format")
    yield Odd("drawing.svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "format")
    yield Odd("postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n", "format")
    yield Odd("hole.png", encode(noise).replace(b"IDAT", b"IDAX"), "damaged")
    yield Odd("swapped_bytes.png", encode(noise)[:60] + bytes(80) + encode(noise)[140:], "damaged")
    yield Odd("no_pixels.png", png(0, 3, 8, 0, b""), "damaged")
    yield Odd("twelve_bits.jpg", jpeg.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "damaged")
    yield Odd("text_bomb.png", png(1, 1, 8, 0, b"\0a", text_bomb()), "damaged")
    yield Odd("bomb.png", png(20_000, 20_000, 1, 0, bytes(20_000 * 2501)), "too_large")
    yield Odd("huge.png", png(10**6, 10**6, 8, 2, b""), "too_large")
    yield Odd("huge.jpg", jpeg_of_size(65_500, 65_500), "too_large")
    yield Odd("huge_screen.gif", gif((65_500, 65_500), (1, 1)), "too_large")
    yield Odd("huge_frame.gif", gif((1, 1), (65_500, 65_500)), "too_large")
    yield Odd("huge.webp", webp_of_size(1 << 24, 255), "too_large")
    yield Odd("huge.avif", avif_of_size(65_500, 65_500), "too_large")
    yield Odd("huge.bmp", bmp_of_size(65_500, 65_500), "too_large")
    yield Odd("huge.tif", tiff("<", 8, b"", size=(65_500, 65_500)), "too_large")
    yield Odd("scans.jpg", many_scans(9000), "too_large")
    yield Odd("float.tif", encode(Image.fromarray(np.ones((2, 2), "f4")), "TIFF"), "deep")
    yield Odd("integers.tif", encode(Image.fromarray(np.ones((2, 2), "i4")), "TIFF"), "deep")
    yield Odd("signed.tif", tiff("<", 16, np.array([[-1, 1000]], np.int16), sample_format=2), "deep")


def text_bomb():
    return chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))


def _sound():
    jpeg = {"quality": 100, "subsampling": "4:4:4"}
    yield Odd("ordinary.jpg", encode(PICTURE, "JPEG", **jpeg), COLOURS, 2)
    yield Odd("progressive.jpg", encode(PICTURE, "JPEG", progressive=True, **jpeg), COLOURS, 2)
    yield Odd("grey.jpg", encode(PICTURE.convert("L"), "JPEG", quality=100), GREY[..., None], 2)
    yield Odd("gif_named.jpg", encode(PICTURE, "GIF"), COLOURS, notes="extension")
    yield Odd("png_without_suffix", encode(PICTURE), COLOURS)
    yield Odd("no_end.png", encode(PICTURE)[:-12], COLOURS)
    yield Odd(
        "one_pixel.png", encode(Image.new("RGB", (1, 1), (1, 2, 3))), plain((1, 2, 3), (1, 1)), 0, "tiny"
    )
    yield Odd("long_text.png", png(1, 1, 8, 0, b"\0a", long_text()), plain([97], (1, 1)), 0, "tiny")
    yield Odd("lossless.webp", encode(PICTURE, "WEBP", lossless=True), COLOURS)
    yield Odd("ordinary.avif", encode(PICTURE, "AVIF", quality=100, subsampling="4:4:4"), COLOURS, 3)
    avif = encode(PICTURE, "AVIF", quality=100, subsampling="4:4:4")
    yield Odd("by_brand.avif", avif.replace(b"ftypavif", b"ftypmif1"), COLOURS, 3)
    yield Odd("deflate.tif", encode(PICTURE, "TIFF", compression="tiff_adobe_deflate"), COLOURS)


def long_text():
    return chunk(b"tEXt", b"Comment\0" + b"x" * 10_000_000)


def _inks():
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    encoded = encode(red, "JPEG", quality=100)
    yield Odd("adobe_cmyk.jpg", encoded, plain((255, 0, 0)), 3, "cmyk")
    yield Odd("other_cmyk.jpg", without_adobe(encoded), plain((255, 0, 0)), 3, "cmyk")
    yield Odd("ycck.jpg", ycck(), plain((255, 0, 0)), 3, "cmyk")
    yield Odd("cmyk.tif", encode(red, "TIFF"), plain((255, 0, 0)), notes="cmyk")
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    for suffix, file_format in (("jpg", "JPEG"), ("tif", "TIFF")):
        profiled = encode(cyan, file_format, icc_profile=ink_profile(), quality=100)
        yield Odd(f"cmyk_profile.{suffix}", profiled, plain([lab_grey(80)] * 3), 3, "cmyk profile")
    yield Odd("cmyk_wrong.tif", encode(red, "TIFF", icc_profile=SRGB), plain((255, 0, 0)), notes="cmyk")


def _profiles():
    swapped, turned_colours = swapped_profile(), COLOURS[..., [1, 0, 2]]
    yield Odd("profile.png", encode(PICTURE, icc_profile=swapped), turned_colours, 3, "profile")
    jpeg = encode(PICTURE, "JPEG", quality=100, subsampling="4:4:4", icc_profile=swapped)
    yield Odd("profile.jpg", jpeg, turned_colours, 4, "profile")
    yield Odd(
        "profile.webp",
        encode(PICTURE, "WEBP", lossless=True, icc_profile=swapped),
        turned_colours,
        3,
        "profile",
    )
    clear = PICTURE.copy()
    clear.putalpha(0)
    white = np.full_like(COLOURS, 255)
    yield Odd("profile_clear.png", encode(clear, icc_profile=swapped), white, 0, "alpha profile")
    yield Odd("srgb.png", encode(PICTURE, icc_profile=SRGB), COLOURS)
    yield Odd("near_srgb.png", encode(Image.fromarray(NOISE), icc_profile=near_srgb_profile()), NOISE)
    yield Odd("broken_profile.png", encode(PICTURE, icc_profile=b"broken"), COLOURS)
    yield Odd("short_profile.png", encode(PICTURE, icc_profile=swapped[:200]), COLOURS)
    yield Odd("wrong_profile.png", encode(PICTURE.convert("L"), icc_profile=swapped), GREY[..., None])
    linear = of_linear(GREY)[..., None].round().astype(np.uint8)
    grey_profile = linear_grey_profile()
    yield Odd(
        "grey_profile.png", encode(PICTURE.convert("L"), icc_profile=grey_profile), linear, 2, "profile"
    )


def _deep():
    grey = (DEEP >> 8).astype(np.uint8)[..., None]
    notes = "deep tiny"
    yield Odd("deep.png", encode(Image.fromarray(DEEP)), grey, notes=notes)
    yield Odd("little.tif", tiff("<", 16, DEEP), grey, notes=notes)
    yield Odd("big.tif", tiff(">", 16, DEEP), grey, notes=notes)
    yield Odd("white_is_zero.tif", tiff("<", 16, DEEP, photometric=0), 255 - grey, notes=notes)
    yield Odd("positive.tif", tiff("<", 16, DEEP // 2, sample_format=2), grey // 2, notes=notes)
    twelve = tiff("<", 12, b"\x12\x3f\xed", size=(1, 2))
    yield Odd("twelve_bits.tif", twelve, np.array([[[0x12], [0xFE]]], np.uint8), notes=notes)
    row = b"\0" + struct.pack(">6H", 1000, 2000, 3000, 65535, 0, 300)
    colours = np.array([[[3, 7, 11], [255, 0, 1]]], np.uint8)
    yield Odd("deep_rgb.png", png(2, 1, 16, 2, row), colours, notes=notes)
    hidden = np.array([[[255] * 3, [255, 0, 1]]], np.uint8)
    one = chunk(b"tRNS", struct.pack(">3H", 1000, 2000, 3000))
    yield Odd("deep_rgb_clear.png", png(2, 1, 16, 2, row, one), hidden, notes="alpha deep tiny")
    row, pair = b"\0" + struct.pack(">4H", 1000, 65535, 1000, 0), np.array([[[3], [255]]], np.uint8)
    yield Odd("deep_grey_alpha.png", png(2, 1, 16, 4, row), pair, notes="alpha deep tiny")
    row, one = b"\0" + struct.pack(">2H", 1000, 1001), chunk(b"tRNS", struct.pack(">H", 1000))
    hidden = np.array([[[255], [3]]], np.uint8)
    yield Odd("deep_clear.png", png(2, 1, 16, 0, row, one), hidden, notes="alpha deep tiny")


def _stored():
    bits = (GREY > 100).astype(np.uint8)[..., None] * 255
    one = Image.fromarray(bits[..., 0]).convert("1")
    yield Odd("bits.png", encode(one), bits)
    yield Odd("bits.tif", encode(one, "TIFF", compression="group4"), bits)
    yield Odd("bits.bmp", encode(one, "BMP"), bits)
    yield Odd("palette.bmp", encode(PICTURE.quantize(8), "BMP"), COLOURS)
    yield Odd("grey.bmp", encode(PICTURE.convert("L"), "BMP"), GREY[..., None])
    yield Odd("top_down.bmp", top_down(), COLOURS)
    yield Odd("palette.png", palette(), COLOURS)
    yield Odd("palette.tif", encode(PICTURE.quantize(8), "TIFF"), COLOURS)
    yield Odd("grey.gif", encode(PICTURE.convert("L"), "GIF"), GREY[..., None].repeat(3, -1))
    lab = PICTURE.convert("LAB")
    yield Odd("lab.tif", encode(lab, "TIFF"), np.asarray(lab.convert("RGB")))
    yield Odd("ycbcr.tif", encode(PICTURE.convert("YCbCr"), "TIFF"), COLOURS, 3)


def top_down():
    """Return a BMP file that starts with the uppermost row."""
    encoded = bytearray(encode(Image.fromarray(COLOURS[::-1].copy()), "BMP"))
    encoded[22:26] = struct.pack("<i", -COLOURS.shape[0])
    return bytes(encoded)


def _clear():
    white, half = np.full_like(COLOURS, 255), np.full((16, 16, 4), (200, 0, 100, 127), np.uint8)
    clear = PICTURE.copy()
    clear.putalpha(0)
    solid = PICTURE.copy()
    solid.putalpha(255)
    mixed = plain((255 - 55 * 127 / 255, 255 - 127, 255 - 155 * 127 / 255))
    yield Odd("clear.png", encode(clear), white, notes="alpha")
    yield Odd("solid.png", encode(solid), COLOURS, notes="alpha")
    yield Odd("half.png", encode(Image.fromarray(half)), mixed, 1, "alpha")
    yield Odd("clear.webp", encode(clear, "WEBP", lossless=True, exact=True), white, notes="alpha")
    yield Odd("clear.tif", encode(clear, "TIFF"), white, notes="alpha")
    grey = np.full((16, 16, 2), (0, 51), np.uint8)
    yield Odd("grey_alpha.png", encode(Image.fromarray(grey)), plain([204]), notes="alpha")
    green_hidden, green = COLOURS.copy(), PICTURE.quantize(8).getpixel((16, 0))
    green_hidden[:16, 16:32] = 255
    yield Odd("palette_clear.png", palette(transparency=green), green_hidden, notes="alpha")
    alphas = bytes(0 if entry == green else 255 for entry in range(8))
    yield Odd("palette_alphas.png", palette(transparency=alphas), green_hidden, notes="alpha")
    yield Odd(
        "palette_clear.gif", encode(PICTURE.quantize(8), "GIF", transparency=green), green_hidden, 0, "alpha"
    )
    yield Odd("rgb_clear.png", encode(PICTURE, transparency=(0, 255, 0)), green_hidden, notes="alpha")
    row, one = b"\0" + bytes([0, 9]), chunk(b"tRNS", b"\0\0")
    hidden = np.array([[[255], [9]]], np.uint8)
    yield Odd("grey_clear.png", png(2, 1, 8, 0, row, one), hidden, notes="alpha tiny")
    four = png(2, 1, 4, 0, b"\0\x5f", chunk(b"tRNS", b"\0\x05"))
    yield Odd("four_bits_clear.png", four, plain([255], (1, 2)), notes="alpha tiny")
    single = png(2, 1, 1, 0, b"\0\x40", chunk(b"tRNS", b"\0\0"))
    yield Odd("one_bit_clear.png", single, plain([255], (1, 2)), notes="alpha tiny")


def _frames():
    yield Odd("animated.gif", animation("GIF"), COLOURS, notes="frames")
    yield Odd("animated.webp", animation("WEBP", lossless=True), COLOURS, notes="alpha frames")
    yield Odd("animated.png", animation("PNG"), COLOURS, notes="frames")
    yield Odd("animated.avif", animation("AVIF", quality=100, subsampling="4:4:4"), COLOURS, 3, "frames")
    yield Odd("pages.tif", animation("TIFF"), COLOURS, notes="frames")
    mpo = animation("MPO", quality=100, subsampling="4:4:4")
    yield Odd("stereo.mpo", mpo, COLOURS, 2, "frames")
    yield Odd("half_stereo.mpo", mpo[: len(mpo) // 2], COLOURS, 2, "frames")
    yield Odd("damaged_mpo.jpg", mpo.replace(b"MPF\0II*\0", b"MPF\0II+\0"), COLOURS, 2)
    thousands = [Image.new("L", (16, 16), shade % 256) for shade in range(3000)]
    many = encode(thousands[0], "GIF", save_all=True, append_images=thousands[1:])
    yield Odd("thousands.gif", many, plain((0, 0, 0)), notes="frames")


def _turned():
    for orientation in range(1, 9):
        notes = "turned" * (orientation > 1)
        stored = turned(orientation)
        options = {"exif": exif(orientation), "quality": 100, "subsampling": "4:4:4"}
        yield Odd(f"exif{orientation}.jpg", encode(stored, "JPEG", **options), COLOURS, 2, notes)
        yield Odd(f"exif{orientation}.png", encode(stored, exif=exif(orientation)), COLOURS, 0, notes)
        yield Odd(f"exif{orientation}.tif", encode(stored, "TIFF", exif=exif(orientation)), COLOURS, 0, notes)
        webp = encode(stored, "WEBP", lossless=True, exif=exif(orientation))
        yield Odd(f"exif{orientation}.webp", webp, COLOURS, 0, notes)
    avif = encode(turned(6), "AVIF", quality=100, subsampling="4:4:4", exif=exif(6))
    yield Odd("exif6.avif", avif, COLOURS, 3, "turned")


def _damaged_exif():
    for suffix in ("jpg", "png", "webp"):
        file_format = {"jpg": "JPEG"}.get(suffix, suffix.upper())
        lossy = {"quality": 100, "subsampling": "4:4:4"} if suffix == "jpg" else {"lossless": True}
        for name, data in (("damaged", b"Exif\0\0damaged"), ("short", b"Exif\0\0II*\0\xff\0\0\0")):
            encoded = encode(PICTURE, file_format, exif=data, **lossy)
            yield Odd(f"{name}_exif.{suffix}", encoded, COLOURS, 2 if suffix == "jpg" else 0)
    camera = Image.Exif()
    camera[0x0110] = "camera"
    avif = encode(PICTURE, "AVIF", quality=100, subsampling="4:4:4", exif=camera)
    yield Odd("damaged_exif.avif", avif.replace(b"II*\0", b"odd!").replace(b"MM\0*", b"odd!"), COLOURS, 3)
    nine = encode(PICTURE, exif=exif(9))
    yield Odd("exif9.png", nine, COLOURS)


ALL = [
    odd
    for rows in (_faults, _sound, _inks, _profiles, _deep, _stored, _clear, _frames, _turned, _damaged_exif)
    for odd in rows()
]
FAULTS = [odd for odd in ALL if isinstance(odd.expected, str)]
SOUND = [odd for odd in ALL if not isinstance(odd.expected, str)]

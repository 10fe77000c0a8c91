"""What the bytes of a picture file state about it, read without any decoder."""

import re
from typing import Literal

JPEG_2000 = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
JPEG_XL = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
SIGNATURES = {  # the first bytes of each format, those that Pillow knows and those often met among pictures
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+"),
    "DDS": (b"DDS ",),
    "DjVu": (b"AT&TFORM",),
    "EPS": (b"%!PS", b"\xc5\xd0\xd3\xc6"),
    "FITS": (b"SIMPLE  =",),
    "HDR": (b"#?RADIANCE", b"#?RGBE"),
    "ICNS": (b"icns",),
    "ICO": (b"\0\0\1\0", b"\0\0\2\0"),
    "JPEG 2000": (JPEG_2000, b"\xff\x4f\xff\x51"),
    "JPEG XL": (JPEG_XL, b"\xff\x0a"),
    "OpenEXR": (b"v/1\x01",),
    "PDF": (b"%PDF-",),
    "PPM": tuple(b"P%d%c" % (kind, blank) for kind in range(1, 8) for blank in b" \t\r\n"),
    "PSD": (b"8BPS",),
    "QOI": (b"qoif",),
    "SGI": (b"\x01\xda\0", b"\x01\xda\1"),
    "SVG": (b"<svg",),
    "XCF": (b"gimp xcf",),
}
BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # bytes in each version of a BMP file's second header
AVIF_HEADER = 100_000  # bytes of an AVIF file in which its sizes stand
BRANDS = {  # of ISO base media files, in the order in which they are looked for
    "AVIF": {b"avif", b"avis"},
    "HEIF": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"},
    "CR3": {b"crx "},
}


def format_of(encoded: bytes) -> str | None:
    """Name the format of a picture file by its first bytes, mostly as Pillow does; None if it is unknown."""
    if encoded[4:8] == b"ftyp":
        return _brand(encoded)
    if encoded.startswith(b"RIFF") and encoded[8:12] == b"WEBP":
        return "WEBP"
    if encoded.startswith(b"BM") and int.from_bytes(encoded[14:18], "little") in BMP_HEADERS:
        return "BMP"
    if encoded.startswith(b"<?xml") and b"<svg" in encoded[:1000]:
        return "SVG"
    return next((name for name, starts in SIGNATURES.items() if encoded.startswith(starts)), None)


def _brand(encoded: bytes) -> str | None:
    end = min(int.from_bytes(encoded[:4], "big"), 400)
    brands = {encoded[8:12], *(encoded[place : place + 4] for place in range(16, end, 4))}
    return next((name for name, known in BRANDS.items() if brands & known), None)


def size_of(encoded: bytes) -> tuple[int, int] | None:
    """Read the size of a WebP or AVIF file, whose decoders allocate memory or judge the size as they open it.

    Returns:
        Its width and height; None for other formats and damaged headers.
    """
    match format_of(encoded):
        case "WEBP":
            return _webp_size(encoded)
        case "AVIF":
            return _largest_extent(encoded)
    return None


def _webp_size(encoded: bytes) -> tuple[int, int] | None:
    if len(encoded) < 30:
        return None
    match encoded[12:16]:
        case b"VP8X":
            return int.from_bytes(encoded[24:27], "little") + 1, int.from_bytes(encoded[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(encoded[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = encoded[26:28], encoded[28:30]
            return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF
    return None


def _largest_extent(encoded: bytes) -> tuple[int, int] | None:
    """Read the largest size in an AVIF file, which states one for each of its pictures and tiles."""
    extents = [
        (int.from_bytes(found[1], "big"), int.from_bytes(found[2], "big"))
        for found in re.finditer(rb"\0\0\0\x14ispe\0{4}(.{4})(.{4})", encoded[:AVIF_HEADER], re.DOTALL)
    ]
    return max(extents, key=lambda extent: extent[0] * extent[1], default=None)


def scans(encoded: bytes) -> int:
    """Count the scans of the first picture in a JPEG file; a decoder goes through all pixels for each."""
    start = 2
    while encoded[start : start + 1] == b"\xff" and encoded[start + 1 : start + 2] != b"\xda":
        start += 2 + int.from_bytes(encoded[start + 2 : start + 4], "big")
    end = encoded.find(b"\xff\xd9", start)
    return encoded.count(b"\xff\xda", start, end if end >= 0 else len(encoded))


def is_cut_short(encoded: bytes) -> bool:
    """Say whether a file of a known format that cannot be read ends before the end that it states."""
    match format_of(encoded):
        case "WEBP":
            return len(encoded) < 8 + int.from_bytes(encoded[4:8], "little")
        case "AVIF" | "HEIF":
            return _last_box_end(encoded) > len(encoded)
        case "GIF":
            return not encoded.endswith(b";")
        case "TIFF":
            return _directory_end(encoded) > len(encoded)
    return False


def _directory_end(encoded: bytes) -> int:
    """Return where the first list of tags in a TIFF file ends, but for those of more than 4 GiB."""
    order: Literal["little", "big"] = "little" if encoded.startswith(b"I") else "big"
    start = int.from_bytes(encoded[4:8], order)
    return start + 2 + 12 * int.from_bytes(encoded[start : start + 2], order) + 4


def _last_box_end(encoded: bytes) -> int:
    """Return where the last box of an ISO base media file ends."""
    place = 0
    while place < len(encoded):
        size = int.from_bytes(encoded[place : place + 4], "big")
        if size == 1:
            size = int.from_bytes(encoded[place + 8 : place + 16], "big")
        place = place + size if size >= 8 else len(encoded)
    return place

"""Folders, archives and single files look the same from outside, and damage is noticed."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from stages.running import errors
from stages.sources import archives
from tests import pictures

# Random, so that no format makes it small: damage in the middle hits the content.
FILES = {
    "images.bin": np.random.default_rng(0).bytes(200_000),
    "labels.bin": np.random.default_rng(1).bytes(50_000),
}


def listed(members) -> list[tuple[str, bytes]]:
    """Each file with its content."""
    return [(name, read()) for name, read in members]


def tree(folder: Path) -> Path:
    (folder / "inner").mkdir(parents=True)
    (folder / "images.bin").write_bytes(FILES["images.bin"])
    (folder / "inner" / "labels.bin").write_bytes(FILES["labels.bin"])
    return folder


FORMATS = {
    ".tar": "tar",
    ".tar.gz": "gztar",
    ".tgz": "gztar",
    ".tar.bz2": "bztar",
    ".tar.xz": "xztar",
    ".zip": "zip",
}


def archive(folder: Path, suffix: str) -> Path:
    """The tree, packed in the format of a suffix."""
    source, path = tree(folder / "tree"), folder / f"archive{suffix}"
    if suffix != ".deb":
        return Path(shutil.make_archive(str(folder / "packed"), FORMATS[suffix], folder, "tree")).rename(path)
    if not shutil.which("dpkg-deb"):
        pytest.skip("there is no dpkg-deb on this machine")
    control = source / "DEBIAN" / "control"
    control.parent.mkdir()
    control.write_text("Package: data\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n")
    subprocess.run(["dpkg-deb", "--build", source, path], check=True, capture_output=True)
    return path


SUFFIXES = [*FORMATS, ".deb"]


def test_a_folder_gives_the_files_below_it(tmp_path):
    assert dict(listed(archives.members(tree(tmp_path / "tree")))) == FILES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_gives_the_files_in_it_without_their_folders(tmp_path, suffix):
    assert dict(listed(archives.members(archive(tmp_path, suffix)))) == FILES


@pytest.mark.parametrize("name", ["data", "archive.bin", "archive.gz"])
def test_an_archive_is_known_by_its_content(tmp_path, name):
    renamed = archive(tmp_path, ".tar.gz").rename(tmp_path / name)
    assert dict(listed(archives.members(renamed))) == FILES


def test_a_single_file_gives_itself(tmp_path):
    (tmp_path / "labels.bin").write_bytes(b"one two")
    assert listed(archives.members(tmp_path / "labels.bin")) == [("labels.bin", b"one two")]


def test_a_single_gz_file_is_decompressed_and_loses_its_suffix(tmp_path):
    (tmp_path / "labels.bin.gz").write_bytes(gzip.compress(b"one two"))
    assert listed(archives.members(tmp_path / "labels.bin.gz")) == [("labels.bin", b"one two")]


def test_gz_files_inside_are_decompressed_too(tmp_path):
    content = gzip.compress(b"one two")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "labels.bin.gz").write_bytes(content)
    with tarfile.open(tmp_path / "archive.tar", "w") as packed:
        packed.add(tmp_path / "tree")
    for path in (tmp_path / "tree", tmp_path / "archive.tar"):
        assert listed(archives.members(path)) == [("labels.bin", b"one two")]


def test_links_and_folders_in_a_tar_are_no_files(tmp_path):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "archive.tar", "w") as packed:
        packed.addfile(link)
        packed.add(tree(tmp_path / "tree"))
    assert dict(listed(archives.members(tmp_path / "archive.tar"))) == FILES


def test_a_path_where_nothing_is_is_refused(tmp_path):
    with pytest.raises(errors.BadInput, match=r"expected a file or folder at .*absent, found nothing"):
        listed(archives.members(tmp_path / "absent"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_archive_is_refused_by_its_name(tmp_path, suffix):
    path = archive(tmp_path, suffix)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(errors.BadInput, match=rf"archive{suffix} is corrupt, truncated"):
        listed(archives.members(path))


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_a_compressed_tar_with_damage_in_the_middle_is_refused(tmp_path, compress):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as writing:
        member = tarfile.TarInfo("images.bin")
        member.size = 8 * len(FILES["images.bin"])  # more than the first block of any format
        writing.addfile(member, io.BytesIO(8 * FILES["images.bin"][::-1]))
    content = bytearray(compress(packed.getvalue()))
    content[-2000:-1000] = bytes(1000)
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(errors.BadInput, match="archive is corrupt, truncated"):
        listed(archives.members(tmp_path / "archive"))


def test_a_truncated_gz_file_is_refused(tmp_path):
    (tmp_path / "images.bin.gz").write_bytes(gzip.compress(FILES["images.bin"])[:-1000])
    with pytest.raises(errors.BadInput, match=r"images\.bin\.gz is corrupt, truncated"):
        listed(archives.members(tmp_path / "images.bin.gz"))


def test_a_debian_package_is_refused_without_dpkg_deb(tmp_path, monkeypatch):
    (tmp_path / "data.deb").write_bytes(b"!<arch>\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.BadInput, match="unpacking it needs the program dpkg-deb"):
        listed(archives.members(tmp_path / "data.deb"))


ZEROS = bytes(200_000)


@pytest.fixture
def small(monkeypatch):
    """No archive may unpack to more than 100,000 bytes."""
    monkeypatch.setattr(archives, "SMALL", 100_000)
    monkeypatch.setattr(archives, "LARGEST_RATIO", 1)


def tar_of(kind, size=0, data=b"") -> bytes:
    """A tar of one header for `wanted`, whatever follows it."""
    header = tarfile.TarInfo("wanted")
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT) + data + bytes(2 * tarfile.BLOCKSIZE)


def zip_of(members, *marks: tuple[bytes, int, int]) -> bytes:
    """A zip in which bytes are set: after each signature, at an offset."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    content = bytearray(buffer.getvalue())
    for signature, offset, value in marks:
        content[content.index(signature) + offset] = value
    return bytes(content)


def refusal(path, most=None) -> str:
    with pytest.raises(errors.BadInput) as caught:
        listed(archives.members(path, most))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize("unwanted", [{"junk": ZEROS}, {"junk.gz": gzip.compress(ZEROS)}])
def test_what_is_not_wanted_is_not_opened(tmp_path, small, unwanted):
    path = pictures.put(tmp_path / "mine", zip_of({**unwanted, "wanted": b"1"}))
    assert [read() for name, read in archives.members(path) if name == "wanted"] == [b"1"]


TOO_MUCH = {
    "a zip": zip_of({"wanted": ZEROS}),
    "a tar.gz": gzip.compress(tar_of(tarfile.REGTYPE, len(ZEROS), ZEROS + bytes(192))),
    "what is not wanted in a tar.gz": gzip.compress(tar_of(tarfile.REGTYPE, len(ZEROS), ZEROS)),
    "a header": gzip.compress(tar_of(tarfile.XHDTYPE, len(ZEROS), ZEROS)),
    "a tar of terabytes": tar_of(tarfile.REGTYPE, 8 << 40),
    "a sparse tar": tar_of(tarfile.GNUTYPE_SPARSE, 8 << 40),
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_an_archive_of_far_more_than_its_size_is_refused(tmp_path, small, kind):
    assert "found more; if you trust it" in refusal(pictures.put(tmp_path / "mine", TOO_MUCH[kind]))


@pytest.mark.parametrize("content", [zip_of({"a.gz": gzip.compress(ZEROS)}), zip_of({"a": ZEROS})])
def test_a_file_of_more_bytes_than_were_published_is_refused(tmp_path, content):
    path = pictures.put(tmp_path / "mine", content)
    assert "expected at most 199,999 bytes in a" in refusal(path, len(ZEROS) - 1)
    assert listed(archives.members(path, len(ZEROS))) == [("a", ZEROS)]


UNREADABLE = {
    "encrypted": zip_of({"a": b"1"}, (b"PK\x03\x04", 6, 1), (b"PK\x01\x02", 8, 1)),
    "an unknown method": zip_of({"a": b"1"}, (b"PK\x03\x04", 8, 77), (b"PK\x01\x02", 10, 77)),
    "a later version": zip_of({"a": b"1"}, (b"PK\x01\x02", 6, 255)),
    "a name that is not UTF-8": zip_of({"猫": b"1"}).replace("猫".encode(), b"\xff\xfe\xfd"),
    "headers in headers": b"".join([tar_of(tarfile.XHDTYPE)[:512]] * 5000),
    "no end": tar_of(tarfile.REGTYPE)[:512],
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_archive_that_cannot_be_read_is_refused(tmp_path, kind):
    path = pictures.put(tmp_path / "mine", UNREADABLE[kind])
    assert refusal(path).startswith(f"{path} is corrupt, truncated or encrypted: ")


def test_a_tar_of_zips_is_no_zip(tmp_path):
    zips = {f"{name}.zip": zip_of({name: b"1"}) for name in "ab"}
    assert dict(listed(archives.members(pictures.tarred(tmp_path / "mine", zips)))) == zips


def test_only_plain_files_are_read(tmp_path):
    (tmp_path / "device").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for path in tmp_path.iterdir():
        assert "found nothing, or something else" in refusal(path)
    assert listed(archives.members(tmp_path)) == []

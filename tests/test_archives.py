"""Folders, archives and single files look the same from outside, and damage is noticed."""

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from stages.running import errors
from stages.sources import archives

# Random, so that no format makes it small: damage in the middle hits the content.
FILES = {
    "images.bin": np.random.default_rng(0).bytes(200_000),
    "labels.bin": np.random.default_rng(1).bytes(50_000),
}


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
    assert dict(archives.members(tree(tmp_path / "tree"))) == FILES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_gives_the_files_in_it_without_their_folders(tmp_path, suffix):
    assert dict(archives.members(archive(tmp_path, suffix))) == FILES


@pytest.mark.parametrize("name", ["data", "archive.bin", "archive.gz"])
def test_an_archive_is_known_by_its_content(tmp_path, name):
    renamed = archive(tmp_path, ".tar.gz").rename(tmp_path / name)
    assert dict(archives.members(renamed)) == FILES


def test_a_single_file_gives_itself(tmp_path):
    (tmp_path / "labels.bin").write_bytes(b"one two")
    assert list(archives.members(tmp_path / "labels.bin")) == [("labels.bin", b"one two")]


def test_a_single_gz_file_is_decompressed_and_loses_its_suffix(tmp_path):
    (tmp_path / "labels.bin.gz").write_bytes(gzip.compress(b"one two"))
    assert list(archives.members(tmp_path / "labels.bin.gz")) == [("labels.bin", b"one two")]


def test_gz_files_inside_are_decompressed_too(tmp_path):
    content = gzip.compress(b"one two")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "labels.bin.gz").write_bytes(content)
    with tarfile.open(tmp_path / "archive.tar", "w") as packed:
        packed.add(tmp_path / "tree")
    for path in (tmp_path / "tree", tmp_path / "archive.tar"):
        assert list(archives.members(path)) == [("labels.bin", b"one two")]


def test_links_and_folders_in_a_tar_are_no_files(tmp_path):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "archive.tar", "w") as packed:
        packed.addfile(link)
        packed.add(tree(tmp_path / "tree"))
    assert dict(archives.members(tmp_path / "archive.tar")) == FILES


def test_a_path_where_nothing_is_is_refused(tmp_path):
    with pytest.raises(errors.BadInput, match=r"expected a file or folder at .*absent, found nothing"):
        list(archives.members(tmp_path / "absent"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_archive_is_refused_by_its_name(tmp_path, suffix):
    path = archive(tmp_path, suffix)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(errors.BadInput, match=rf"archive{suffix} is corrupt or truncated"):
        list(archives.members(path))


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
    with pytest.raises(errors.BadInput, match="archive is corrupt or truncated"):
        list(archives.members(tmp_path / "archive"))


def test_a_truncated_gz_file_is_refused(tmp_path):
    (tmp_path / "images.bin.gz").write_bytes(gzip.compress(FILES["images.bin"])[:-1000])
    with pytest.raises(errors.BadInput, match=r"images\.bin\.gz is corrupt or truncated"):
        list(archives.members(tmp_path / "images.bin.gz"))


def test_a_debian_package_is_refused_without_dpkg_deb(tmp_path, monkeypatch):
    (tmp_path / "data.deb").write_bytes(b"!<arch>\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.BadInput, match="unpacking it needs the program dpkg-deb"):
        list(archives.members(tmp_path / "data.deb"))

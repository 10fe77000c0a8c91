"""Archives of pictures are unpacked once, into the cache, and never to anywhere else."""

import bz2
import gzip
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from stages.running import errors
from stages.sources import archives, cache, extracted
from tests import pictures
from tests.pictures import put, tarred, zipped

MEMBERS = {"cat/1.png": pictures.png(1), "dog/naïve 猫.png": pictures.png(2), "dog/a/b.png": pictures.png(3)}
KINDS = {
    "zip": lambda path, members: zipped(path, members),
    "deflated zip": lambda path, members: zipped(path, members, zipfile.ZIP_DEFLATED),
    "bzip2 zip": lambda path, members: zipped(path, members, zipfile.ZIP_BZIP2),
    "lzma zip": lambda path, members: zipped(path, members, zipfile.ZIP_LZMA),
    "tar": lambda path, members: tarred(path, members, "w:"),
    "tar.gz": lambda path, members: tarred(path, members, "w:gz"),
    "tar.bz2": lambda path, members: tarred(path, members, "w:bz2"),
    "tar.xz": lambda path, members: tarred(path, members, "w:xz"),
}


@pytest.fixture
def place(tmp_path):
    """Where an archive is put; nothing else may ever be there."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "mine"


def refusal(archive: Path) -> str:
    """What is said of an archive that is not unpacked; nothing of it is left anywhere."""
    with pytest.raises(errors.BadInput) as caught:
        extracted.folder(archive)
    assert "\n" not in str(caught.value)
    assert [path.name for path in cache.folder().rglob("*")] in ([], ["extracted"])
    assert list(archive.parent.iterdir()) == [archive]
    outside = [path for path in archive.parents[1].rglob("*") if path.name.startswith("evil")]
    assert not outside
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_unpacked_whole(place, kind):
    archive = KINDS[kind](place, MEMBERS)
    assert archives.is_archive(archive)
    unpacked = extracted.folder(archive)
    assert pictures.content(unpacked) == MEMBERS
    assert cache.folder() in unpacked.parents
    assert list(place.parent.iterdir()) == [archive]
    assert [path.name for path in cache.folder().iterdir()] == ["extracted"]


def test_nothing_is_beside_the_archive_while_it_is_unpacked(place, monkeypatch):
    archive, seen = zipped(place, MEMBERS), []
    monkeypatch.setattr(extracted.disk, "require_space", lambda *_: seen.append(list(place.parent.iterdir())))
    extracted.folder(archive)
    assert seen == [[archive]] * len(MEMBERS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_time_nothing_is_unpacked(place, kind, monkeypatch):
    first = extracted.folder(KINDS[kind](place, MEMBERS))
    monkeypatch.setattr(extracted, "_unpack", lambda *_: pytest.fail("unpacked again"))
    assert extracted.folder(place) == first


def test_another_content_is_unpacked_anew(place):
    first = extracted.folder(zipped(place, MEMBERS))
    second = extracted.folder(zipped(place, {"cat/2.png": b"2"}))
    assert first != second and pictures.content(second) == {"cat/2.png": b"2"}


@pytest.mark.parametrize("data", [b"", b"no archive", pictures.png(1), gzip.compress(b"no tar", mtime=0)])
def test_a_file_that_is_no_archive_is_refused(place, data):
    archive = put(place, data)
    assert not archives.is_archive(archive)
    assert refusal(archive) == f"expected a folder, a zip or a tar of pictures, received the file {archive}"


OUTSIDE = ["../evil.png", "cat/../../evil.png", "/tmp/evil.png", "..\\evil.png", "\\evil.png", "C:\\evil.png"]


@pytest.mark.parametrize("name", [*OUTSIDE, "C:evil.png", "c:/evil.png", "//host/share/evil.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_outside_of_the_archive_is_refused(place, kind, name):
    said = refusal(KINDS[kind](place, {**MEMBERS, name: b"evil"}))
    assert said == f"{place}: expected members inside the archive, found '{name}'"


@pytest.mark.parametrize("name", ["./cat/1.png", "cat//1.png", "cat\\1.png", ".\\cat\\1.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_of_members_are_read_as_other_systems_write_them(place, kind, name):
    assert pictures.content(extracted.folder(KINDS[kind](place, {name: b"1"}))) == {"cat/1.png": b"1"}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_colon_in_a_name_is_no_drive(place, kind):
    assert list(pictures.content(extracted.folder(KINDS[kind](place, {"n01:cat/1.png": b""})))) == [
        "n01:cat/1.png"
    ]


@pytest.mark.parametrize("folder", ["cat/", "cat\\"])
def test_folders_in_an_archive_are_no_files(place, folder):
    archive = zipped(place, {folder: b"", "cat/1.png": b"1"})
    assert pictures.content(extracted.folder(archive)) == {"cat/1.png": b"1"}


SPECIAL = {
    "a symbolic link": tarfile.SYMTYPE,
    "a hard link": tarfile.LNKTYPE,
    "a device": tarfile.CHRTYPE,
    "a block device": tarfile.BLKTYPE,
    "a pipe": tarfile.FIFOTYPE,
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_links_and_devices_in_a_tar_are_refused(place, kind):
    with tarfile.open(place, "w") as archive:
        entry = tarfile.TarInfo("cat/evil.png")
        entry.type, entry.linkname = SPECIAL[kind], "/etc/passwd"
        archive.addfile(entry)
    said = refusal(place)
    assert said.startswith(
        f"{place}: expected plain files, found 'cat/evil.png', which is a link or a device"
    )


def test_links_in_a_zip_are_refused(place):
    entry = zipfile.ZipInfo("cat/evil.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "found 'cat/evil.png', which is a link" in refusal(place)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names", [["a/1", "a/1"], ["a/1", "a\\1"], ["a", "a/1"], ["a/1", "a"], ["a/1", "./a/1"]]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_two_members_of_one_name_are_refused(place, kind, names):
    if kind == "zip":
        with zipfile.ZipFile(place, "w") as archive:
            for name in names:
                archive.writestr(name, name)
    else:
        with tarfile.open(place, "w") as archive:
            for name in names:
                archive.addfile(tarfile.TarInfo(name))
    assert "expected each member once, found two of the name " in refusal(place)


def test_an_encrypted_zip_is_refused(place):
    data = bytearray(zipped(place, MEMBERS).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    said = refusal(put(place, bytes(data)))
    assert said.startswith(f"{place} is corrupt, truncated or encrypted: ") and "password" in said


def test_an_unknown_way_of_compression_is_refused(place):
    data = bytearray(zipped(place, MEMBERS).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(signature) + offset] = 77
    assert "is corrupt, truncated or encrypted: " in refusal(put(place, bytes(data)))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.97])
@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_archive_is_refused(place, kind, share):
    data = KINDS[kind](place, MEMBERS).read_bytes()
    end = len(data.rstrip(b"\0")) if kind == "tar" else len(data)  # zeros end a tar
    assert str(place) in refusal(put(place, data[: int(share * end)]))


def test_a_tar_that_ends_between_two_members_is_refused(place):
    data = tarred(place, MEMBERS).read_bytes()
    for header in (data.index(b"dog/a/b.png"), data.index(b"dog/a/b.png") + 100):
        assert refusal(put(place, data[:header])).endswith("encrypted: it has no end, or a damaged member")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_archive_is_refused_or_read_and_no_traceback(place, kind):
    data = KINDS[kind](place, MEMBERS).read_bytes()
    for number in range(0, len(data), max(1, len(data) // 40)):
        put(place, data[:number] + bytes([data[number] ^ 0xFF]) + data[number + 1 :])
        try:
            extracted.folder(place)
        except errors.BadInput as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz"])
def test_a_wrong_checksum_at_the_end_of_a_tar_is_noticed(place, kind):
    data = bytearray(KINDS[kind](place, MEMBERS).read_bytes())
    data[-8 if kind == "tar.gz" else -14 if kind == "tar.xz" else -3] ^= 0xFF
    assert "is corrupt, truncated or encrypted" in refusal(put(place, bytes(data)))


def test_a_name_that_is_too_long_is_refused(place):
    assert "File name too long" in refusal(zipped(place, {"x" * 300: b""}))


ZEROS = bytes(200_000)


@pytest.mark.parametrize("kind", ["deflated zip", "bzip2 zip", "lzma zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_of_far_more_than_its_size_is_refused(place, kind, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 100_000)
    monkeypatch.setattr(archives, "LARGEST_RATIO", 20)
    archive = KINDS[kind](place, {"1.png": ZEROS})
    size = archive.stat().st_size
    said = refusal(archive)
    assert f"expected at most {max(100_000, 20 * size):,} bytes in an archive of {size:,}, found more" in said
    monkeypatch.setattr(archives, "SMALL", 300_000)
    assert extracted.folder(archive).is_dir()


def test_a_size_that_is_a_lie_does_not_raise_the_limit(place, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 100_000)
    monkeypatch.setattr(archives, "LARGEST_RATIO", 1)
    data = KINDS["deflated zip"](place, {"1.png": ZEROS}).read_bytes()
    refusal(put(place, data.replace(struct.pack("<L", len(ZEROS)), struct.pack("<L", 10))))


def test_many_small_members_count_together(place, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 1000)
    monkeypatch.setattr(archives, "LARGEST_RATIO", 0)
    assert "found more" in refusal(zipped(place, {f"{number}.png": bytes(100) for number in range(11)}))


def test_only_so_many_members_are_unpacked(place, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    assert "found more" in refusal(zipped(place, MEMBERS))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_unpacks_to_gigabytes_is_not_read(place, monkeypatch, kind):
    monkeypatch.setattr(archives, "SMALL", 100_000)
    monkeypatch.setattr(archives, "LARGEST_RATIO", 1)
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, len(ZEROS)
    put(place, gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + ZEROS + bytes(10_240)))
    assert "found more" in refusal(place)


def test_a_member_of_terabytes_is_refused_by_its_header(place):
    header = tarfile.TarInfo("cat/1.png")
    header.size = 8 << 40
    assert "found more" in refusal(put(place, header.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)))


def test_a_disk_without_room_is_noticed(place, monkeypatch):
    def full(folder, needed, remedy):
        raise errors.BadInput(f"{needed} bytes; {remedy}")

    monkeypatch.setattr(extracted.disk, "require_space", full)
    assert refusal(zipped(place, {"1.png": b"123"})).startswith("3 bytes; free some")


def test_a_full_disk_is_no_damage_of_the_archive(place, monkeypatch):
    def full(path):
        raise OSError(28, os.strerror(28))

    zipped(place, MEMBERS)
    monkeypatch.setattr(extracted, "_new", full)
    with pytest.raises(OSError, match="No space left"):
        extracted.folder(place)
    assert not list((cache.folder() / "extracted").iterdir())


@pytest.mark.parametrize("opener", [gzip, bz2, lzma])
def test_a_compressed_file_that_is_cut_at_once_is_no_archive(place, opener):
    data = opener.compress(pictures.png(1) + bytes(10_240))
    for end in [*range(24), *range(24, len(data), 17)]:
        assert not archives.is_archive(put(place, data[:end]))

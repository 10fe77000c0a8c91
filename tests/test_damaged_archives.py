"""Archives that are changed at random give right files or one error, and leave nothing."""

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
import zipfile

import hypothesis
import pytest

from stages.running import errors
from stages.sources import archives, cache, extracted
from tests import damaged

FILES = {"cat/1.png": b"one" * 50, "dog/2.png": b"", "dog/" + "n" * 60 + "/" + "m" * 60 + ".png": bytes(700)}


def zipped(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in FILES.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def tarred(form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), 1.5 if form == tarfile.PAX_FORMAT else 0
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()[:6000].rstrip(b"\0") + bytes(2048)


ZIPS = [
    zipped(method)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
]
TARS = [tarred(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
GZIPS = [gzip.compress(tar, mtime=0) for tar in TARS]
OTHERS = [bz2.compress(TARS[0]), lzma.compress(TARS[0]), gzip.compress(b"one", mtime=0)]
WHOLES = [*ZIPS, *TARS, *GZIPS, *OTHERS]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "SMALL", 1 << 20)
        yield tmp_path_factory.mktemp("damaged") / "mine"


@hypothesis.settings(max_examples=150, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(data=damaged.changed(WHOLES))
def test_a_changed_archive_is_read_or_refused(place, fetch_cache, data):
    place.write_bytes(data)
    for read in (_unpacked, _members):
        try:
            found = read(place)
        except errors.StageError as error:
            assert "\n" not in str(error) and len(str(error)) < 1000
        else:
            assert sum(map(len, found.values())) <= archives.limit(place)
            if data in WHOLES[:-1]:
                expected = (
                    FILES if read is _unpacked else {name.split("/")[-1]: one for name, one in FILES.items()}
                )
                assert found == expected
    assert list(place.parent.iterdir()) == [place]
    assert [path.name for path in fetch_cache.glob("*")] in ([], ["extracted"])


def _unpacked(path):
    folder = extracted.folder(path)
    assert folder.parent == cache.folder() / "extracted"
    found = {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }
    shutil.rmtree(folder)
    return found


def _members(path):
    return {name: read() for name, read in archives.members(path)}

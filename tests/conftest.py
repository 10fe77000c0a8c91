"""Fixtures: a cache of its own for every test, fake datasets in their published formats, a web server."""

import gc
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import filelock
import hypothesis
import numpy as np
import pytest
from matplotlib import font_manager

from stages.datasets import cifar10, fashion_mnist
from stages.figures import fonts
from tests import sandbox

hypothesis.settings.register_profile("pipeline", deadline=None, max_examples=30)
hypothesis.settings.load_profile("pipeline")
IMAGES_PER_BATCH = 20


def pytest_collection_finish() -> None:
    """Let no collection of garbage look at modules and tests, which are millions of objects and stay.

    `keras.utils.clear_session`, which many tests call, collects it every time.
    """
    gc.freeze()


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What a test, or the code that it runs, sets in the environment ends with the test."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(autouse=True)
def fetch_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of fetched files; no test touches the user's own cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[sandbox.Repository, list[str]]:
    """A repository after its first `dvc repro`, committed on main, and which stages that ran.

    All processes that run tests copy what the first of them has made.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "first_run"
    with filelock.FileLock(shared.with_suffix(".lock")):
        if not (shared / "stages.json").exists():
            made = sandbox.create(shared / "repository")
            stages = made.stages_run("dvc", "repro")
            made.commit("first run")
            (shared / "stages.json").write_text(json.dumps(stages))
    copy = tmp_path_factory.mktemp("end_to_end") / "repository"
    shutil.copytree(shared / "repository", copy, symlinks=True)
    return sandbox.Repository(copy), json.loads((shared / "stages.json").read_text())


@pytest.fixture
def repository(
    first_run: tuple[sandbox.Repository, list[str]],
) -> Iterator[sandbox.Repository]:
    """The repository as the first run left it; its files are restored afterwards."""
    repository, _ = first_run
    yield repository
    repository.run("git", "checkout", "--quiet", "--force", "main")
    repository.run("dvc", "checkout", "--quiet", "--force")


@pytest.fixture
def own_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that has only matplotlib's fonts, so that other characters are spelt out."""
    bundled = [font for font in font_manager.fontManager.ttflist if "mpl-data" in font.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", bundled)
    fonts.others.cache_clear()
    yield
    fonts.others.cache_clear()


@pytest.fixture
def raw_cifar10(tmp_path: Path) -> Path:
    """A folder as download writes it: random images, each class ten times in train, twice in test."""
    folder = tmp_path / "raw"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name in cifar10.FILES:
        rows = generator.integers(0, 256, (IMAGES_PER_BATCH, cifar10.ROW), np.uint8)
        rows[:, 0] = generator.permutation(IMAGES_PER_BATCH) % len(cifar10.CLASSES)
        rows.tofile(folder / name)
    return _with_manifest(folder, "cifar10", "md5")


@pytest.fixture
def raw_fashion_mnist(tmp_path: Path) -> Path:
    """A folder as download writes it: random images, each class three times in train, once in test."""
    folder = tmp_path / "raw-fashion"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for prefix, count in (("train", 30), ("t10k", 10)):
        pixels = generator.integers(0, 256, (count, 28, 28), np.uint8)
        labels = (generator.permutation(count) % len(fashion_mnist.CLASSES)).astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(pixels))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
    return _with_manifest(folder, "fashion_mnist", "sha256")


def idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + values.tobytes()


def _with_manifest(folder: Path, dataset: str, algorithm: str) -> Path:
    files = {
        file.name: hashlib.new(algorithm, file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())
    }
    manifest = json.dumps({"dataset": dataset, "files": files, "plugin": dataset}, indent=2, sort_keys=True)
    (folder / "manifest.json").write_text(manifest + "\n")
    return folder


@pytest.fixture(scope="session")
def prepare_tfds(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that lets tensorflow-datasets write a dataset of given features and splits."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()

    def prepare(
        name: str,
        features: dict,
        file_format: str = "array_record",
        version: str = "1.0.0",
        **splits: list[dict],
    ) -> Path:
        builder = tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=version,
            features=tfds.features.FeaturesDict(features),
            split_datasets={split: list(enumerate(examples)) for split, examples in splits.items()},
            data_dir=tmp_path_factory.mktemp("tfds"),
            file_format=file_format,
            disable_shuffling=True,
        )
        return Path(builder.data_dir)

    return prepare


@pytest.fixture(scope="session")
def pets_features() -> dict:
    """Colour images of any size and two classes."""
    import tensorflow_datasets as tfds

    return {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=["cat", "dog"]),
    }


@pytest.fixture(scope="session")
def pets(prepare_tfds: Callable[..., Path], pets_features: dict) -> SimpleNamespace:
    """A prepared dataset (`folder`) of images that differ in size, and its `examples` by split."""
    generator = np.random.default_rng(0)
    examples = {
        split: [
            {"image": generator.integers(0, 256, (4 + i % 3, 5, 3), np.uint8), "label": i % 2}
            for i in range(count)
        ]
        for split, count in (("train", 12), ("test", 4))
    }
    return SimpleNamespace(folder=prepare_tfds("pets", pets_features, **examples), examples=examples)


class _Handler(BaseHTTPRequestHandler):
    server: "Server"

    def do_GET(self) -> None:
        self.server.requested.append(self.path)
        if answer := self.server.answers.get(self.path.lstrip("/")):
            answer(self)
            return
        content = self.server.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        promised, sent = self.server.stalls_after.get(self.path.lstrip("/"), (len(content), len(content)))
        if promised:
            self.send_response(200)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(content[:sent])
            self.wfile.flush()
        if promised != sent or not promised:
            self.server.ended.wait(60)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Serves `files` by their names on the loopback interface and lists what was `requested`.

    A name in `stalls_after`, with the bytes promised and sent, stops answering there. A name in `answers` is
    answered by a function.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.stalls_after: dict[str, tuple[int, int]] = {}
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requested: list[str] = []
        self.ended = threading.Event()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.ended.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a shell script with the name of a program first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def write(program: str, script: str) -> None:
        (folder / program).write_text(f"#!/bin/sh\n{script}\n")
        (folder / program).chmod(0o755)

    return write

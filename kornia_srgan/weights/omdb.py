"""OpenModelDB, the community's catalogue of models: its published JSON, read without torch.

`KORNIA_SRGAN_OMDB` names another copy of it, a file or an address; `KORNIA_SRGAN_CACHE` another folder to
keep it and what is downloaded in.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kornia_srgan.atomic import write_bytes
from kornia_srgan.environment import cache_folder
from kornia_srgan.errors import OfflineError, WeightsError, WeightsNotFoundError, did_you_mean

PREFIX = "omdb:"
CATALOGUE = "https://openmodeldb.info/api/v1/models.json"
PAGE = "https://openmodeldb.info/models"
_FRESH = 7 * 24 * 3600  # seconds; an older copy is fetched anew where there is a network
_KINDS = ("safetensors", "pth")  # what can be read, the safer one first


@dataclass(frozen=True)
class CommunityFile:
    """A model of the catalogue.

    Attributes:
        id: Its name in addresses, such as `4x-UltraSharp`.
        name: Its title.
        authors: Who made it.
        license: As an SPDX identifier; empty where none is stated.
        architecture: As the catalogue calls it.
        scale: Factor of enlargement.
        kind: `pth` or `safetensors`; empty where the catalogue has no file that can be read here.
        size: In bytes; 0 where it is not known.
        sha256: Of the file; empty where it is not known.
        urls: Where the file is, to be tried in order.
        tags: What it is for.
    """

    id: str
    name: str
    authors: tuple[str, ...]
    license: str
    architecture: str
    scale: int
    kind: str
    size: int
    sha256: str
    urls: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def page(self) -> str:
        """Its page in the catalogue."""
        return f"{PAGE}/{self.id}"


def cached_file(entry: CommunityFile) -> Path:
    """Where a model of the catalogue is kept once it is downloaded."""
    return cache_folder() / "omdb" / f"{entry.id}.{entry.kind}"


def read_catalogue(source: str | Path | None = None) -> dict[str, CommunityFile]:
    """The models of the catalogue by their id.

    Args:
        source: A file or an address; by default `KORNIA_SRGAN_OMDB`, or OpenModelDB's own.

    Raises:
        OfflineError: If it is not in the cache and cannot be fetched.
        WeightsError: If it is not what the catalogue looks like.
    """
    where = str(source or os.environ.get("KORNIA_SRGAN_OMDB") or CATALOGUE)
    text = _download(where) if where.startswith(("http://", "https://")) else _read(Path(where).expanduser())
    try:
        content = json.loads(text)
        return {name: _entry(name, model) for name, model in content.items()}
    except (ValueError, AttributeError, TypeError, KeyError):
        raise WeightsError(f"{where} is not a catalogue of OpenModelDB", where=where) from None


def find_model(source: str) -> CommunityFile:
    """The model that `omdb:NAME` names; case, spaces and `_` do not matter.

    Raises:
        WeightsNotFoundError: If there is none; it names the closest.
        OfflineError: If the catalogue cannot be fetched.
    """
    wanted = source.removeprefix(PREFIX)
    catalogue = read_catalogue()
    spelt = {_spelling(name): entry for name, entry in catalogue.items()}
    found = spelt.get(_spelling(wanted))
    if found is None:
        hint = did_you_mean(_spelling(wanted), spelt) or ";"
        raise WeightsNotFoundError(
            f"{PREFIX}{wanted}: OpenModelDB has no such model{hint} `kornia-srgan models WORDS` lists them",
            where=source,
        )
    return found


def _spelling(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsNotFoundError(f"catalogue {path} cannot be read: {error.strerror}", where=path) from None


def _download(address: str) -> bytes:
    """The catalogue from its address, offline from the cache; OpenModelDB's from there while it is fresh."""
    from urllib.request import Request, urlopen

    from kornia_srgan.explain import one_line
    from kornia_srgan.network import reachable

    own = address == CATALOGUE
    name = "models" if own else f"models-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
    kept = cache_folder() / "omdb" / f"{name}.json"
    if own and kept.is_file() and time.time() - kept.stat().st_mtime < _FRESH:
        return kept.read_bytes()
    try:
        if not reachable(address):
            raise OSError("no connection")
        with urlopen(Request(address, headers={"User-Agent": "kornia-srgan"}), timeout=30) as answer:
            text = answer.read()
    except (OSError, ValueError) as error:
        if kept.is_file():
            return kept.read_bytes()
        raise OfflineError(
            f"the catalogue {address} cannot be fetched ({one_line(error)}); connect to the network, or save "
            "it elsewhere and name the file in KORNIA_SRGAN_OMDB",
            where=address,
        ) from None
    write_bytes(kept, text)
    return text


def _entry(name: str, model: Mapping[str, Any]) -> CommunityFile:
    files = [
        r for r in model.get("resources", ()) if r.get("platform") == "pytorch" and r.get("type") in _KINDS
    ]
    file = min(files, key=lambda r: _KINDS.index(r["type"]), default={})
    authors = model.get("author") or ()
    return CommunityFile(
        id="".join(c if c.isalnum() or c in "._+-" else "-" for c in name),
        name=str(model.get("name") or name),
        authors=(authors,) if isinstance(authors, str) else tuple(map(str, authors)),
        license=str(model.get("license") or ""),
        architecture=str(model.get("architecture") or ""),
        scale=int(model["scale"]),
        kind=str(file.get("type") or ""),
        size=int(file.get("size") or 0),
        sha256=str(file.get("sha256") or "").lower(),
        urls=tuple(map(str, file.get("urls") or ())),
        tags=tuple(map(str, model.get("tags") or ())),
    )

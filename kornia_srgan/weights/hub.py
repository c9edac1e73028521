"""Weights on the Hugging Face Hub: `hf-hub:owner/name[/file][@revision]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from kornia_srgan.errors import OfflineError, UserError, WeightsError
from kornia_srgan.explain import one_line
from kornia_srgan.network import hub_endpoint, reachable

PREFIX = "hf-hub:"
FILE = "model.safetensors"


@dataclass(frozen=True)
class HubFile:
    """A file on the Hub."""

    repo: str
    file: str = FILE
    revision: str | None = None

    @classmethod
    def parse(cls, source: str) -> HubFile:
        """Read `hf-hub:owner/name[/file][@revision]`.

        Raises:
            WeightsError: If it is not of that form.
        """
        place, at, revision = source.removeprefix(PREFIX).partition("@")
        owner, _, rest = place.partition("/")
        name, _, file = rest.partition("/")
        if not owner or not name or (at and not revision):
            raise WeightsError(
                f"'{source}': expected {PREFIX}owner/name[@revision], or {PREFIX}owner/name/FILE",
                where=source,
            )
        return cls(f"{owner}/{name}", file or FILE, revision or None)

    def __str__(self) -> str:
        file = "" if self.file == FILE else f"/{self.file}"
        return f"{PREFIX}{self.repo}{file}{f'@{self.revision}' if self.revision else ''}"


def fetch_from_hub(source: str) -> Path:
    """The local copy of a file on the Hub, downloaded unless the cache has it.

    Without a network the cached copy is used; without a cached copy, it fails within seconds.

    Raises:
        OfflineError: If the file is not in the cache and the Hub cannot be reached.
        WeightsError: If the repository, revision or file does not exist, or access is denied.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = HubFile.parse(source)
    try:
        return Path(
            hf_hub_download(
                wanted.repo,
                wanted.file,
                revision=wanted.revision,
                endpoint=hub_endpoint(),
                local_files_only=not reachable(hub_endpoint()),
            )
        )
    except LocalEntryNotFoundError as error:  # offline, or the server failed
        raise offline_error(str(wanted)) from error
    except HFValidationError as error:
        raise WeightsError(f"'{source}' is not a name on the Hub: {one_line(error)}", where=source) from None
    except HfHubHTTPError as error:
        raise_hub_error(error, wanted)
    except OSError as error:
        raise OfflineError(
            f"{wanted} could not be downloaded: {one_line(error)}; try again", where=source
        ) from error


def offline_error(what: str) -> OfflineError:
    """The error for a source that cannot be reached."""
    return OfflineError(
        f"{what} is not in the cache and {hub_endpoint()} cannot be reached; connect to the network, or "
        "download the file elsewhere and give its path",
        where=what,
    )


def raise_hub_error(error: Exception, wanted: HubFile) -> NoReturn:
    """Turn an error of the Hub into an error of this package that says what to do."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    problem: UserError
    match error:
        case GatedRepoError():
            problem = WeightsError(
                f"{wanted}: access must be asked for at {hub_endpoint()}/{wanted.repo}", where=str(wanted)
            )
        case RepositoryNotFoundError():
            problem = WeightsError(
                f"{wanted}: no such repository; if it is private, run `hf auth login` or set HF_TOKEN",
                where=str(wanted),
            )
        case RevisionNotFoundError():
            problem = WeightsError(
                f"{wanted}: the repository has no revision '{wanted.revision}'", where=str(wanted)
            )
        case EntryNotFoundError():
            problem = WeightsError(
                f"{wanted}: the repository has no file '{wanted.file}'; name one: {PREFIX}{wanted.repo}/FILE",
                where=str(wanted),
            )
        case _:
            problem = WeightsError(f"{wanted}: the Hub refused: {one_line(error)}", where=str(wanted))
    raise problem from error

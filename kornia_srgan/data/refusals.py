"""Why a server refuses a shard: what trying again does not help, in words for the user."""

from __future__ import annotations

import contextlib

from kornia_srgan.errors import DataError, DataNotFoundError
from kornia_srgan.network import is_offline

_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError")  # botocore's
_TRY_AGAIN = (408, 429)
_MISSING = (404, 410)


def refusal_reason(url: str, error: Exception) -> str | None:
    """The reason, if it is one that the user has to do something about; None if it may pass.

    Args:
        url: What was asked for.
        error: What fsspec or one of its file systems raised.
    """
    cause = error.__cause__
    web = cause if isinstance(error, FileNotFoundError) and _is_of_the_web(cause) else error
    status = status_of(web)
    known = {
        # fsspec takes whatever happens to a web server's answer for a missing file.
        "there is no such file, bucket or repository": isinstance(web, FileNotFoundError)
        or status in _MISSING,
        "it is a folder; name its shards": isinstance(error, IsADirectoryError),
        "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or for a public "
        "bucket FSSPEC_S3_ANON=true": type(error).__name__ in _NO_CREDENTIALS,
        "HF_HUB_OFFLINE is set; unset it": url.startswith("hf://") and is_offline(),
        "access is denied; check the credentials": isinstance(error, PermissionError) or status in (401, 403),
        "fsspec knows no such kind of address": isinstance(error, ValueError)
        and "Protocol not known" in str(error),
        f"the server answers {status}": status is not None
        and 400 <= status < 500
        and status not in _TRY_AGAIN,
    }
    return next((reason for reason, holds in known.items() if holds), None)


def _is_of_the_web(error: BaseException | None) -> bool:
    with contextlib.suppress(ImportError):  # of fsspec[http], which other addresses do without
        from aiohttp import ClientError

        return isinstance(error, ClientError | TimeoutError)
    return False


def refusal_error(reason: str) -> type[DataError]:
    """The error for a reason."""
    return DataNotFoundError if reason.startswith("there is no") else DataError


def status_of(error: BaseException | None) -> int | None:
    """The status of a web server's answer, if the error is one."""
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code
    with contextlib.suppress(ImportError):
        from aiohttp import ClientResponseError

        if isinstance(error, ClientResponseError):
            return error.status
    return None

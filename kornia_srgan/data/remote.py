"""Shards that lie elsewhere: their addresses, and their bytes one after the other.

fsspec opens `s3://`, `https://`, `hf://` and whatever else it knows, webdataset the commands after `pipe:`.
Credentials come from the environment, as these libraries read them; none is ever taken from an address.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

from kornia_srgan.data.refusals import refusal_error, refusal_reason
from kornia_srgan.environment import require_extra
from kornia_srgan.errors import ConfigError, DataError, KorniaSRGANError, NetworkError
from kornia_srgan.explain import one_line
from kornia_srgan.network import PIPE, hub_endpoint, is_on_the_web

TRIES = 5
PAUSE = 1.0
"""Seconds before the second try; twice as long before each further one."""

_NO_COMMAND = (126, 127)  # what a shell returns for a command that is not there
_SECRET = re.compile(r"(?i)signature|token|secret|password|credential|^sig$|api_?key")
_SECRET_IN_COMMAND = re.compile(
    r"(?i)authorization:\s*\w*\s*[^\s$'\"]{8,}|\s(-u|--user)[\s=]*[^\s$:]+:[^\s$]|//[^/\s:@]+:[^/\s$@]+@"
)


def expand_shards(patterns: Iterable[str]) -> list[str]:
    """The address of every shard: `train-{000..099}.tar` names a hundred.

    Raises:
        MissingExtraError: If the packages for it are missing.
        ConfigError: If an address holds a password or a token, which would be written into the run's folder,
            or a shard is named twice.
    """
    patterns = list(patterns)
    _require_packages(patterns)
    from webdataset.shardlists import expand_urls

    for pattern in patterns:
        _refuse_secrets(pattern)
    urls = [url for pattern in patterns for url in expand_urls(pattern)]
    twice = next((url for url in dict.fromkeys(urls) if urls.count(url) > 1), "") if urls else ""
    if twice:
        raise ConfigError.at(
            "data.shards", f"'{twice}' is named twice; its images would be seen twice in an epoch"
        )
    return urls


def _require_packages(patterns: Iterable[str]) -> None:
    modules = dict.fromkeys(module for pattern in patterns for module in _modules_for(pattern))
    require_extra("remote", "webdataset", "fsspec", *modules, purpose="data.shards")


def _modules_for(url: str) -> tuple[str, ...]:
    if is_on_the_web(url):
        return ("aiohttp",)
    return ("s3fs",) if url.startswith("s3://") else ()


def require_file_system(url: str, *, purpose: str) -> None:
    """Check that the packages for an address are installed.

    Args:
        url: The address.
        purpose: What needs them, as the start of the message.

    Raises:
        MissingExtraError: Names what is missing and the command that installs it.
    """
    require_extra("remote", "fsspec", *_modules_for(url), purpose=purpose)


def file_system_of(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    from fsspec.core import url_to_fs

    return url_to_fs(url, **_options(url))


def _refuse_secrets(pattern: str) -> None:
    if pattern.startswith(PIPE):
        if _SECRET_IN_COMMAND.search(pattern):
            raise ConfigError.at(
                "data.shards",
                "a pipe: command holds a password or token, which would be written into the "
                "run's folder; put it into a variable of the environment, such as $TOKEN, and write that",
            )
        return
    parts = urlsplit(pattern)
    if parts.password or any(_SECRET.search(key) for key, _ in parse_qsl(parts.query)):
        raise ConfigError.at(
            "data.shards",
            f"'{parts.scheme}://{parts.hostname}{parts.path}' has a password or token with it, "
            "which would be written into the run's folder; give credentials by the environment, such as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, HF_TOKEN, or a variable in a pipe: command",
        )


class ShardReader:
    """The bytes of a shard in their order; what the network drops is asked for again, from there on.

    A server that can send ranges is asked for blocks, so that a slow reader keeps no connection open. From
    one that cannot, and from a command, what was already read is read again and passed over.

    Args:
        url: The shard.
        tries: How often to ask without getting on, before giving up.
        pause: Seconds before the second try; twice as long before each further one.
    """

    def __init__(self, url: str, *, tries: int = TRIES, pause: float | None = None) -> None:
        self.url = url
        self.failure: KorniaSRGANError | None = None
        self._tries = tries
        self._pause = PAUSE if pause is None else pause
        self._position = 0
        self._whole = False
        self._file: Any = None

    def read(self, size: int = -1) -> bytes:
        """The next bytes, no more than `size`; none at the end.

        Raises:
            OSError: If the shard cannot be read; `failure` is what to tell the user.
        """
        problem: Exception | None = None
        for attempt in range(self._tries):
            if attempt:
                time.sleep(self._pause * 2 ** (attempt - 1))
            try:
                data = self._read(size)
            except MemoryError:
                raise
            except Exception as error:  # every file system raises its own
                problem = error
                self.failure = self._refusal(error)
                self.close()
                if self.failure is not None:
                    break
            else:
                self._position += len(data)
                return data
        assert problem is not None
        self.failure = self.failure or self._given_up(problem)
        # Plain, because webdataset writes into the messages of what it lets through.
        raise OSError(str(self.failure)) from problem

    def close(self) -> None:
        """Let go of the connection or the command."""
        with contextlib.suppress(Exception):  # a command that was not heard out complains
            if self._file is not None:
                self._file.close()
        self._file = None

    def _read(self, size: int) -> bytes:
        if self._file is None:
            self._file = self._open()
            self._skip(self._position)
        data = self._file.read(size)
        if not data and self.url.startswith(PIPE):
            self._file.wait_for_child()  # raises if the command failed
        return data

    def _open(self) -> BinaryIO | Any:
        if self.url.startswith(PIPE):
            from webdataset.gopen import gopen_pipe

            return gopen_pipe(self.url)
        file_system, path = file_system_of(self.url)
        return file_system.open(path, "rb", **({"block_size": 0} if self._whole else {}))

    def _skip(self, count: int) -> None:
        if count and not (self._whole or self.url.startswith(PIPE)):
            self._file.seek(count)
            return
        while count:
            passed = len(self._file.read(min(count, 2**20)))
            if not passed:
                raise OSError("it has become shorter")
            count -= passed

    def _refusal(self, error: Exception) -> KorniaSRGANError | None:
        """What to say of an error that trying again does not help; None if it may."""
        if isinstance(error, ValueError) and "range" in str(error) and not self._whole:
            self._whole = True  # this web server sends files whole only: the next try is for that
            return None
        reason = refusal_reason(self.url, error)
        if self.url.startswith(PIPE) and self._file is not None and self._file.status in _NO_COMMAND:
            reason = "there is no such command"
        if reason is None:
            return None
        return refusal_error(reason)(f"cannot read shard '{self.url}': {reason}", where=self.url)

    def _given_up(self, error: Exception) -> KorniaSRGANError:
        # fsspec says of a web server's every fault that there is no such file.
        reason = one_line(error.__cause__ or error, 200)
        if self.url.startswith(PIPE):
            found = re.search(r"exit (-?\d+)", reason)
            reason = f"the command ended with exit code {found[1]}" if found else reason
        message = f"cannot read shard '{self.url}': {reason} (tried {self._tries} times)"
        if self.url.startswith(PIPE) and not self._position:
            return DataError(message, where=self.url)
        return NetworkError(message, where=self.url)


def _options(url: str) -> Mapping[str, Any]:
    """How fsspec is to open an address."""
    if url.startswith("hf://"):
        return {"endpoint": hub_endpoint()}
    if not is_on_the_web(url):
        return {}
    from aiohttp import ClientTimeout

    # aiohttp allows five minutes for a whole file; a shard is read as slowly as a run trains.
    return {"client_kwargs": {"timeout": ClientTimeout(total=None, sock_connect=30, sock_read=60)}}

"""Shards by HTTP, from an object store, the Hub and commands; what fails is tried again, then told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from kornia_srgan.data import remote
from kornia_srgan.data.remote import ShardReader, expand_shards
from kornia_srgan.data.stream import open_shards
from kornia_srgan.errors import (
    ConfigError,
    DataError,
    DataNotFoundError,
    KorniaSRGANError,
    MissingExtraError,
    NetworkError,
)
from tests.helpers.extras import pretend_missing
from tests.helpers.numbered_shards import ShardServer, make_shards, serve_shards
from tests.helpers.object_store import object_store

COUNTS = (3, 4)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSE", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_shards(tmp_path / "shards", COUNTS)
    return tmp_path / "shards"


@pytest.fixture
def server(folder: Path) -> Iterator[ShardServer]:
    with serve_shards(folder) as found:
        yield found


def content(url: str, size: int = 1000) -> bytes:
    reader = ShardReader(url)
    return b"".join(iter(lambda: reader.read(size), b""))


def failure(url: str, **options: int) -> KorniaSRGANError:
    reader = ShardReader(url, **options)
    with pytest.raises(OSError):  # noqa: PT011
        reader.read(10)
    assert reader.failure is not None
    return reader.failure


def images(pattern: str) -> torch.Tensor:
    source = open_shards([pattern], crop=16, workers=0, seed=1)
    return torch.cat([b.images for b in source.batches(0, 4, batch_size=4)])


@pytest.mark.parametrize("ranges", [True, False])
def test_crops_by_http_equal_those_of_local_files(server: ShardServer, folder: Path, ranges: bool) -> None:
    server.ranges = ranges
    assert torch.equal(images(f"{server.url}/s-{{00..01}}.tar"), images(f"{folder}/s-{{00..01}}.tar"))


def test_a_server_without_ranges_sends_files_larger_than_a_block(server: ShardServer, folder: Path) -> None:
    whole = bytes(range(256)) * 2**15  # 8 MiB
    (folder / "large.tar").write_bytes(whole)
    server.ranges = False
    assert content(f"{server.url}/large.tar", 2**20) == whole


def test_what_a_server_drops_is_asked_for_again_from_there_on(server: ShardServer, folder: Path) -> None:
    url, whole = f"{server.url}/s-00.tar", (folder / "s-00.tar").read_bytes()
    server.faults = 3
    assert content(url) == whole
    server.ranges, server.faults, server.cut = False, 2, 1700
    assert content(url) == whole


def test_a_server_that_goes_on_failing_is_named(server: ShardServer) -> None:
    server.faults = 99
    found = failure(f"{server.url}/s-00.tar", tries=3)
    assert type(found) is NetworkError
    assert found.exit_code == 1
    assert f"cannot read shard '{server.url}/s-00.tar': 503" in str(found)
    assert "(tried 3 times)" in str(found)
    assert server.faults == 96
    assert isinstance(failure("http://127.0.0.1:9/x.tar", tries=2), NetworkError)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("none.tar", DataNotFoundError, "there is no such file"),
        ("closed/s.tar", DataError, "access is denied; check the credentials"),
    ],
)
def test_what_a_server_refuses_is_the_users_to_mend_and_not_tried_again(
    server: ShardServer, name: str, kind: type[DataError], words: str
) -> None:
    found = failure(f"{server.url}/{name}")
    assert type(found) is kind
    assert found.exit_code == 2
    assert words in str(found)
    assert server.requests["GET"] + server.requests["HEAD"] <= 2
    with pytest.raises(kind, match=words):
        open_shards([f"{server.url}/s-00.tar", f"{server.url}/{name}"], crop=16)


def test_pipes(folder: Path) -> None:
    whole = (folder / "s-00.tar").read_bytes()
    assert content(f"pipe:cat {folder}/s-00.tar") == whole
    assert torch.equal(images(f"pipe:cat {folder}/s-{{00..01}}.tar"), images(f"{folder}/s-{{00..01}}.tar"))
    breaks_off = f"touch {folder}/once; head -c 700 {folder}/s-00.tar; exit 3"
    at_second = f"test -e {folder}/once && cat {folder}/s-00.tar || ({breaks_off})"
    assert content(f"pipe:{at_second}") == whole  # the command is run again and what was read is passed over


def test_commands_that_fail_are_named() -> None:
    found = failure("pipe:exit 22", tries=2)
    assert (type(found), found.exit_code) == (DataError, 2)
    assert str(found) == (
        "cannot read shard 'pipe:exit 22': the command ended with exit code 22 (tried 2 times)"
    )
    assert "there is no such command" in str(failure("pipe:no-such-command-here 2>/dev/null"))


def test_an_unknown_kind_of_address() -> None:
    assert "fsspec knows no such kind of address" in str(failure("nope://a/b.tar"))


@pytest.mark.parametrize(
    "pattern",
    [
        "https://me:pass@host/s.tar",
        "https://host/s.tar?X-Amz-Signature=0123",
        "https://host/s.tar?sig=0123&x=1",
        "pipe:curl -H 'Authorization: Bearer abcdefgh1234' https://host/s.tar",
        "pipe:curl -u me:pass https://host/s.tar",
        "pipe:curl https://me:pass@host/s.tar",
    ],
)
def test_secrets_in_addresses_are_refused_and_not_repeated(pattern: str) -> None:
    with pytest.raises(ConfigError, match="written into the run's folder") as error:
        expand_shards([pattern])
    assert not any(secret in str(error.value) for secret in ("pass@", "0123", "abcdefgh"))


def test_addresses_without_secrets() -> None:
    assert expand_shards(["pipe:curl -sH 'Authorization: Bearer $TOKEN' https://host/{0..1}.tar"]) == [
        f"pipe:curl -sH 'Authorization: Bearer $TOKEN' https://host/{i}.tar" for i in (0, 1)
    ]
    assert expand_shards(["s3://b/x-{08..10}.tar", "https://h/a.tar?download=true"]) == [
        "s3://b/x-08.tar",
        "s3://b/x-09.tar",
        "s3://b/x-10.tar",
        "https://h/a.tar?download=true",
    ]
    with pytest.raises(ConfigError, match=r"'a\.tar' is named twice"):
        expand_shards(["a.tar", "{a,b}.tar"])


@pytest.mark.parametrize(("pattern", "module"), [("a.tar", "webdataset"), ("s3://b/a.tar", "s3fs")])
def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, pattern: str, module: str
) -> None:
    pretend_missing(monkeypatch, module)
    with pytest.raises(MissingExtraError, match=rf"data\.shards needs {module}.*kornia-srgan\[remote\]"):
        expand_shards([pattern])


def test_the_hub(server: ShardServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub = "hf://datasets/me/set/s-{00..01}.tar"
    assert torch.equal(images(hub), images(f"{folder}/s-{{00..01}}.tar"))
    for name in ("me/set/s-07.tar", "me/other/s-00.tar"):
        assert "there is no such file, bucket or repository" in str(failure(f"hf://datasets/{name}"))


def test_the_hub_where_the_network_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in str(failure("hf://datasets/me/set/s-00.tar"))


@pytest.mark.slow
def test_an_object_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store(monkeypatch, folder) as set_credentials:
        assert "no credentials; set AWS_ACCESS_KEY_ID" in str(failure("s3://bucket/s-00.tar"))
        client = set_credentials()
        client.create_bucket(Bucket="bucket")
        for index in range(len(COUNTS)):
            client.upload_file(str(folder / f"s-{index:02d}.tar"), "bucket", f"s-{index:02d}.tar")
        assert torch.equal(images("s3://bucket/s-{00..01}.tar"), images(f"{folder}/s-{{00..01}}.tar"))
        for place in ("bucket/s-09.tar", "nowhere/s-00.tar"):
            found = failure(f"s3://{place}")
            assert type(found) is DataNotFoundError
            assert f"'s3://{place}': there is no such file, bucket or repository" in str(found)

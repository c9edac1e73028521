"""Pictures from addresses and results to addresses: a bucket, a web server, any file system of fsspec."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.batch.elsewhere import file_name
from tests.helpers.extras import pretend_missing
from tests.helpers.object_store import object_store
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.tiny_weights import save_tiny_weights

NAMES = ("a.png", "below/a.jpg", "below/c.png")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def pictures(tmp_path):
    """Three pictures in two folders, what is made of them here, and something else."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "in"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (7, 6, 3), np.uint8)).save(folder / name)
    (folder / "words.txt").write_text("no picture")
    return folder


@pytest.fixture
def upscale(capsys, tmp_path):
    weights = save_tiny_weights(tmp_path)
    return lambda *arguments: invoke(
        capsys, "upscale", *arguments, "--weights", weights, "--dtype", "float32"
    )


@pytest.fixture
def expected(upscale, pictures, tmp_path):
    """The bytes of every result, made from a folder into a folder."""
    assert upscale(pictures, "-o", tmp_path / "here", "-q").code == 0
    return contents(tmp_path / "here")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.png"))}


def test_any_file_system_gives_the_bytes_of_a_folder(upscale, pictures, expected, tmp_path):
    source, target = f"file://{pictures}", f"file://{tmp_path}/there"
    report = tmp_path / "report.json"
    result = upscale(source, "-o", target, "--json", report)
    assert result.code == 0
    assert contents(tmp_path / "there") == expected
    assert f"left out: file://{pictures}/words.txt (not named as a picture" in result.err
    files = json.loads(report.read_text())["files"]
    assert [f["source"] for f in files] == [f"file://{pictures}/{name}" for name in NAMES]
    assert files[1]["target"] == f"file://{tmp_path}/there/below/a_x4.png"
    assert not list((tmp_path / "there").rglob("*.part"))


def test_shares_and_results_that_exist_are_no_double_work(upscale, pictures, expected, tmp_path):
    target = f"file://{tmp_path}/there"
    for part in ("1/2", "2/2"):
        assert upscale(f"file://{pictures}", "-o", target, "--share", part, "-q").code == 0
        assert len(contents(tmp_path / "there")) in (1, 2, 3)
    assert contents(tmp_path / "there") == expected
    made = {p: p.stat().st_mtime_ns for p in (tmp_path / "there").rglob("*.png")}
    gone = next(iter(made))
    gone.unlink()
    result = upscale(f"file://{pictures}", "-o", target, "--skip-existing")
    assert result.err.count("skipped") + result.out.count("skipped") == len(NAMES) - 1
    assert contents(tmp_path / "there") == expected
    assert all(p.stat().st_mtime_ns == time for p, time in made.items() if p != gone)


def test_one_file_a_pattern_and_a_single_level(upscale, pictures, expected, tmp_path):
    one = tmp_path / "one.png"
    assert upscale(f"file://{pictures}/a.png", "-o", one, "-q").code == 0
    assert one.read_bytes() == expected["a_x4.png"]
    assert upscale(pictures / "a.png", "-o", f"file://{tmp_path}/two.png", "-q").code == 0
    assert (tmp_path / "two.png").read_bytes() == expected["a_x4.png"]
    assert upscale(f"file://{pictures}/*/*.png", "-o", tmp_path / "three", "-q").code == 0
    assert contents(tmp_path / "three") == {"below/c_x4.png": expected["below/c_x4.png"]}
    assert upscale(f"file://{pictures}", "-o", tmp_path / "four", "-q", "--no-recursive").code == 0
    assert list(contents(tmp_path / "four")) == ["a_x4.png"]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("s3://bucket/in/no #1?.jpg", "no #1?.jpg"),
        ("https://host/in/my%20photo.jpg?token=1", "my photo.jpg"),
        ("https://host/", "picture"),
    ],
)
def test_results_are_named_after_the_file(address, name):
    assert file_name(address) == name


def test_a_damaged_picture_and_one_that_vanished_do_not_stop_the_others(upscale, pictures, tmp_path):
    (pictures / "a.png").write_bytes(b"no picture")
    result = upscale(f"file://{pictures}", "-o", f"file://{tmp_path}/there", "-q")
    assert result.code == 3
    assert f"file://{pictures}/a.png" in result.err
    assert len(contents(tmp_path / "there")) == 2


def test_what_cannot_be_done_is_one_line(upscale, pictures, tmp_path):
    here, nowhere = f"file://{pictures}", f"file://{tmp_path}/nowhere"
    assert_user_error(upscale(nowhere, "-o", tmp_path / "x"), nowhere, "there is no such file")
    assert_user_error(upscale(here, "-o", "https://host/out"), "results cannot be written to")
    assert_user_error(upscale(here, "-o", f"{here}/large"), "choose another -o")
    assert_user_error(upscale(here, "-o", nowhere, "--share", "auto"), "--share 1/2")
    assert_user_error(upscale("nosuch://a/b", "-o", tmp_path / "x"), "knows no such kind of address")
    assert_user_error(upscale("s3://b/clip.mp4", "-o", tmp_path / "x"), "copy it to this machine")


def test_a_missing_package_is_named_with_its_extra(upscale, tmp_path, monkeypatch):
    pretend_missing(monkeypatch, "s3fs")
    assert_user_error(upscale("s3://b/in", "-o", tmp_path / "x"), "s3fs", "kornia-srgan[remote]")


def test_a_web_server_hands_out_pictures_and_its_password_is_not_shown(upscale, pictures, expected, tmp_path):
    handler = partial(Quiet, directory=str(pictures))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_address[1]}"
        result = upscale(f"http://me:secret@{host}/a.png?token=123", "-o", tmp_path / "web")
        gone = upscale(f"http://{host}/z.png", "-o", tmp_path / "web")
        server.shutdown()
    assert result.code == 0
    assert contents(tmp_path / "web") == {"a_x4.png": expected["a_x4.png"]}
    assert "secret" not in result.out + result.err
    assert "123" not in result.out + result.err
    assert_user_error(gone, f"http://{host}/z.png", "there is no such file")


@pytest.mark.slow
def test_a_bucket(upscale, pictures, expected, tmp_path, monkeypatch):
    with object_store(monkeypatch, tmp_path) as set_credentials:
        refused = upscale("s3://bucket/in", "-o", "s3://bucket/out")
        assert_user_error(refused, "s3://bucket/in", "no credentials; set AWS_ACCESS_KEY_ID")
        client = set_credentials()
        client.create_bucket(Bucket="bucket")
        for name in NAMES:
            client.upload_file(str(pictures / name), "bucket", f"in/{name}")
        assert upscale("s3://bucket/in", "-o", "s3://bucket/out", "-q", "--share", "1/2").code == 0
        first = {o["Key"] for o in client.list_objects_v2(Bucket="bucket", Prefix="out/")["Contents"]}
        assert 0 < len(first) < len(NAMES)
        assert upscale("s3://bucket/in", "-o", "s3://bucket/out", "-q", "--skip-existing").code == 0
        for name, content in expected.items():
            client.download_file("bucket", f"out/{name}", str(tmp_path / "got"))
            assert (tmp_path / "got").read_bytes() == content
        assert upscale("s3://bucket/in", "-o", "s3://nowhere/out", "-q").code == 3

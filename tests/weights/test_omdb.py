"""Models of OpenModelDB, from a stand-in server."""

import hashlib
import io
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from PIL import Image

from kornia_srgan.environment import cache_folder
from kornia_srgan.errors import OfflineError, WeightsError
from kornia_srgan.weights import omdb
from kornia_srgan.weights.locate import locate_weights
from kornia_srgan.weights.omdb import cached_file, find_model, read_catalogue
from tests.helpers.layouts import compact
from tests.helpers.runner import invoke


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    buffer = io.BytesIO()
    torch.save({"params": compact(2).make()}, buffer)
    return buffer.getvalue()


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A server of files, with the cache elsewhere; `site.files` maps a path to what it sends."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            server.asked.append(self.path)
            body, kind = server.files.get(self.path, (None, ""))
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.asked = {}, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("KORNIA_SRGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KORNIA_SRGAN_OMDB", f"{server.url}/models.json")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield server
    server.shutdown()
    server.server_close()


def publish(site, content, urls, *, sha=None, **more):
    model = {
        "name": "Ultra Sharp",
        "author": ["ann", "bob"],
        "license": "CC-BY-NC-SA-4.0",
        "tags": ["photo", "restoration"],
        "architecture": "compact",
        "scale": 2,
        "resources": [
            {"platform": "onnx", "type": "onnx", "size": 1, "sha256": "0", "urls": ["http://nowhere/x.onnx"]},
            {
                "platform": "pytorch",
                "type": "pth",
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest() if sha is None else sha,
                "urls": urls,
            },
        ],
    } | more
    other = model | {"name": "Other", "scale": 4, "architecture": "esrgan", "license": None, "resources": []}
    text = json.dumps({"2x-UltraSharp": model, "4x-Other": other}).encode()
    site.files["/models.json"] = (text, "application/json")
    return text


def test_a_name_is_downloaded_once_and_its_licence_shown_first(site, weights, capsys):
    publish(site, weights, [f"{site.url}/gone.pth", f"{site.url}/page.pth", f"{site.url}/w.pth"])
    site.files["/page.pth"] = (b"<html>sign in</html>", "text/html")
    site.files["/w.pth"] = (weights, "application/octet-stream")
    path = locate_weights("omdb:2x_ultrasharp")
    assert path.read_bytes() == weights
    said = capsys.readouterr().err
    assert said.startswith(
        "Ultra Sharp by ann, bob; licence: CC-BY-NC-SA-4.0; 0 MB; https://openmodeldb.info/"
    )
    assert [p for p in site.asked if p != "/models.json"] == ["/gone.pth", "/page.pth", "/w.pth"]
    assert locate_weights("omdb:2x-UltraSharp") == path
    assert site.asked.count("/w.pth") == 1
    assert capsys.readouterr().err == ""
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".json", ".pth"]  # and the catalogue


def test_upscale_takes_it_by_name(site, weights, tmp_path, capsys):
    publish(site, weights, [f"{site.url}/w.pth"])
    site.files["/w.pth"] = (weights, "application/octet-stream")
    picture = tmp_path / "p.png"
    Image.new("RGB", (6, 5)).save(picture)
    done = invoke(
        capsys, "upscale", picture, "-o", tmp_path / "o.png", "--weights", "omdb:2x-UltraSharp", "-q"
    )
    assert done.code == 0
    assert Image.open(tmp_path / "o.png").size == (12, 10)


def test_what_a_mirror_sends_is_checked(site, weights):
    publish(site, weights, [f"{site.url}/w.pth"], sha="0" * 64)
    site.files["/w.pth"] = (weights, "application/octet-stream")
    with pytest.raises(WeightsError, match=r"could not be downloaded \(127.*SHA-256 differs\)") as error:
        locate_weights("omdb:2x-UltraSharp")
    assert "\n" not in str(error.value)
    assert not list(cached_file(find_model("omdb:2x-UltraSharp")).parent.glob("*.pth"))


def test_a_damaged_copy_is_fetched_again(site, weights):
    publish(site, weights, [f"{site.url}/w.pth"])
    site.files["/w.pth"] = (weights, "application/octet-stream")
    path = locate_weights("omdb:2x-UltraSharp")
    path.write_bytes(weights[:-1])
    assert locate_weights("omdb:2x-UltraSharp").read_bytes() == weights


def test_hosts_for_browsers_are_said_with_what_to_do(site, weights):
    publish(site, weights, ["https://mega.nz/file/abc", "https://drive.google.com/file/d/1/view"])
    with pytest.raises(WeightsError) as error:
        locate_weights("omdb:2x-UltraSharp")
    said = str(error.value)
    assert "mega.nz can be opened in a browser only: https://mega.nz/file/abc" in said
    assert "download it from https://openmodeldb.info/models/2x-UltraSharp and give its path" in said
    with pytest.raises(WeightsError, match="the catalogue has no file of it to read; see https://"):
        locate_weights("omdb:4x-Other")


def test_a_wrong_name_gets_the_closest(site, weights):
    publish(site, weights, [])
    with pytest.raises(
        WeightsError, match=r"has no such model; did you mean '2x-ultrasharp'.*`kornia-srgan models"
    ):
        locate_weights("omdb:2x-UltraShrp")


def test_offline_says_what_to_do(site, weights, monkeypatch):
    publish(site, weights, [f"{site.url}/w.pth"])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        OfflineError, match=r"cannot be fetched \(no connection\); connect.*KORNIA_SRGAN_OMDB"
    ):
        read_catalogue()
    # A copy of the catalogue needs no network, but the model does.
    monkeypatch.setenv("KORNIA_SRGAN_OMDB", str(saved_copy(site)))
    with pytest.raises(OfflineError, match="no connection"):
        locate_weights("omdb:2x-UltraSharp")


def saved_copy(site):
    path = cache_folder() / "copy.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(site.files["/models.json"][0])
    return path


def test_the_catalogue_is_kept_and_renewed_when_old(site, weights, monkeypatch):
    publish(site, weights, [])
    monkeypatch.delenv("KORNIA_SRGAN_OMDB")
    monkeypatch.setattr(omdb, "CATALOGUE", f"{site.url}/models.json")
    for _ in range(2):
        assert list(read_catalogue()) == ["2x-UltraSharp", "4x-Other"]
    assert site.asked.count("/models.json") == 1
    kept = cache_folder() / "omdb" / "models.json"
    old = time.time() - 30 * 24 * 3600
    os.utime(kept, (old, old))
    read_catalogue()
    assert site.asked.count("/models.json") == 2
    os.utime(kept, (old, old))
    del site.files["/models.json"]
    assert list(read_catalogue()) == ["2x-UltraSharp", "4x-Other"]  # better an old one than none


def test_what_was_downloaded_needs_no_network_any_more(site, weights, monkeypatch, capsys):
    publish(site, weights, [f"{site.url}/w.pth"])
    site.files["/w.pth"] = (weights, "application/octet-stream")
    path = locate_weights("omdb:2x-UltraSharp")
    site.files.clear()
    assert locate_weights("omdb:2x-UltraSharp") == path
    assert "downloaded" in invoke(capsys, "models", "ultra").out


def test_something_else_is_no_catalogue(tmp_path, monkeypatch):
    (tmp_path / "x.json").write_text("[1, 2]")
    with pytest.raises(WeightsError, match="is not a catalogue of OpenModelDB"):
        read_catalogue(tmp_path / "x.json")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_catalogue(tmp_path / "nowhere.json")


def test_the_command_lists_what_there_is(site, weights, capsys):
    publish(site, weights, [f"{site.url}/w.pth"])
    site.files["/w.pth"] = (weights, "application/octet-stream")
    listed = invoke(capsys, "models").out
    assert all(
        word in listed for word in ("edsr-x4", "packaged", "omdb:2x-UltraSharp", "page only", "ann, bob")
    )
    locate_weights("omdb:2x-UltraSharp")
    capsys.readouterr()
    for arguments in (["photo", "sharp"], ["--arch", "compact"], ["--license", "cc-by"]):
        lines = invoke(capsys, "models", "--scale", "2", *arguments).out.splitlines()
        assert sum("omdb:" in line for line in lines) == 1
        assert "downloaded" in "".join(lines)
    assert "omdb:" not in invoke(capsys, "models", "nothing-of-this").out


def test_the_command_works_offline(site, monkeypatch, capsys):
    monkeypatch.setenv("KORNIA_SRGAN_OMDB", "http://127.0.0.1:9/models.json")
    done = invoke(capsys, "models")
    assert done.code == 0
    assert "edsr-x4" in done.out
    assert "cannot be fetched" in done.out

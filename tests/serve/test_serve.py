"""The server through its own addresses: once with its queue held, once as a process that is told to stop."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.helpers.runner import assert_user_error, invoke

pytest.importorskip("fastapi", reason="needs the extra: pip install 'kornia-srgan[serve]'")
pytest.importorskip("prometheus_client", reason="needs the extra: pip install 'kornia-srgan[serve]'")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient

from kornia_srgan.serve import run as server
from kornia_srgan.serve import workshop as workshop_module
from kornia_srgan.serve.app import build_app
from kornia_srgan.serve.workshop import Workshop
from kornia_srgan.weights.choices import Choice
from tests.helpers.extras import pretend_missing
from tests.helpers.scenes import BANDS, scene_values, write_scene
from tests.helpers.tiny_weights import save_band_weights, save_tiny_weights

PIXELS = np.random.default_rng(0).integers(0, 255, (5, 6, 3), np.uint8)


def picture(form="PNG", size=None, **options):
    file = io.BytesIO()
    image = Image.fromarray(PIXELS) if size is None else Image.new("RGB", size)
    image.save(file, form, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def workshop(weights):
    made = Workshop(
        {"tiny": Choice(weights, 4, "edsr"), "other": Choice(weights, 4, "edsr")},
        device="cpu", tile=4, max_pixels=10_000, max_result=100_000, max_waiting=1,
    )  # fmt: skip
    yield made
    made.stop()


@pytest.fixture
def client(workshop, tmp_path):
    app = build_app(workshop, tmp_path, max_upload=100_000)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as found:
        yield found
    assert list(tmp_path.iterdir()) == []  # nothing stays behind


def opened(answer):
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def test_bands_come_as_geotiff_and_go_as_one(tmp_path_factory, weights, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    folder = tmp_path_factory.mktemp("bands")
    four = save_band_weights(folder / "four.safetensors")
    made = Workshop({"four": Choice(four, 4, "edsr"), "rgb": Choice(weights, 4, "edsr")}, device="cpu")
    scene = write_scene(folder / "scene.tif", scene_values(12, 10)).read_bytes()
    app = build_app(made, tmp_path, max_upload=100_000)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        answer = client.post("/upscale", content=scene)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/tiff"
        with rasterio.MemoryFile(answer.content) as file, file.open() as large:
            assert (large.count, large.shape, large.res) == (4, (48, 40), (2.5, 2.5))
            assert (large.crs.to_epsg(), large.descriptions) == (32633, BANDS)
        told = client.post("/upscale", content=picture())
        assert (told.status_code, told.json()["error"]) == (
            422, "weights of a stated range take a TIFF or GeoTIFF; send one"
        )  # fmt: skip
        told = client.post("/upscale?format=png", content=scene)
        assert (told.status_code, "give TIFF" in told.json()["error"]) == (400, True)
        told = client.post("/upscale?weights=rgb", content=scene)
        assert (told.status_code, "does not say which are red, green and blue" in told.text) == (422, True)


def test_the_answer_is_the_file_that_upscale_writes(client, weights, capsys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    (folder / "a.png").write_bytes(picture())
    line = ("upscale", folder / "a.png", "-o", folder / "b.png", "--weights", weights, "--tile", 4)
    assert invoke(capsys, *line, "--device", "cpu").code == 0
    answer = client.post("/upscale", content=picture())
    assert answer.content == (folder / "b.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("asked", "form", "size"),
    [
        ("scale=2", "PNG", (12, 10)),
        ("width=9&format=webp", "WEBP", (9, 8)),
        ("long_side=18&format=jpeg&quality=80", "JPEG", (18, 15)),
        ("format=tif&weights=other", "TIFF", (24, 20)),
        ("ensemble=true&color_fix=true", "PNG", (24, 20)),
    ],
)
def test_parameters(client, asked, form, size):
    image = opened(client.post(f"/upscale?{asked}", content=picture()))
    assert (image.format, image.size) == (form, size)


def test_what_is_not_kept_is_in_a_header(client):
    transparent = io.BytesIO()
    Image.new("RGBA", (6, 5), (9, 9, 9, 99)).save(transparent, "PNG")
    answer = client.post("/upscale?format=jpeg", content=transparent.getvalue())
    assert "transparen" in json.loads(answer.headers["x-notes"])[0]


@pytest.mark.parametrize(
    ("notes", "kept"),
    [
        (["a note"] * 100, 100),
        # 10 x 10 + 90 x 11 + 238 x 12 characters, brackets, and 42 for the last entry
        ([f"note {n}" for n in range(1000)], 338),
        (["\N{COPYRIGHT SIGN}" * 640] * 2, 1),  # six characters each, as JSON writes them
        (["x" * 5000], 0),
        (["short", "x" * 5000, "short"], 1),
    ],
)
def test_too_many_notes_are_counted(client, monkeypatch, notes, kept):
    run_job = workshop_module.run_job
    monkeypatch.setattr(
        workshop_module, "run_job", lambda *job, **more: replace(run_job(*job, **more), notes=tuple(notes))
    )
    header = client.post("/upscale", content=picture()).headers["x-notes"]
    assert len(header) <= 4000
    told = json.loads(header)
    assert told[:kept] == notes[:kept]
    rest = len(notes) - kept
    assert told[kept:] == ([f"{rest} more, for which a header has no room"] if rest else [])


@pytest.mark.parametrize(
    ("asked", "content", "status", "words"),
    [
        ("weights=tinny", picture(), 400, "did you mean 'tiny'?"),
        ("weights=/etc/passwd", picture(), 400, "there are tiny, other"),
        ("format=pngg", picture(), 400, "did you mean 'png'"),
        ("scale=2&width=9", picture(), 400, "give one of"),
        ("scale=0", picture(), 400, "scale"),
        ("quality=200", picture(), 400, "quality"),
        ("background=whit", picture(), 400, "unknown colour"),
        ("", b"", 400, "the body is empty"),
        ("", b"hello", 422, "not a picture"),
        ("", picture()[:60], 422, "cannot read"),
        ("", picture(size=(200, 200)), 413, "over the limit of 0.01"),
        ("scale=100", picture(), 413, "the result would be 600 x 500"),
        ("", b"x" * 100_001, 413, "larger than"),
    ],
)
def test_what_is_wrong_is_one_line(client, asked, content, status, words):
    answer = client.post(f"/upscale?{asked}", content=content)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert "kornia-srgan-serve" not in answer.text  # no folders of the server


def test_an_upload_without_an_end_is_cut_off(client):
    answer = client.post("/upscale", content=(b"x" * 10_000 for _ in range(1000)))
    assert answer.status_code == 413


def test_health_weights_metrics_and_openapi(client):
    client.post("/upscale", content=picture())
    client.post("/upscale", content=b"hello")
    assert client.get("/health").json() == {"status": "ok", "busy": False, "waiting": 0}
    assert client.get("/weights").json()[0] == {"name": "tiny", "scale": 4, "about": "edsr"}
    metrics = client.get("/metrics").text
    assert 'kornia_srgan_requests_total{status="200"} 1.0' in metrics
    assert 'kornia_srgan_requests_total{status="422"} 1.0' in metrics
    assert "kornia_srgan_work_seconds_count 1.0" in metrics
    assert "kornia_srgan_queue_length 0.0" in metrics
    body = client.get("/openapi.json").json()["paths"]["/upscale"]["post"]
    assert "image/*" in body["requestBody"]["content"]
    assert {p["name"] for p in body["parameters"]} >= {"weights", "scale", "width", "format", "restore"}


@pytest.fixture
def free(workshop):
    """Set, it lets the work go on."""
    event = threading.Event()
    workshop._desk.leave(event.wait)
    yield event
    event.set()


def test_a_full_queue_refuses_and_empties(client, workshop, free):
    answers = []
    asking = [
        threading.Thread(target=lambda: answers.append(client.post("/upscale", content=picture())))
        for _ in range(2)
    ]
    for thread in asking:
        thread.start()
    until = time.monotonic() + 20
    while client.get("/health").json()["waiting"] < 1 and time.monotonic() < until:
        time.sleep(0.02)
    refused = client.post("/upscale", content=picture())
    free.set()
    for thread in asking:
        thread.join()
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert [a.status_code for a in answers] == [200, 200]


def test_only_with_the_token(workshop, tmp_path):
    client = TestClient(build_app(workshop, tmp_path, max_upload=100_000, token="secret"))
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
        answer = client.post("/upscale", content=picture(), headers=headers)
        assert answer.status_code == 401
        assert client.get("/metrics", headers=headers).status_code == 401
    assert client.get("/health").status_code == 200
    sent = {"Authorization": "Bearer secret"}
    assert opened(client.post("/upscale", content=picture(), headers=sent)).size == (24, 20)


@pytest.mark.parametrize("headers", [{"Origin": "https://example.com"}, {"Host": "example.com"}])
def test_pages_of_other_sites_are_kept_out(client, headers):
    assert client.post("/upscale", content=picture(), headers=headers).status_code == 403


def test_a_token_is_made_where_others_can_ask(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv(server.TOKEN_VARIABLE, raising=False)
    assert server.find_token("127.0.0.1", None) == (None, False)
    token, made = server.find_token("0.0.0.0", None)
    assert made
    assert len(token) > 30
    monkeypatch.setenv(server.TOKEN_VARIABLE, "of the environment")
    assert server.find_token("0.0.0.0", None) == ("of the environment", False)
    (tmp_path / "token").write_text("of a file\n")
    assert server.find_token("127.0.0.1", tmp_path / "token") == ("of a file", False)
    (tmp_path / "token").write_text("\n")
    assert_user_error(invoke(capsys, "serve", "--token-file", tmp_path / "token"), "it is empty")


def test_without_its_packages_it_says_what_to_install(capsys, monkeypatch):
    pretend_missing(monkeypatch, "fastapi")
    assert_user_error(invoke(capsys, "serve"), "pip install 'kornia-srgan[serve]'")


def test_the_process_serves_until_it_is_told_to_stop(weights):
    import httpx

    command = [sys.executable, "-m", "kornia_srgan", "serve", "--port", "0", "--weights", str(weights)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*command, "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        address = process.stdout.readline().split()[0]
        assert address.endswith("/upscale")
        answer = httpx.post(f"{address}?weights={weights.name}", content=picture(), timeout=60)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert opened(answer).size == (24, 20)
    assert (process.returncode, told) == (0, "")


def test_a_client_that_goes_away_is_not_waited_for(workshop, free, tmp_path):
    import uvicorn

    app = build_app(workshop, tmp_path, max_upload=100_000)
    uvicorn_server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    listener = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]})
    serving.start()
    with socket.create_connection(listener.getsockname()) as connection:
        data = picture()
        head = f"POST /upscale HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(data)}\r\n\r\n"
        connection.sendall(head.encode() + data)
        until = time.monotonic() + 20
        while not workshop.busy and time.monotonic() < until:
            time.sleep(0.02)
        assert workshop.busy
    while workshop.busy and time.monotonic() < until:
        time.sleep(0.02)
    left = workshop.busy
    free.set()  # what was being computed for the client, which stopping waits for
    uvicorn_server.should_exit = True
    serving.join(30)
    assert not left
    assert not serving.is_alive()
    assert list(tmp_path.iterdir()) == []

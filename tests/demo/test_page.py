"""The real command and a real browser: a photograph goes in, comes back larger, and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.profiles import PROFILE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 120_000  # milliseconds; a busy machine is slow, and a page that is wrong stays wrong

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("gradio") is None, reason="needs Gradio, which is not installed"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="needs Playwright, which is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser chromium, which is not installed"),
]


@contextmanager
def demo(tmp_path, *options):
    """The running command, the address that it printed, its folder for temporary files, and its stderr."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    errors = tmp_path / "stderr"
    command = [sys.executable, "-m", "kornia_srgan", "demo", "--port", "0", "--device", "cpu", *options]
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), errors.read_text()
        yield process, line.split()[0], temporary, errors
    finally:
        process.kill()
        process.wait()


@contextmanager
def browser_page(tmp_path, address, requests):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=CHROMIUM,
            args=SWITCHES,
            viewport={"width": 1280, "height": 860},
        )
        page = context.pages[0]
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        yield page
        context.close()


def choose_photo(page, path):
    """Drop a photograph, in place of the one that is there."""
    clear = page.locator("#photo button[aria-label='Clear']")
    if clear.is_visible():
        clear.click()
    chooser = page.locator("#photo input[type=file]")
    chooser.wait_for(state="attached")
    chooser.set_input_files(path)


def choose_weights(page, path):
    with page.expect_file_chooser() as chooser:
        page.click("#own-weights")
    chooser.value.set_files(path)


def wait_for_text(page, selector, text):
    page.locator(selector, has_text=text).first.wait_for()


def message(page):
    """The text of the message on the page, which is then closed."""
    text = page.get_by_test_id("toast-text")
    text.wait_for()
    said = text.inner_text()
    page.get_by_test_id("toast-close").click()
    text.wait_for(state="detached")
    return said


def enlarge(page):
    """Press the button and get the file, under the name that the browser is told."""
    page.click("#enlarge")
    page.locator("#download").wait_for()
    with page.expect_download() as download:
        page.click("#download")
    return download.value.suggested_filename, download.value.path()


def shown_sizes(page):
    """Width and height of the two pictures in the slider, as they were loaded."""
    pictures = page.get_by_test_id("imageslider-image")
    pictures.nth(1).wait_for()
    loaded = "images => images.every(image => image.complete && image.naturalWidth)"
    for _ in range(100):
        if pictures.evaluate_all(loaded):
            break
        page.wait_for_timeout(100)
    return pictures.evaluate_all("images => images.map(image => [image.naturalWidth, image.naturalHeight])")


def status_of(page, path):
    """What the server answers to a request for a file."""
    return page.evaluate("url => fetch(url).then(answer => answer.status)", f"/gradio_api/file={path}")


@pytest.fixture
def bad(tmp_path):
    """A folder of files, each bad in its own way."""
    (tmp_path / "poem.jpg").write_text("Not a picture.")
    Image.new("L", (1200, 900)).save(tmp_path / "many.png")
    noise = np.random.default_rng(0).integers(0, 255, (1100, 1000), np.uint8)
    Image.fromarray(noise).save(tmp_path / "heavy.bmp")
    (tmp_path / "notes.safetensors").write_text("Not weights, neither.")
    return tmp_path


def test_a_first_visit(bad, photographs, weights, tmp_path):
    requests = []
    options = ("--weights", weights, "--max-pixels", 1, "--max-upload", 1)
    with demo(tmp_path, *options) as (process, address, temporary, errors):
        with browser_page(tmp_path, address, requests) as page:
            see_a_photograph_larger(page, photographs / "camera.JPG")
            see_what_is_refused(page, bad)
            use_own_weights(page, photographs / "grey.png", weights, tmp_path)
            assert status_of(page, weights) == 403  # not uploaded: none of the page's business
            assert status_of(page, Path(__file__)) == 403
        outside = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
        assert outside == []
        assert list(temporary.glob("kornia-srgan-demo-*"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert list(temporary.iterdir()) == []
        assert "Traceback" not in errors.read_text()


def see_a_photograph_larger(page, photograph):
    choose_photo(page, photograph)  # 30 x 20, on its side
    wait_for_text(page, "#sizes", "20 × 30 → 80 × 120")
    wait_for_text(page, "#sizes", "Not enlarged yet")
    name, path = enlarge(page)
    assert name == "camera_x4.JPG"
    with Image.open(path) as image:
        assert (image.format, image.size) == ("JPEG", (80, 120))
        assert image.info["icc_profile"] == PROFILE
        exif = image.getexif()
        assert (exif[0x010F], exif.get(0x0112, 1)) == ("Maker", 1)
        assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
    wait_for_text(page, "#sizes", "20 × 30 → 80 × 120")
    wait_for_text(page, "#sizes", "camera_x4.JPG")
    assert shown_sizes(page) == [[80, 120], [80, 120]]


def see_what_is_refused(page, bad):
    choose_photo(page, bad / "poem.jpg")
    assert message(page) == "cannot read 'poem.jpg': it is not a picture in any known format"
    assert not page.locator("#download").is_visible()  # of the photograph before
    choose_photo(page, bad / "many.png")
    assert "it has 1.1 million pixels, over the limit of 1.0 million" in message(page)
    choose_photo(page, bad / "heavy.bmp")
    assert "exceed the maximum allowed size of 1.0 mb" in message(page).lower()
    choose_weights(page, bad / "notes.safetensors")
    assert message(page) == "notes.safetensors is not a safetensors file"


def use_own_weights(page, photograph, weights, folder):
    mine = shutil.copy(weights, folder / "mine.safetensors")
    choose_weights(page, mine)
    choice = page.get_by_label("Weights")
    for _ in range(PATIENCE // 100):
        if choice.input_value() == "mine.safetensors (edsr, ×4)":
            break
        page.wait_for_timeout(100)
    assert choice.input_value() == "mine.safetensors (edsr, ×4)"
    choose_photo(page, photograph)
    wait_for_text(page, "#sizes", "30 × 20 → 120 × 80")
    assert enlarge(page)[0] == "grey_x4.png"

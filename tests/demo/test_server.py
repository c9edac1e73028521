"""The command up to where the page would open."""

import inspect
import os
import socket

import pytest

from kornia_srgan import environment
from kornia_srgan.cli import demo, upscale
from kornia_srgan.demo import server
from tests.helpers.runner import assert_user_error, invoke


def test_without_gradio_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    assert_user_error(invoke(capsys, "demo"), "pip install 'kornia-srgan[demo]'")


@pytest.fixture
def gradio_here(monkeypatch):
    """It is not imported before the port is had."""
    monkeypatch.setattr(environment, "find_spec", lambda name: name)


@pytest.mark.usefixtures("gradio_here")
class TestAddress:
    def test_a_taken_port(self, capsys):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            result = invoke(capsys, "demo", "--port", port)
        assert_user_error(result, f"port {port} is taken", "--port")

    def test_not_an_address_of_this_machine(self, capsys):
        assert_user_error(invoke(capsys, "demo", "--host", "192.0.2.1"), "192.0.2.1", "not an address")
        assert_user_error(invoke(capsys, "demo", "--host", "a b"), "'a b'", "not an address")

    def test_weights_are_looked_at_first(self, capsys):
        assert_user_error(invoke(capsys, "demo", "--weights", "nothing"), "'nothing' not found")


def test_the_working_folder_goes_and_the_environment_is_as_before(monkeypatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    before = dict(os.environ)
    with server.working_folder() as folder:
        (folder / "some").mkdir()
        (folder / "some" / "file").write_text("x")
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
    assert not folder.exists()
    assert dict(os.environ) == before


def test_the_page_computes_as_upscale_does_unless_told_otherwise() -> None:
    defaults = [inspect.signature(module.command).parameters["dtype"].default for module in (demo, upscale)]
    assert defaults[0] == defaults[1]

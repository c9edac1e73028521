import socket
import threading

import pytest

from kornia_srgan import network


@pytest.fixture(autouse=True)
def online(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def closed():
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("s3://bucket/deep/train-{0..9}.tar", "train-{0..9}.tar"),
        ("s3://bucket/no #1?.tar", "no #1?.tar"),
        ("s3://bucket/folder/", "folder"),
        ("pipe:curl -s https://host/a.tar", "a.tar"),
        ("https://host/a.tar?download=true", "a.tar"),
        ("https://host/", ""),
        ("local.tar", "local.tar"),
    ],
)
def test_the_last_part_is_the_name(address, name):
    assert network.last_part(address) == name


def test_a_server_that_listens_is_reachable_and_another_is_not(server):
    assert network.reachable(f"http://{server}/some/file")
    assert not network.reachable(f"http://{closed()}/some/file")


def test_offline_no_server_is_asked(server, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("asked the network"))
    assert not network.reachable(f"http://{server}/")


def test_a_proxy_is_asked_in_the_server_s_place(server, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://{server}")
    assert network.reachable("http://no-such-host.invalid/")
    monkeypatch.setenv("http_proxy", closed())  # without a scheme, as many write it
    assert not network.reachable("http://no-such-host.invalid/")


def test_hosts_of_no_proxy_are_asked_themselves(server, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://{closed()}")
    assert not network.reachable(f"http://{server}/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert network.reachable(f"http://{server}/")


def test_a_name_server_that_hangs_is_given_up(monkeypatch):
    answer = threading.Event()

    def late(*_, **__):
        answer.wait(60)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", late)
    assert not network.reachable("http://127.0.0.1/", seconds=0.05)
    assert not answer.is_set()
    answer.set()


def test_the_hub_has_the_address_of_the_environment(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert network.hub_endpoint() == "https://mirror.example"
    monkeypatch.delenv("HF_ENDPOINT")
    assert network.hub_endpoint().startswith("https://")

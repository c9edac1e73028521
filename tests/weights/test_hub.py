import socket

import pytest
import torch
from huggingface_hub import constants, file_download
from torch import nn

from kornia_srgan.errors import OfflineError, WeightsError
from kornia_srgan.weights.files import load_weights, read_spec, save_weights
from kornia_srgan.weights.foreign import import_weights
from kornia_srgan.weights.hub import HubFile
from kornia_srgan.weights.locate import locate_weights
from kornia_srgan.weights.publish import push_to_hub
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.hub_server import Hub, serve
from tests.helpers.layouts import compact


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub()
    server = serve(hub)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield hub
    server.shutdown()
    server.server_close()


def weights(path, value=1.0):
    spec = WeightSpec("edsr", {"channels": 8}, 4, license="Apache-2.0", training={"recipe": "tiny"})
    save_weights(path, nn.Conv2d(1, 1, 1).state_dict() | {"weight": torch.full((1, 1, 1, 1), value)}, spec)
    return path


@pytest.mark.parametrize(
    ("source", "parsed"),
    [
        ("hf-hub:a/b", HubFile("a/b")),
        ("hf-hub:a/b@v1", HubFile("a/b", revision="v1")),
        ("hf-hub:a/b/sub/w.pth@refs", HubFile("a/b", "sub/w.pth", "refs")),
    ],
)
def test_parse(source, parsed):
    assert HubFile.parse(source) == parsed
    assert str(parsed) == source


@pytest.mark.parametrize("source", ["hf-hub:", "hf-hub:a", "hf-hub:/b", "hf-hub:a/", "hf-hub:a/b@"])
def test_parse_refuses(source):
    with pytest.raises(WeightsError, match=f"'{source}': expected hf-hub:owner/name"):
        HubFile.parse(source)


def test_download_once_by_revision(hub, tmp_path):
    old = hub.add("me/sr", {"model.safetensors": weights(tmp_path / "a", 1.0).read_bytes()}, "v1")
    hub.add("me/sr", {"model.safetensors": weights(tmp_path / "b", 2.0).read_bytes()})

    def value(source):
        return load_weights(locate_weights(source))[1]["weight"].item()

    assert value("hf-hub:me/sr") == 2.0
    assert value("hf-hub:me/sr@v1") == 1.0
    assert value(f"hf-hub:me/sr@{old}") == 1.0
    downloads = [r for r in hub.requests if r.startswith("GET")]
    assert len(downloads) == 2
    assert value("hf-hub:me/sr") == 2.0
    assert [r for r in hub.requests if r.startswith("GET")] == downloads


def test_another_file_may_be_foreign(hub, tmp_path):
    case = compact(4)
    torch.save({"params": case.make()}, tmp_path / "w.pth")
    hub.add("me/sr", {"weights/w.pth": (tmp_path / "w.pth").read_bytes()})
    assert import_weights(locate_weights("hf-hub:me/sr/weights/w.pth")).spec.name == "compact"


def test_what_is_not_there(hub, tmp_path):
    hub.add("me/sr", {"other.safetensors": b""})
    hub.add("me/gated", {})
    hub.gated.add("me/gated")
    for source, message in {
        "hf-hub:me/none": "no such repository; if it is private, run `hf auth login`",
        "hf-hub:me/sr@v9": "has no revision 'v9'",
        "hf-hub:me/sr": "has no file 'model.safetensors'; name one: hf-hub:me/sr/FILE",
        "hf-hub:me/gated": "access must be asked for at http",
        "hf-hub:me/a b": "not a name on the Hub",
    }.items():
        with pytest.raises(WeightsError) as error:
            locate_weights(source)
        assert message in str(error.value)
        assert "\n" not in str(error.value)


@pytest.fixture
def closed_port():
    """An address where nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_offline_uses_the_cache_and_otherwise_says_what_to_do(hub, tmp_path, monkeypatch, closed_port):
    hub.add("me/sr", {"model.safetensors": weights(tmp_path / "a").read_bytes()})
    cached = locate_weights("hf-hub:me/sr")
    monkeypatch.setenv("HF_ENDPOINT", closed_port)
    # Asked without a network, huggingface_hub retries for most of a minute.
    monkeypatch.setattr(file_download, "get_hf_file_metadata", lambda **_: pytest.fail("asked the network"))
    assert locate_weights("hf-hub:me/sr") == cached
    message = (
        r"hf-hub:me/new is not in the cache and http://127.* cannot be reached; connect .* give its path"
    )
    with pytest.raises(OfflineError, match=message):
        locate_weights("hf-hub:me/new")
    with pytest.raises(OfflineError, match="cannot be reached"):
        push_to_hub(cached, "me/sr", token="right")


def test_offline_by_setting(hub, tmp_path, monkeypatch):
    hub.add("me/sr", {"model.safetensors": weights(tmp_path / "a").read_bytes()})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OfflineError):
        locate_weights("hf-hub:me/sr")
    assert hub.requests == []


def test_push_and_load_again(hub, tmp_path):
    path = weights(tmp_path / "mine.safetensors", 3.0)
    for value in (3.0, 4.0):  # the second time the repository is there
        url = push_to_hub(weights(path, value), "me/mine", token="right", message="hello")
        assert url.startswith(f"{hub.url}/me/mine/commit/")
        spec, state = load_weights(locate_weights("hf-hub:me/mine"))
        assert state["weight"].item() == value
        assert spec == read_spec(path)
    card = hub.repos["me/mine"]["main"]["README.md"].decode()
    assert card.startswith("---\nlibrary_name: kornia-srgan\n")
    assert 'from_pretrained("hf-hub:me/mine")' in card
    assert "2 parameters" in card


def test_push_that_fails(hub, tmp_path):
    path = weights(tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"hf-hub:me/x: .*"):
        push_to_hub(path, "me/x", token="wrong")
    with pytest.raises(WeightsError, match="not a name on the Hub"):
        push_to_hub(path, "a b/c", token="right")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="truncated"):
        push_to_hub(path, "me/x", token="right")
    assert hub.repos == {}

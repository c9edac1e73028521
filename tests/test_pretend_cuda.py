"""The pretended device is as strict as a real one: what would fail there fails here."""

import copy
import threading
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from tests.helpers.pretend_cuda import OnCuda, pretend_cuda, waited_for


@pytest.fixture(autouse=True)
def _pretended() -> Iterator[None]:
    with pretend_cuda():
        yield


def test_says_where_it_is_through_every_operation() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).to("cuda")
    assert isinstance(net[0].weight, nn.Parameter)
    out = net(torch.rand(1, 3, 5, 5, device="cuda"))
    out.sum().backward()
    tensors = (
        out,
        out[:, 1:],
        torch.zeros_like(out),
        out.detach().float(),
        net[0].weight.grad,
        *net.buffers(),
    )
    assert {t.device.type for t in (*tensors, *copy.deepcopy(net).parameters())} == {"cuda"}
    assert all(t.is_cuda and not t.is_cpu for t in tensors)
    assert {p.device.type for p in net.cpu().parameters()} == {"cpu"}


def test_computes_what_the_cpu_computes() -> None:
    torch.manual_seed(0)
    net, image = nn.Conv2d(3, 4, 3), torch.rand(1, 3, 5, 5)
    expected = net(image).detach()
    found = net.to("cuda")(image.to("cuda"))
    assert isinstance(found, OnCuda)
    assert torch.equal(found.cpu().detach(), expected)


@pytest.mark.parametrize("first", ["cpu", "cuda"])
def test_tensors_of_two_devices_do_not_meet(first: str) -> None:
    second = "cuda" if first == "cpu" else "cpu"
    with pytest.raises(RuntimeError, match="same device"):
        torch.ones(2, device=first) + torch.ones(2, device=second)
    with pytest.raises(RuntimeError, match="same device"):
        nn.Conv2d(3, 1, 1).to(first)(torch.rand(1, 3, 2, 2, device=second))
    total = torch.ones(2, device=first) + torch.tensor(1.0)  # a scalar may
    assert total.tolist() == [2.0, 2.0]


def test_has_no_array_and_cannot_be_pinned() -> None:
    for wrong in (lambda t: t.numpy(), lambda t: t.pin_memory()):
        with pytest.raises((TypeError, RuntimeError), match=r"cuda|cannot pin"):
            wrong(torch.ones(2, device="cuda"))


def test_a_copy_to_pinned_memory_arrives_when_it_is_waited_for() -> None:
    values = torch.ones(2, device="cuda")
    pinned = torch.empty_like(values, device="cpu", pin_memory=True)
    assert pinned.is_pinned()
    pinned.copy_(values, non_blocking=True)
    done = torch.cuda.Event()
    done.record()
    assert pinned.tolist() == [0, 0]
    done.synchronize()
    assert pinned.tolist() == [1, 1]
    assert waited_for == []


def test_a_copy_to_other_memory_is_waited_for() -> None:
    plain = torch.zeros(2)
    assert plain.copy_(torch.ones(2, device="cuda"), non_blocking=True).tolist() == [1, 1]
    plain.to("cuda", non_blocking=True)
    assert waited_for == [(2,), (2,)]


def test_holds_in_other_threads() -> None:
    found: list[str] = []

    def work() -> None:
        found.append(torch.ones(2, device="cuda").device.type)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["cuda"]


def test_a_graph_runs_again_and_refuses_to_wait() -> None:
    image = torch.ones(2, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = (image * 2).relu_().view(2, 1)
    image.copy_(torch.tensor([3.0, -1.0], device="cuda"))
    graph.replay()
    assert out.cpu().tolist() == [[6.0], [0.0]]
    for wait in (torch.Tensor.cpu, torch.sum, torch.nonzero, lambda t: t + torch.ones(2).to("cuda")):
        error = pytest.raises(RuntimeError, match="not permitted when stream is capturing")
        with error, torch.cuda.graph(torch.cuda.CUDAGraph()):
            float(wait(image).flatten()[0])

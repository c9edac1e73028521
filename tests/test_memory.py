import os
from pathlib import Path

import pytest
import torch

from kornia_srgan import memory


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Files of a system that says so much; None leaves a file out."""

    def say(meminfo: str | None, limit: str | None = None, used: str | None = None) -> int:
        for name, text in (("_MEMINFO", meminfo), ("_LIMIT", limit), ("_USED", used)):
            file = tmp_path / name
            file.unlink(missing_ok=True)
            if text is not None:
                file.write_text(text)
            monkeypatch.setattr(memory, name, file)
        return memory.free_ram()

    return say


def test_what_linux_calls_available_within_the_control_groups_limit(system):
    known = "MemTotal: 8000 kB\nMemFree: 10 kB\nMemAvailable: 4000 kB\n"
    assert system(known) == 4000 * 1024
    assert system(known, "max", "5") == 4000 * 1024
    assert system(known, "3000000", "1000000") == 2_000_000
    assert system(known, "9000000", "1000000") == 4000 * 1024
    assert system(known, "1000", "5000") == 0


def test_without_meminfo_pages_are_counted(system, monkeypatch):
    sizes = {"SC_AVPHYS_PAGES": 100, "SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf_names", dict.fromkeys(sizes, 0))
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    assert system(None) == system("nonsense") == 100 * 4096
    monkeypatch.setattr(os, "sysconf_names", {"SC_PHYS_PAGES": 0})
    assert system(None) == 500 * 4096
    monkeypatch.setattr(os, "sysconf_names", {})
    assert system(None) == 2 * 2**30


def test_by_device(monkeypatch):
    monkeypatch.setattr(memory, "free_ram", lambda: 7)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5, 10))
    assert memory.free_memory(torch.device("cpu")) == 7
    assert memory.free_memory(torch.device("cuda")) == 5
    assert memory.free_memory(torch.device("mps")) == 2 * 2**30

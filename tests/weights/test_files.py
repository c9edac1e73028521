import errno
import os
import random

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from kornia_srgan.errors import UserError, WeightsError
from kornia_srgan.weights.files import (
    clean_keys,
    load_into,
    load_weights,
    read_spec,
    save_weights,
    tensor_hash,
)
from kornia_srgan.weights.foreign import is_foreign
from kornia_srgan.weights.safetensors_header import METADATA_KEY
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.tolerances import assert_near

SPEC = WeightSpec(name="edsr", args={"channels": 8}, scale=4, license="Apache-2.0")


def net(seed=0, channels=4):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels), nn.PReLU())


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, net().state_dict(), SPEC)
    return path


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    path, state = tmp_path / "w.safetensors", net().state_dict()
    state["0.weight"][1, 0, 2, 1] = value
    save_weights(path, state, SPEC)
    with pytest.raises(WeightsError, match=r"NaN or infinity in '0\.weight'"):
        load_weights(path)


def test_round_trip(tmp_path):
    path = tmp_path / "new" / "folder" / "w.safetensors"
    state = net().state_dict()
    written = save_weights(path, state, SPEC)
    spec, tensors = load_weights(path)
    assert spec == written == read_spec(path)
    assert (spec.name, spec.args, spec.scale, spec.license) == ("edsr", {"channels": 8}, 4, "Apache-2.0")
    assert tensors.keys() == state.keys()
    for key, value in state.items():
        assert tensors[key].dtype == value.dtype
        assert torch.equal(tensors[key], value)


def test_one_metadata_entry(saved):
    with safe_open(saved, "pt") as file:
        assert list(file.metadata()) == [METADATA_KEY]


def test_channels_last_tied_and_transposed_tensors(tmp_path):
    path = tmp_path / "w.safetensors"
    tied = torch.rand(3)
    state = {
        "a": torch.rand(4, 3, 3, 3).to(memory_format=torch.channels_last),
        "b": torch.rand(3, 5).T,
        "c": tied,
        "d": tied,
        "e": torch.rand(6)[::2],
        "f": nn.Parameter(torch.tensor(2.0)),
        "g": torch.rand(4).bfloat16(),
        "h": torch.zeros(0, 3),
    }
    save_weights(path, state, SPEC)
    _, tensors = load_weights(path)
    for key, value in state.items():
        assert torch.equal(tensors[key], value)


def test_keys_are_cleaned(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(
        path, {"module._orig_mod.0.weight": torch.ones(1), "module.1._orig_mod.a": torch.ones(1)}, SPEC
    )
    assert set(load_weights(path)[1]) == {"0.weight", "1.a"}
    assert set(clean_keys({"_orig_mod.module.a": torch.ones(1)})) == {"a"}
    assert set(clean_keys({"module.a": torch.ones(1), "b": torch.ones(1)})) == {"module.a", "b"}


def test_keys_that_collide_are_refused():
    with pytest.raises(WeightsError, match="saved as 'a'"):
        clean_keys({"a": torch.ones(1), "_orig_mod.a": torch.ones(1)})


def test_half_storage_loads_into_a_float_module(tmp_path):
    path = tmp_path / "w.safetensors"
    model, other = net(0), net(1)
    save_weights(path, model.state_dict(), SPEC, dtype=torch.float16)
    _, tensors = load_weights(path)
    assert {t.dtype for t in tensors.values()} == {torch.float16, torch.int64}
    load_into(other, tensors, path)
    assert other[0].weight.dtype == torch.float32
    assert_near(other[0].weight, model[0].weight, "deep")


def test_half_storage_refuses_values_too_large(tmp_path):
    with pytest.raises(WeightsError, match=r"'a' has values too large for torch.float16"):
        save_weights(tmp_path / "w", {"a": torch.tensor([1e6])}, SPEC, dtype=torch.float16)


def test_hash_is_of_names_dtypes_shapes_and_bytes():
    a = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([3.0])}
    same = tensor_hash({"y": torch.tensor([3.0]), "x": torch.tensor([1.0, 2.0])})
    assert tensor_hash(a) == same
    for other in (
        {"x": torch.tensor([1.0, 2.0]), "z": torch.tensor([3.0])},
        {"x": torch.tensor([2.0, 1.0]), "y": torch.tensor([3.0])},
        {"x": torch.tensor([[1.0, 2.0]]), "y": torch.tensor([3.0])},
        {"x": torch.tensor([1.0]), "y": torch.tensor([2.0, 3.0])},
        {"x": torch.tensor([1.0, 2.0]).view(torch.int32), "y": torch.tensor([3.0])},
    ):
        assert tensor_hash(other) != same


def test_the_same_weights_give_the_same_file(tmp_path):
    for name in ("a", "b"):
        save_weights(tmp_path / name, net().state_dict(), SPEC)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_metadata_may_come_in_any_order(tmp_path, saved):
    # safetensors writes its metadata in an order of its own; another tool may add entries.
    text = read_spec(saved).to_json()
    other = tmp_path / "other.safetensors"
    save_file(load_weights(saved)[1], other, metadata={"zz": "1", METADATA_KEY: text, "aa": "2"})
    assert load_weights(other)[0] == read_spec(saved)


def test_every_flipped_byte_is_noticed(saved, tmp_path):
    good = saved.read_bytes()
    rng = random.Random(0)
    header = 8 + int.from_bytes(good[:8], "little")
    # All of the first bytes, many of the header, and some of the tensors.
    places = {*range(16), *rng.sample(range(header), 150), *rng.sample(range(header, len(good)), 50)}
    bad = tmp_path / "bad.safetensors"
    for place in sorted(places):
        for flip in (1 << rng.randrange(8), 0xFF):
            bad.write_bytes(good[:place] + bytes([good[place] ^ flip]) + good[place + 1 :])
            with pytest.raises(WeightsError) as error:
                load_weights(bad)
            assert str(bad) in str(error.value)
            assert "\n" not in str(error.value)


def test_every_truncation_is_noticed(saved, tmp_path):
    good = saved.read_bytes()
    bad = tmp_path / "bad.safetensors"
    for size in {0, 1, 7, 8, 9, 15, 16, 100, len(good) // 2, len(good) - 1}:
        bad.write_bytes(good[:size])
        for read in (load_weights, read_spec):
            with pytest.raises(WeightsError, match="truncated" if size > 8 else "not a safetensors"):
                read(bad)


@pytest.mark.parametrize(
    "header",
    [
        b'{"__metadata__": null}',
        b'{"__metadata__": []}',
        b'{"a": null}',
        b'{"a": {"data_offsets": ["x", "y"]}}',
        b'{"a": {"data_offsets": []}}',
        b'{"a":' + b"[" * 100_000,
        b'{"__metadata__": {"kornia_srgan": "[1, 2"}}',
        b'{"__metadata__": {"kornia_srgan": "{\\"x\\": NaN}"}}',
        b"{" + b"\xff" * 20,
    ],
)
def test_headers_of_no_safetensors(header, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    for read in (load_weights, read_spec):
        with pytest.raises(WeightsError) as error:
            read(path)
        assert "\n" not in str(error.value)
    assert isinstance(is_foreign(path), bool)


def test_bytes_at_the_end_are_noticed(saved):
    saved.write_bytes(saved.read_bytes() + b"x")
    with pytest.raises(WeightsError, match="1 bytes follow"):
        load_weights(saved)


def test_other_files(tmp_path):
    pickle, text, foreign = tmp_path / "a.pth", tmp_path / "b.txt", tmp_path / "c.safetensors"
    torch.save(net().state_dict(), pickle)
    with pytest.raises(WeightsError, match=r"a PyTorch pickle.*`kornia-srgan convert .*a.pth`"):
        load_weights(pickle)
    torch.save(net().state_dict(), pickle, _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match="a PyTorch pickle"):
        load_weights(pickle)
    text.write_text("once upon a time there was a file")
    with pytest.raises(WeightsError, match=r"is not a safetensors file$"):
        load_weights(text)
    save_file(net().state_dict(), foreign)
    with pytest.raises(WeightsError, match=r"without a 'kornia_srgan'.*`kornia-srgan convert"):
        load_weights(foreign)
    with pytest.raises(WeightsError, match=r"cannot be read: Is a directory"):
        load_weights(tmp_path)
    with pytest.raises(WeightsError, match=r"nowhere.safetensors' not found.*packaged: "):
        load_weights(tmp_path / "nowhere.safetensors")


def test_another_kind(tmp_path):
    path = tmp_path / "d.safetensors"
    save_weights(path, net().state_dict(), WeightSpec("vgg", {}, 4, kind="discriminator"))
    with pytest.raises(WeightsError, match=r"holds a discriminator \('vgg'\), expected a generator"):
        load_weights(path)
    assert load_weights(path, kind=None)[0].name == "vgg"
    assert load_weights(path, kind="discriminator")[0].name == "vgg"


def test_strict_loading(saved):
    _, tensors = load_weights(saved)
    model = net(1)
    load_into(model, tensors, "f")
    assert all(torch.equal(model.state_dict()[k], v) for k, v in tensors.items())


def test_another_architecture_is_explained_and_leaves_the_module_alone(saved):
    _, tensors = load_weights(saved)
    wide = net(1, channels=8)
    before = {k: v.clone() for k, v in wide.state_dict().items()}
    with pytest.raises(
        WeightsError,
        match=r"^f: the weights belong to another architecture than Sequential: 6 of another shape "
        r"\('0.weight': \(4, 3, 3, 3\) in the file, \(8, 3, 3, 3\) in the model\)$",
    ):
        load_into(wide, tensors, "f")
    assert all(torch.equal(before[k], v) for k, v in wide.state_dict().items())
    del tensors["2.weight"]
    tensors["3.weight"] = torch.ones(1)
    with pytest.raises(WeightsError, match=r"1 missing \('2.weight'\), 1 unexpected \('3.weight'\)$"):
        load_into(net(), tensors, "f")


def test_a_full_disk_leaves_the_old_file_and_no_rubbish(saved, monkeypatch):
    good = saved.read_bytes()

    def full(fd):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*w.safetensors: No space left on device"):
        save_weights(saved, net(1).state_dict(), SPEC)
    assert saved.read_bytes() == good
    assert list(saved.parent.iterdir()) == [saved]


def test_paths_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write "):
        save_weights(tmp_path / "file" / "w.safetensors", {}, SPEC)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*folder: it is a folder"):
        save_weights(tmp_path / "folder", {}, SPEC)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_the_file_follows_the_umask(tmp_path):
    old = os.umask(0o022)
    try:
        save_weights(tmp_path / "w", {}, SPEC)
    finally:
        os.umask(old)
    assert (tmp_path / "w").stat().st_mode & 0o777 == 0o644

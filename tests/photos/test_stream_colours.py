"""Colours that no box of an AVIF or HEIC states, but its compressed stream does."""

import io
import json
import shutil
import struct
import subprocess

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.errors import ImageError
from kornia_srgan.photos import nclx
from kornia_srgan.photos.av1 import av1_colours
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.hevc import hevc_colours
from kornia_srgan.photos.items import picture_bytes, picture_properties
from kornia_srgan.photos.nclx import stated_code_points
from tests.helpers.heif import configuration_of, grid, heic, without_colr
from tests.helpers.pictures import photo

P3_SRGB = {
    "color_primaries": 12,
    "transfer_characteristics": 13,
    "matrix_coefficients": 6,
    "full_range_flag": 1,
}
HLG = {**P3_SRGB, "color_primaries": 9, "transfer_characteristics": 18}


def test_an_avif_s_stream_counts_where_no_box_states_colours(shared_data):
    """libavif writes them in both places; without the box the stream's remain."""
    stated = (shared_data / "reports/p3.avif").read_bytes()
    bare = without_colr(stated)
    assert read_photo(bare).metadata.icc == read_photo(stated).metadata.icc is not None
    header = picture_bytes(bare)[:16]
    bits = f"{int.from_bytes(header, 'big'):0128b}"
    place = bits.index(f"{12:08b}{13:08b}") + 8
    pq = int(bits[:place] + f"{16:08b}" + bits[place + 8 :], 2).to_bytes(16, "big")
    with pytest.raises(ImageError, match="PQ"):
        read_photo(bare.replace(header, pq))
    with pytest.raises(ValueError, match="ends too soon"):
        av1_colours(header[:6])
    with pytest.raises(ValueError, match="no sequence header"):
        av1_colours(b"\x12\x00" + bytes(4))


def test_the_stream_is_that_of_the_picture_and_not_of_its_opacity():
    """libavif writes opacity first."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 4), np.uint8)).save(file, "AVIF")
    data = file.getvalue()
    assert av1_colours(picture_bytes(data)) == (1, 13)
    assert [name for name, _ in picture_properties(data)].count(b"av1C") == 1
    assert data.count(b"av1C") == 2
    assert [name for name, _ in picture_properties(data.replace(b"pitm", b"free"))].count(b"av1C") == 2


def test_a_heic_s_stream_counts_where_no_box_states_colours():
    """libheif and x265 write them in both places."""
    stated = heic(photo(64, 64), **P3_SRGB)
    assert read_photo(without_colr(stated)).metadata.icc == read_photo(stated).metadata.icc is not None
    with pytest.raises(ImageError, match="HLG"):
        read_photo(without_colr(heic(photo(64, 64), **HLG)))


def test_a_box_goes_before_the_stream():
    data = heic(photo(64, 64), **P3_SRGB)
    place = data.index(b"colrnclx") + 8
    assert read_photo(data[:place] + struct.pack(">HH", 1, 13) + data[place + 4 :]).metadata.icc is None


def test_a_grid_s_tiles_say_what_it_is():
    halves = [photo(64, 64, seed) for seed in (1, 2)]
    found = read_photo(grid([heic(half, **P3_SRGB) for half in halves], 64, 64))
    assert found.metadata.icc == read_photo(heic(halves[0], **P3_SRGB)).metadata.icc is not None
    np.testing.assert_allclose(found.frames[0].pixels.astype(int), np.concatenate(halves, axis=1), atol=2)
    with pytest.raises(ImageError, match="HLG"):
        read_photo(grid([heic(half, **HLG) for half in halves], 64, 64))


def test_a_stream_that_cannot_be_read_is_noted(monkeypatch):
    data = without_colr(heic(photo(64, 64), **P3_SRGB))
    configuration = configuration_of(data)
    place = configuration.index(b"\x42\x01\x01")  # the SPS
    broken = configuration[: place + 20] + bytes(len(configuration) - place - 20)
    codes, notes = stated_code_points(data.replace(configuration, broken))
    assert codes is None
    assert "cannot be read" in notes[0]

    def unread(*_):
        raise ValueError("no reason")

    monkeypatch.setattr(nclx, "hevc_colours", unread)
    found = read_photo(data)
    assert found.metadata.icc is None
    assert found.notes == ("what its stream says of its colours cannot be read (no reason): taken for sRGB",)


def test_an_sps_before_the_picture_counts_too():
    """As `hev1` has it: the lists of `hvcC` are empty."""
    configuration = configuration_of(heic(photo(64, 64), **P3_SRGB))
    place = configuration.index(b"\x42\x01\x01")
    sps = configuration[place : place + int.from_bytes(configuration[place - 2 : place], "big")]
    stream = struct.pack(">I", 3) + b"\x40\x01\x0c" + struct.pack(">I", len(sps)) + sps
    assert hevc_colours(configuration[:22] + b"\0", stream) == (12, 13)
    with pytest.raises(ValueError, match="no sequence parameter set"):
        hevc_colours(configuration[:22] + b"\0")


NAMES = {
    "bt709": 1, "bt2020": 9, "smpte432": 12, "smpte431": 11,
    "iec61966-2-1": 13, "smpte2084": 16, "arib-std-b67": 18, "linear": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        "colorprim=smpte432:transfer=iec61966-2-1:range=full",
        "colorprim=bt2020:transfer=smpte2084:scaling-list=default:sar=2:overscan=crop",
        "colorprim=smpte431:transfer=linear:temporal-layers=3:bframes=4:b-adapt=0:ref=4",
        "colorprim=bt709:transfer=arib-std-b67:videoformat=pal:sar=3:amp=1:rect=1",
    ],
)
def test_streams_of_x265_are_read_as_ffprobe_reads_them(tmp_path, options):
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    path = tmp_path / "x.hevc"
    make = "ffmpeg -v error -f lavfi -i testsrc=s=70x66 -frames:v 9 -c:v libx265"
    make += f" -x265-params log-level=none:{options}"
    if subprocess.run([*make.split(), str(path)], check=False).returncode:
        pytest.skip("this ffmpeg has no x265")
    ask = "ffprobe -v error -show_entries stream=color_primaries,color_transfer -of json"
    said = json.loads(subprocess.run([*ask.split(), str(path)], capture_output=True, check=True).stdout)
    stream = said["streams"][0]
    units = path.read_bytes().replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    sps = next(unit for unit in units if unit[:1] == b"\x42")
    assert hevc_colours(hvcc(sps)) == (NAMES[stream["color_primaries"]], NAMES[stream["color_transfer"]])


def hvcc(sps: bytes) -> bytes:
    return bytes(21) + b"\x03\x01\xa1\0\1" + struct.pack(">H", len(sps)) + sps


def ue(value: int) -> str:
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def se(value: int) -> str:
    return ue(2 * value - 1 if value > 0 else -2 * value)


def sps_of(bits: str) -> bytes:
    """A sequence parameter set as it is sent: a start of three bytes is broken by a 3."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    sent, zeros = b"\x42\x01", 0
    for byte in int(bits, 2).to_bytes(len(bits) // 8, "big"):
        if zeros >= 2 and byte <= 3:
            sent, zeros = sent + b"\3", 0
        sent, zeros = sent + bytes([byte]), zeros + 1 if byte == 0 else 0
    return sent


BEGIN = "0000" + "010" + "1" + "0" * 96  # two sub-layers below the highest
LAYERS = "11" + "01" + "0" * 12 + "1" * 96 + "10101010"
SIZE = ue(0) + ue(3) + "1" + ue(4000) + ue(3000) + "1" + ue(1) * 4 + ue(2) + ue(2)
ORDER = ue(4) + "1" + (ue(4) + ue(2) + ue(0)) * 3 + ue(0) + ue(3) + ue(0) + ue(3) + ue(2) + ue(2)
# Of 24 lists the first is like another; the 16 x 16 and 32 x 32 ones begin with their mean.
SCALING = "11" + "0" + ue(0)
SCALING += ("1" + "".join(se(i % 5 - 2) for i in range(16))) * 5
SCALING += ("1" + "".join(se(i % 7 - 3) for i in range(64))) * 6
SCALING += ("1" + se(8) + se(0) * 64) * 6
SCALING += ("1" + se(-3) + se(1) * 64) * 2
PCM = "11" + "1" + "0111" + "0111" + ue(0) + ue(2) + "1"
# Two pictures; made from them (one kept but unused, one dropped, one used); made from those two; none.
SETS = ue(4) + ue(1) + ue(1) + (ue(0) + "1") * 2
SETS += "1" + "0" + ue(0) + "01" + "00" + "1"
SETS += "1" + "1" + ue(2) + "1" + "1" + "01"
SETS += "0" + ue(0) + ue(0)
LONG = "1" + ue(2) + ("10101010" + "1") * 2
VUI = "1" + "1" + f"{255:08b}" + "0" * 31 + "1" + "11" + "1" + "101" + "1" + "1" + f"{9:08b}{18:08b}{9:08b}"


def test_every_part_before_the_colours_is_passed_over():
    bits = BEGIN + LAYERS + SIZE + ORDER + SCALING + PCM + SETS + LONG + "11" + VUI
    sent = sps_of(bits)
    assert b"\0\0\3" in sent
    assert hevc_colours(hvcc(sent)) == (9, 18)


@pytest.mark.parametrize("rest", ["0", "1" + "0" + "0" + "0", "1" + "0" + "0" + "1" + "101" + "1" + "0"])
def test_a_stream_may_say_nothing(rest):
    assert (
        hevc_colours(hvcc(sps_of(BEGIN + LAYERS + SIZE + ORDER + "0" + "000" + ue(0) + "0" + "00" + rest)))
        is None
    )


@pytest.mark.parametrize("kept", [0, 1, 2, 30, 60])
def test_a_broken_off_stream_is_an_error_and_ends(kept):
    sent = sps_of(BEGIN + LAYERS + SIZE + ORDER + SCALING + PCM + SETS + LONG + "11" + VUI)
    with pytest.raises(ValueError, match="ends too soon"):
        hevc_colours(hvcc(sent)[: 28 + kept])


def test_absurd_counts_are_errors():
    begin = BEGIN + LAYERS + SIZE + ORDER + "0" + "000"
    for sets in (ue(65), ue(1) + ue(17) + ue(0), ue(0) + "1" + ue(10**9)):
        with pytest.raises(ValueError, match="damaged"):
            hevc_colours(hvcc(sps_of(begin + sets + "0" * 400)))

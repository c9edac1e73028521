"""Pictures and films behind the first one of a file: named, and announced no more."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.photos.segments import jpeg_segment
from kornia_srgan.photos.xmp import without_announcements
from tests.helpers.photos import enlarge

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
GAIN_MAP = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}>
<rdf:Description xmlns:G="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Container="http://ns.google.com/photos/1.0/container/"
 xmlns:Item="http://ns.google.com/photos/1.0/container/item/" G:Version="1.0" xmp:Rating="4">
 <G:GainMapMax><rdf:Seq><rdf:li>2.5</rdf:li></rdf:Seq></G:GainMapMax>
 <Container:Directory><rdf:Seq>
  <rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>
  <rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Length="99"/></rdf:li>
 </rdf:Seq></Container:Directory>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
MOTION = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}>
<rdf:Description xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1"
 GCamera:MicroVideoOffset="12345" GCamera:SpecialTypeID="kept"/></rdf:RDF></x:xmpmeta>"""


def jpeg(*segments):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG")
    return file.getvalue()[:2] + b"".join(segments) + file.getvalue()[2:]


def xmp(text):
    return jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + text.encode())


def index(*kinds):
    """The index of a multi-picture file with pictures of these kinds after the first."""
    rows = [struct.pack("<IIIHH", 0x030000, 0, 0, 0, 0)] + [
        struct.pack("<IIIHH", k, 9, 9, 0, 0) for k in kinds
    ]
    head = struct.pack("<HHHII", 2, 0xB001, 4, 1, len(rows)) + struct.pack(
        "<HHII", 0xB002, 7, 16 * len(rows), 38
    )
    return jpeg_segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + head + bytes(4) + b"".join(rows))


def notes_of(tmp_path, data, name="in.jpg"):
    (tmp_path / name).write_bytes(data)
    return enlarge(tmp_path / name, tmp_path / "out.jpg")


ISO = jpeg_segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))


@pytest.mark.parametrize(
    "segments",
    [(xmp(GAIN_MAP), index(0)), (xmp(GAIN_MAP),), (ISO, index(0)), (index(0x050000),)],
    ids=["Ultra HDR", "announced", "ISO 21496-1", "by its kind"],
)
def test_a_gain_map_is_named_and_announced_no_more(tmp_path, segments):
    (note,) = notes_of(tmp_path, jpeg(*segments) + jpeg())
    assert "its HDR gain map is left out" in note
    with Image.open(tmp_path / "out.jpg") as image:
        packet = image.info.get("xmp", b"")
    for word in (b"gain-map", b"Container", b"GainMap", b"Directory"):
        assert word not in packet
    assert not packet or b'xmp:Rating="4"' in packet


def test_apples_gain_map(tmp_path):
    auxiliary = jpeg(xmp("<HDRGainMap:HDRGainMapVersion>65536</HDRGainMap:HDRGainMapVersion>"))
    (note,) = notes_of(tmp_path, jpeg(index(0)) + auxiliary)
    assert "gain map" in note


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ((0x020002,), "its second picture (a stereo pair) is left out"),
        ((0,), "its second picture is left out"),
        ((0x020001,) * 3, "its 3 further pictures (a panorama) are left out"),
    ],
)
def test_further_pictures_are_named(tmp_path, kinds, words):
    (note,) = notes_of(tmp_path, jpeg(index(*kinds)) + jpeg() * len(kinds), "in.mpo")
    assert words in note


def test_a_multi_picture_file_of_pillow(tmp_path):
    images = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1].copy())]
    images[0].save(tmp_path / "in.mpo", save_all=True, append_images=images[1:])
    (note,) = enlarge(tmp_path / "in.mpo", tmp_path / "out.png")
    assert "second picture" in note


def test_a_cameras_previews_are_not_missed(tmp_path):
    assert notes_of(tmp_path, jpeg(index(0x010001, 0x010002)) + jpeg() * 2) == ()


def test_a_film_is_named(tmp_path):
    (note,) = notes_of(tmp_path, jpeg(xmp(MOTION)) + b"\0\0\0\x18ftypmp42")
    assert "film" in note
    packet = (tmp_path / "out.jpg").read_bytes()
    assert b"MotionPhoto" not in packet
    assert b"MicroVideo" not in packet
    assert b'GCamera:SpecialTypeID="kept"' in packet


JUMBF = b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa" + bytes(20)


@pytest.mark.parametrize(
    ("segment", "word"),
    [
        (jpeg_segment(0xEB, JUMBF), "Content Credentials"),
        (jpeg_segment(0xE1, b"FLIR\0\1\0\0" + bytes(20)), "FLIR"),
    ],
)
def test_what_vouches_for_or_measures_the_original_is_named(tmp_path, segment, word):
    (note,) = notes_of(tmp_path, jpeg(segment))
    assert word in note


def test_other_packets_stay_byte_for_byte():
    plain = (
        MOTION.replace('GCamera:MotionPhoto="1"', "").replace('GCamera:MicroVideoOffset="12345"', "").encode()
    )
    assert without_announcements(plain) == plain

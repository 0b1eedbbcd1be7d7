"""Pixels are right at every depth and orientation, or the file is refused in one sentence that names it."""

from __future__ import annotations

import pickle
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from dnas.images import decoding
from dnas.images.decoding import ImageFault, UnreadableImage, check_header, decode, read_header, shown

RAMP = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)
EIGHT = (RAMP // 257).astype(np.uint8)


def twelve_bits() -> np.ndarray:
    """Packed, as a TIFF file of 12 bits has them: two values in three bytes."""
    values = (RAMP // 16).astype(np.uint16).reshape(-1, 2)
    first, second = values[:, 0], values[:, 1]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1)
    return packed.astype(np.uint8)


def tiff(bits: int, photometric: int, data: bytes, more: Mapping[int, int] = {}) -> bytes:
    """An uncompressed little-endian TIFF of 8 x 8 pixels, grey without `more` tags."""
    tags = {256: 8, 257: 8, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 8, 279: len(data)}
    tags |= more
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory


def png_of_48_bits() -> bytes:
    """A colour PNG of 16 bits a channel, all of them the ramp."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + np.repeat(row, 3).astype(">u2").tobytes() for row in RAMP)
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def saved(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("8.png", EIGHT),
        ("16.png", RAMP),
        ("16.tif", RAMP),
        ("32.tif", RAMP.astype(np.int32)),
        ("float.tif", (RAMP / 65535).astype(np.float32)),
        ("16.pgm", RAMP),
    ],
)
def test_a_ramp_is_the_ramp_at_every_depth(name: str, pixels: np.ndarray, tmp_path: Path) -> None:
    found = np.asarray(decode(saved(tmp_path / name, pixels)))
    assert found.shape == (8, 8, 3)
    rounding = 1 if "float" in name else 0  # floats round to the nearest, integers down
    assert np.abs(found.astype(int) - EIGHT[..., None]).max() <= rounding
    assert decode(tmp_path / name, "L").mode == "L"


def test_pillow_has_no_say_in_12_bits_and_keeps_the_upper_byte_of_colours(tmp_path: Path) -> None:
    (tmp_path / "12.tif").write_bytes(tiff(12, 1, twelve_bits().tobytes()))
    assert np.asarray(decode(tmp_path / "12.tif", "L")).ravel()[[0, -1]].tolist() == [0, 255]
    (tmp_path / "48.png").write_bytes(png_of_48_bits())
    found = np.asarray(decode(tmp_path / "48.png"))
    assert np.array_equal(found[..., 1], RAMP >> 8)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (
            RAMP.astype(np.int32) * 2,
            "mode I with values from 0 to 131070, expected 0 to 65535: rescale the file",
        ),
        (RAMP.astype(np.int32) - 1, "mode I with values from -1 to 65534"),
        (RAMP.astype(np.float32), "mode F with values from 0 to 65535, expected 0 to 1"),
        (np.full((4, 4), np.nan, np.float32), "mode F with values from nan to nan"),
    ],
)
def test_values_outside_the_range_are_refused(pixels: np.ndarray, reason: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", pixels)
    for look in (decode, check_header):
        with pytest.raises(ImageFault) as error:
            look(path)
        assert str(error.value).startswith(f"{path} cannot be decoded ({reason}")


def test_sixteen_bits_with_white_as_zero_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(16, 0, RAMP.tobytes()))
    with pytest.raises(ImageFault, match="mode I;16 in which zero is white: invert the file"):
        decode(tmp_path / "a.tif")


def test_what_pillow_gets_wrong_of_a_tiff_is_refused(tmp_path: Path) -> None:
    paletted = Image.fromarray(EIGHT).convert("P")
    paletted.save(tmp_path / "16.tif")
    high, low = (struct.pack("<768H", *np.tile(np.arange(256) * factor, 3)) for factor in (256, 1))
    assert np.array_equal(np.asarray(decode(tmp_path / "16.tif", "L")), EIGHT)
    files = {
        "each channel of 16 bits apart": tiff(16, 2, RAMP.tobytes() * 3, {277: 3, 284: 2}),
        "8 bits with a sign": tiff(8, 1, EIGHT.tobytes(), {339: 2}),
        "a palette of 8 bits": (tmp_path / "16.tif").read_bytes().replace(high, low),
    }
    for reason, content in files.items():
        (tmp_path / "a.tif").write_bytes(content)
        for look in (decode, check_header):
            with pytest.raises(ImageFault, match=rf"a\.tif cannot be decoded \({reason}, which Pillow .*: "):
                look(tmp_path / "a.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_viewers(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    path = saved(tmp_path / "a.png", pixels, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(np.asarray(decode(path, "L")), expected)
    assert np.array_equal(np.asarray(decode(path, "L", exif_orientation=False)), pixels)
    assert read_header(path) == ("PNG", "L", 6, 4, orientation, False)
    deep = saved(tmp_path / "deep.png", pixels.astype(np.uint16) * 257, exif=exif)
    assert np.array_equal(np.asarray(decode(deep, "L")), expected)


def test_damaged_exif_leaves_whole_pixels(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    saved(tmp_path / "a.jpg", EIGHT, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\0\0")
    assert decode(tmp_path / "a.jpg").size == (8, 8)
    assert not recwarn.list


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_other_colours_become_rgb(mode: str, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    image = Image.new("RGB", (4, 4), (255, 255, 255)).convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path, **({"transparency": bytes([255, 0] * 128)} if mode == "P" else {}))
    assert decode(path).getextrema() == ((255, 255),) * 3
    check_header(path)
    assert not recwarn.list


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_the_first_frame_counts(suffix: str, tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), value) for value in (255, 0)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
    assert decode(tmp_path / f"a.{suffix}").getextrema() == ((255, 255),) * 3
    assert read_header(tmp_path / f"a.{suffix}").several_frames


BAD = {
    b"": "the file is empty",
    b"<!DOCTYPE html><html>": "no image format that is known, it begins with '<!DOCTYPE html><html>')",
    # Pillow would start Ghostscript.
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n": "no image format that is known",
    tiff(24, 1, bytes(192)): "TIFF of a kind that Pillow does not read, or damaged: unknown pixel mode)",
    png_of_48_bits().replace(
        b"\x10\x02", b"\x10\x06", 1
    ): "PNG of a kind that Pillow does not read, or damaged:",
}


@pytest.mark.parametrize(("content", "reason"), BAD.items())
def test_what_is_no_image_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for look in (decode, check_header, read_header):
        with pytest.raises(ImageFault) as error:
            look(path)
        assert str(error.value).startswith(f"{path} cannot be decoded ({reason}")
        copy = pickle.loads(pickle.dumps(error.value))
        assert (type(copy), str(copy), copy.path) == (ImageFault, str(error.value), str(path))


def test_a_truncated_file_a_bomb_and_a_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    path = saved(tmp_path / "a.jpg", noise)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ImageFault, match=r"a\.jpg cannot be decoded \(.*[Tt]runcated"):
        decode(path)
    with pytest.raises(ImageFault, match=r"1 x 201 pixels, too long and thin"):
        decode(saved(tmp_path / "strip.png", np.zeros((201, 1), np.uint8)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    with pytest.raises(ImageFault, match=r"64 pixels\) exceeds limit"):
        decode(saved(tmp_path / "bomb.png", EIGHT))


def test_a_colour_profile_that_pillow_does_not_take(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", EIGHT, icc_profile=bytes(2**21))
    for look in (decode, check_header, read_header):
        with pytest.raises(
            ImageFault, match=r"a larger colour profile, than Pillow takes: save it without\)$"
        ):
            look(path)


def test_what_the_system_does_not_give_is_another_fault(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UnreadableImage, match=r"a\.jpg cannot be read \(No such file or directory\)"):
        decode(tmp_path / "a.jpg")
    with pytest.raises(UnreadableImage, match="Is a directory"):
        decode(tmp_path)
    with pytest.raises(UnreadableImage, match="No such file"):
        decoding.status(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("path", "text"),
    [("a/ü [x].jpg", "a/ü [x].jpg"), ("a\nb.jpg", r"'a\nb.jpg'"), ("a\udcff.jpg", r"'a\udcff.jpg'")],
)
def test_names_stay_on_their_line(path: str, text: str) -> None:
    assert shown(path) == text

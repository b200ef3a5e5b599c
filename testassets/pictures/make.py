"""Makes the pictures of this folder and what Pillow makes of them: decoded.npz (upright, RGB) and resized.npz.

    python3 make.py         (needs Pillow and NumPy; the files here come from Pillow 9.4.0 and NumPy 1.24.2)

A picture is opened, turned by ImageOps.exif_transpose and converted to RGB, as the image loader of Hugging Face's processors does it.
"""
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

here = Path(__file__).parent
noise = np.random.RandomState(1)


def smooth(width, height, channels):
    """A picture with edges and slopes, so that chroma, filters and orientation all show."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (37 + 11 * c) + y * (23 - 5 * c) + 60 * ((x > width // 2) ^ (y > height // 3)) * (c + 1)) % 256 for c in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(path, pixels):
    """An RGB .png of 16 bits a channel, which Pillow reads but does not write."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


rgb = Image.fromarray(smooth(13, 9, 3))
rgba = Image.fromarray(smooth(13, 9, 4))
rgb.save(here / "rgb.jpg", quality=75)
rgb.save(here / "progressive.jpg", quality=90, progressive=True, subsampling=0)
rgb.convert("L").save(here / "grey.jpg")
rgb.convert("CMYK").save(here / "cmyk.jpg")
rgb.save(here / "rgb.png")
rgba.save(here / "alpha.png")
rgb.convert("L").save(here / "grey.png")
Image.merge("LA", [rgb.convert("L"), rgba.getchannel(3)]).save(here / "grey-alpha.png")
rgb.quantize(7).save(here / "indexed.png")
rgb.quantize(7).save(here / "indexed-transparent.png", transparency=2)
rgb.convert("1").save(here / "black-white.png")
png16(here / "sixteen.png", noise.randint(0, 65536, (5, 7, 3)))
rgb.save(here / "rgb.bmp")
rgb.quantize(7).save(here / "indexed.bmp")
rgb.convert("1").save(here / "black-white.bmp")
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(smooth(11, 6, 3)).save(here / f"orientation-{orientation}.jpg", quality=90, exif=exif)
    if orientation == 6:
        Image.fromarray(smooth(11, 6, 3)).save(here / "orientation-6.png", exif=exif)
        Image.fromarray(smooth(11, 6, 3)).save(here / "orientation-6.webp", exif=exif, lossless=True)

decoded = {}
for path in sorted(here.iterdir()):
    if path.suffix in (".jpg", ".png", ".bmp", ".webp"):
        decoded[path.name] = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
np.savez_compressed(here / "decoded.npz", **decoded)

source = noise.randint(0, 256, (9, 11, 3)).astype(np.uint8)
resized = {"source": source}
for resample in range(6):
    for width, height in ((4, 6), (11, 14), (17, 5)):
        resized[f"{resample}-{width}x{height}"] = np.asarray(Image.fromarray(source).resize((width, height), resample))
np.savez_compressed(here / "resized.npz", **resized)

"""Pictures that somebody uploads: looked at, made anew as PNG, and kept under their SHA-256.

What is kept is written by us from the decoded pixels alone. Nothing else of the file survives: no metadata, no second
picture, no script; and no SVG, which could have them.
"""

import hashlib
import re
from io import BytesIO
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from PIL import Image, ImageOps

LARGEST_UPLOAD = 1024 * 1024
MOST_PIXELS = 20_000_000
TOO_MANY_PIXELS = "The picture has more than 20 million pixels. Save it smaller, and try again."
FORMATS = ("PNG", "JPEG")
# What paper shows of a logo or a signature at 600 dots per inch; a larger picture is made smaller.
MOST_KEPT = (2000, 2000)
LOGOS, SIGNATURES = "logos", "signatures"
NAME = re.compile(r"logos/([0-9a-f]{64})\.png")


def remade(upload: "UploadedFile[Any]") -> bytes:
    """The picture as a PNG of our own making. Raises ``ValidationError`` for what is none, or is too large."""
    if upload.size is None or upload.size > LARGEST_UPLOAD:
        raise ValidationError("The picture is larger than 1 MiB. Save it smaller, and try again.")
    upload.seek(0)
    try:
        with Image.open(BytesIO(upload.read()), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValidationError(TOO_MANY_PIXELS)
            # A file that ends too early or lies about its pixels fails here, when they are read.
            turned = ImageOps.exif_transpose(image)
            picture = turned.convert("RGBA" if turned.has_transparency_data else "RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValidationError(TOO_MANY_PIXELS) from None
    except (OSError, SyntaxError, ValueError):
        raise ValidationError("The picture is neither PNG nor JPEG, or is damaged.") from None
    picture.thumbnail(MOST_KEPT)
    # The pixels alone go on: what else was in the file is in `info`.
    bare = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    output = BytesIO()
    bare.save(output, "PNG", optimize=True)
    return output.getvalue()


def keep(png: bytes, folder: str) -> str:
    """Stores a remade picture and returns its name, which is that of its content: the same again is kept once."""
    name = f"{folder}/{hashlib.sha256(png).hexdigest()}.png"
    if not default_storage.exists(name):
        stored = default_storage.save(name, ContentFile(png))
        if stored != name:
            # Somebody else was faster.
            default_storage.delete(stored)
    return name


def logo_digest(name: str) -> str | None:
    """The SHA-256 in the name of a kept logo; none for one that was uploaded before logos were remade."""
    found = NAME.fullmatch(name)
    return found[1] if found else None

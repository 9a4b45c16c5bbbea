"""Credentials baked into pictures (1EdTech, Open Badges 3.0, section 5.3): the picture is the badge."""

from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

KEYWORD = "openbadgecredential"
NAMESPACE = "https://purl.imsglobal.org/ob/v3p0"


def bake_png(picture: bytes, credential: str) -> bytes:
    """The PNG with the credential in an ``iTXt`` chunk, uncompressed."""
    info = PngInfo()
    info.add_itxt(KEYWORD, credential)
    output = BytesIO()
    with Image.open(BytesIO(picture), formats=["PNG"]) as image:
        image.save(output, "PNG", pnginfo=info)
    return output.getvalue()


def bake_svg(document: str, credential: str) -> str:
    """The SVG with the credential in an element right after its opening tag."""
    opening, tag, rest = document.partition(">")
    # The end of a CDATA section cannot stand in one: it is divided between two.
    content = credential.replace("]]>", "]]]]><![CDATA[>")
    baked = f"<openbadges:credential><![CDATA[{content}]]></openbadges:credential>"
    return f'{opening} xmlns:openbadges="{NAMESPACE}"{tag}{baked}{rest}'

"""The recipe inside the picture: an XMP packet (ISO 16684-1) with version, recipe and its hash, so that it can be made again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, unescape

from apochromat import __version__
from apochromat.picture.errors import PictureError

NAMESPACE = "urn:apochromat:develop:1#"
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:apo="{namespace}"
 xmp:CreatorTool="apochromat {version}" apo:Version="{version}" apo:RecipeHash="{digest}">
<apo:Recipe>{recipe}</apo:Recipe>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def canonical(recipe: Mapping[str, Any]) -> str:
    """The recipe as JSON with sorted keys and no spaces: equal recipes are equal texts."""
    return json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def recipe_hash(recipe: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical recipe, hexadecimal."""
    return hashlib.sha256(canonical(recipe).encode()).hexdigest()


def packet(recipe: Mapping[str, Any]) -> bytes:
    """The XMP packet of a picture made by the complete `recipe`, UTF-8."""
    fields = {"version": __version__, "digest": recipe_hash(recipe), "recipe": escape(canonical(recipe))}
    return PACKET.format(namespace=NAMESPACE, **fields).encode()


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe inside a picture that this program wrote; PictureError if there is none or it does not match its hash."""
    content = path.read_bytes()
    found = re.search(rb'apo:RecipeHash="([0-9a-f]{64})".*?<apo:Recipe>(.*?)</apo:Recipe>', content, re.DOTALL)
    if not found:
        raise PictureError(f"{path} holds no recipe: expected a picture that apochromat wrote")
    text = unescape(found[2].decode())
    if hashlib.sha256(text.encode()).hexdigest() != found[1].decode():
        raise PictureError(f"{path}: the recipe inside does not match its hash")
    return json.loads(text)

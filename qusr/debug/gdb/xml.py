"""XML, of which there is little."""

from __future__ import annotations


def text(plain: str) -> str:
    """Text as it may stand in an attribute."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        plain = plain.replace(sign, entity)
    return plain

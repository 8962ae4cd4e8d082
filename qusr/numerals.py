"""Numbers as options have them."""

from __future__ import annotations


def number(text: str) -> tuple[int, str]:
    """A number at the start of `text`, as strtoul(3) with base 0 reads it, and the rest.

    Raises:
        ValueError: there is none; the message says so.
    """
    base, at = 10, 0
    if text[:2] in ("0x", "0X"):
        base, at = 16, 2
    elif text[:1] == "0":
        base = 8
    end = at
    digits = "0123456789abcdefABCDEF" if base == 16 else "0123456789"[:base]
    while end < len(text) and text[end] in digits:
        end += 1
    if end == at:
        raise ValueError(f"{text}: not a number")
    return int(text[at:end], base), text[end:]

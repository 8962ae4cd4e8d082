"""The Main ID Register in /proc/cpuinfo: AArch32 and AArch64, two states of one architecture."""

from __future__ import annotations


def lines(midr: int, architecture: str) -> str:
    """The lines of /proc/cpuinfo that show it (c_show of arch/arm and arch/arm64)."""
    return (
        f"CPU implementer\t: 0x{midr >> 24:02x}\n"
        f"CPU architecture: {architecture}\n"
        f"CPU variant\t: 0x{midr >> 20 & 0xF:x}\n"
        f"CPU part\t: 0x{midr >> 4 & 0xFFF:03x}\n"
        f"CPU revision\t: {midr & 0xF}\n"
    )

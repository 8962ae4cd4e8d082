"""Ioctl commands that are not declared, and those that fill arrays."""

from __future__ import annotations

import errno
import struct

from qusr import _native
from qusr.arch.abi import HOST
from qusr.syscalls import layout
from qusr.syscalls.context import Context, fail, pack, unpack
from qusr.syscalls.ioctl_net import IFCONF, IFREQ_ADDR

WITH_POINTERS = {
    0x07: "I2C, VM sockets", 0x22: "SCSI generic", 0x3B: "VFIO, IOMMU", 0x41: "sound",
    0x4D: "MTD", 0x4E: "NVMe", 0x53: "CD-ROM", 0x55: "USB devices, input, sound control",
    0x56: "video", 0x61: "ATM", 0x62: "binder", 0x64: "graphics", 0x6B: "SPI", 0x74: "PPP",
    0x89: "network interfaces", 0x8B: "wireless", 0xA4: "SGX", 0xAA: "userfaultfd",
    0xAE: "KVM, Nitro enclaves", 0xAF: "vhost, vDPA", 0xB3: "MMC",
}  # fmt: skip
"""Kinds (_IOC_TYPE) that are not passed on: a guest's pointer inside their structs, or an address
of the guest's that the device is told, would be taken for one of the emulator (docs/devices.md).
"""
_COMMANDS_WITH_POINTERS = {
    # linux/fs.h: PAGEMAP_SCAN, PROCMAP_QUERY; fsverity.h: ENABLE_VERITY, READ_VERITY_METADATA
    0x66: {16, 17, 133, 135},
    # linux/btrfs.h: SNAP_CREATE_V2, SUBVOL_CREATE_V2 (qgroup_inherit), INO_PATHS, LOGICAL_INO,
    # SEND, LOGICAL_INO_V2, ENCODED_READ and ENCODED_WRITE
    0x94: {23, 24, 35, 36, 38, 59, 64},
    # xfs_fs.h: FSBULKSTAT and its like, the calls by handle, ATTRMULTI, SCRUBV
    0x58: {64, 101, 102, 103, 104, 105, 106, 107, 108, 122, 123},
}
"""The same of kinds whose other commands are passed on: numbers (_IOC_NR)."""
EVDEV = ord("E")
EVIOCSFF = 0x80


def other(ctx: Context, fd: int, request: int, argument: int) -> int:
    """A command without a declaration."""
    request &= 0xFFFFFFFF
    argument &= (1 << 64) - 1
    kind, number = request >> 8 & 0xFF, request & 0xFF
    directed = request >> 30 != 0
    if kind == EVDEV and number != EVIOCSFF and not ctx.abi.big_endian:
        # Names and bit sets, of whatever size the program asks for (EVIOCGNAME, EVIOCGBIT…).
        return ctx.host_call("ioctl", fd, request, ctx.pointer(argument))
    if ctx.abi.word != HOST.word or ctx.abi.big_endian or _points(kind, number):
        if ctx.process.log is not None:
            what = WITH_POINTERS.get(kind)
            text = f"ioctl {request:#x} ({what})" if what else f"ioctl {request:#x}"
            ctx.process.log.unimp(f"{text}: not implemented, ENOTTY")
        raise fail(errno.ENOTTY)
    # A command of the old kind does not say whether it takes a pointer or a number.
    if directed or ctx.process.memory.prot_at(argument) is not None:
        argument = ctx.pointer(argument)
    return ctx.host_call("ioctl", fd, request, argument)


def _points(kind: int, number: int) -> bool:
    return kind in WITH_POINTERS or number in _COMMANDS_WITH_POINTERS.get(kind, ())


def siocgifconf(ctx: Context, fd: int, request: int, address: int) -> int:
    """The addresses of all interfaces, as many as there is room for (net/core/dev_ioctl.c)."""
    values = ctx.read_struct(IFCONF, address)
    guest_size, host_size = IFREQ_ADDR.size(ctx.abi), IFREQ_ADDR.size(HOST)
    room = max(0, values["ifc_len"]) // guest_size
    buffer = _native.Buffer(bytes(max(1, room * host_size)))
    host = {"ifc_len": room * host_size, "ifc_buf": buffer.address}
    if not values["ifc_buf"]:
        # Only the size that is needed is asked for.
        host = {"ifc_len": 0, "ifc_buf": 0}
    data = bytearray(pack(IFCONF, host))
    result = ctx.host_call("ioctl", fd, request, data)
    (length,) = struct.unpack("<i", data[:4])
    count = length // host_size
    if values["ifc_buf"]:
        found = buffer.read()[: count * host_size]
        items = (
            pack(IFREQ_ADDR, _item(found, at, host_size), ctx.abi)
            for at in range(0, len(found), host_size)
        )
        ctx.write(values["ifc_buf"], b"".join(items))
    values["ifc_len"] = count * guest_size
    ctx.write_struct(IFCONF, address, values)
    return result


def _item(data: bytes, at: int, size: int) -> dict[str, object]:
    ctype: layout.CType = IFREQ_ADDR
    return unpack(ctype, data[at : at + size])

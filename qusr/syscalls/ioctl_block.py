"""Ioctls of files, file systems and block devices: linux/{fs,fiemap,loop,hdreg,cdrom}.h."""

from __future__ import annotations

from qusr.syscalls.ioctl_codes import (
    Command,
    changes,
    fields,
    group,
    io,
    ior,
    iow,
    iowr,
    plain,
    plains,
    raw,
    reads,
    stores,
)
from qusr.syscalls.layout import (
    Bytes,
    CType,
    PerAbi,
    Struct,
    long,
    ptr,
    s32,
    s64,
    u8,
    u16,
    u32,
    u64,
    ulong,
)

FSXATTR = Struct(
    "fsxattr",
    [
        *fields(
            "head", u32, "fsx_xflags fsx_extsize fsx_nextents fsx_projid fsx_cowextsize"
        ).fields,
        ("_fsx_pad", Bytes(8)),
    ],
)  # fmt: skip
FIEMAP = Struct(
    "fiemap",
    [
        ("fm_start", u64), ("fm_length", u64), ("fm_flags", u32), ("fm_mapped_extents", u32),
        ("fm_extent_count", u32), ("_fm_reserved", u32),
    ],
)  # fmt: skip
FSTRIM_RANGE = fields("fstrim_range", u64, "start len minlen")
CLONE_RANGE = Struct(
    "file_clone_range",
    [("src_fd", s64), ("src_offset", u64), ("src_length", u64), ("dest_offset", u64)],
)
DEDUPE_RANGE = Struct(
    "file_dedupe_range",
    [
        ("src_offset", u64), ("src_length", u64), ("dest_count", u16), ("reserved1", u16),
        ("reserved2", u32),
    ],
)  # fmt: skip
FSUUID2 = Struct("fsuuid2", [("len", u8), ("uuid", Bytes(16))])
HD_GEOMETRY = Struct(
    "hd_geometry", [("heads", u8), ("sectors", u8), ("cylinders", u16), ("start", ulong)]
)
BLKPG_IOCTL_ARG = Struct(
    "blkpg_ioctl_arg", [("op", s32), ("flags", s32), ("datalen", s32), ("data", ptr)]
)
LOOP_INFO64 = Struct(
    "loop_info64",
    [
        *fields("head", u64, "lo_device lo_inode lo_rdevice lo_offset lo_sizelimit").fields,
        *fields(
            "numbers", u32, "lo_number lo_encrypt_type lo_encrypt_key_size lo_flags"
        ).fields,
        ("lo_file_name", Bytes(64)), ("lo_crypt_name", Bytes(64)), ("lo_encrypt_key", Bytes(32)),
        ("lo_init", u64 * 2),
    ],
)  # fmt: skip
LOOP_CONFIG = Struct(
    "loop_config",
    [("fd", u32), ("block_size", u32), ("info", LOOP_INFO64), ("_reserved", u64 * 8)],
)
# __kernel_old_dev_t: asm/posix_types*.h of each architecture.
_OLD_DEV: dict[str, CType] = {"x64": ulong, "ids16": u16, "s390": u16, "*": u32}
OLD_DEV = PerAbi("__kernel_old_dev_t", _OLD_DEV)
LOOP_INFO = Struct(
    "loop_info",
    [
        ("lo_number", s32), ("lo_device", OLD_DEV), ("lo_inode", ulong), ("lo_rdevice", OLD_DEV),
        ("lo_offset", s32), ("lo_encrypt_type", s32), ("lo_encrypt_key_size", s32),
        ("lo_flags", s32), ("lo_name", Bytes(64)), ("lo_encrypt_key", Bytes(32)),
        ("lo_init", ulong * 2), ("reserved", Bytes(4)),
    ],
)  # fmt: skip
CDROM_TOCHDR = fields("cdrom_tochdr", u8, "cdth_trk0 cdth_trk1")
DM_IOCTL = Struct("dm_ioctl", [("_all", Bytes(312, 8))])

TABLE: list[Command] = [
    # Declared with long, but it is an int that is moved (fs/ioctl.c).
    *group(
        stores,
        {"FS_IOC_GETFLAGS": ior("f", 1, long), "FS_IOC_GETVERSION": ior("v", 1, long)},
        s32,
    ),
    *group(
        reads,
        {"FS_IOC_SETFLAGS": iow("f", 2, long), "FS_IOC_SETVERSION": iow("v", 2, long)},
        s32,
    ),
    stores("FS_IOC_FSGETXATTR", ior("X", 31, FSXATTR), FSXATTR),
    reads("FS_IOC_FSSETXATTR", iow("X", 32, FSXATTR), FSXATTR),
    raw("FS_IOC_FIEMAP", iowr("f", 11, FIEMAP)),
    stores("FS_IOC_GETFSLABEL", ior(0x94, 49, Bytes(256)), Bytes(256)),
    reads("FS_IOC_SETFSLABEL", iow(0x94, 50, Bytes(256)), Bytes(256)),
    stores("FS_IOC_GETFSUUID", ior(0x15, 0, FSUUID2), FSUUID2),
    changes("FIBMAP", io(0, 1), s32),
    stores("FIGETBSZ", io(0, 2), s32),
    plain("FIFREEZE", iowr("X", 119, s32)),
    plain("FITHAW", iowr("X", 120, s32)),
    changes("FITRIM", iowr("X", 121, FSTRIM_RANGE), FSTRIM_RANGE),
    plain("FICLONE", iow(0x94, 9, s32)),
    reads("FICLONERANGE", iow(0x94, 13, CLONE_RANGE), CLONE_RANGE),
    raw("FIDEDUPERANGE", iowr(0x94, 54, DEDUPE_RANGE)),
    stores("FAT_IOCTL_GET_ATTRIBUTES", ior("r", 0x10, u32), u32),
    reads("FAT_IOCTL_SET_ATTRIBUTES", iow("r", 0x11, u32), u32),
    # Block devices.
    *group(
        stores,
        {
            "BLKROGET": io(0x12, 94), "BLKSSZGET": io(0x12, 104),
            "BLKBSZGET": ior(0x12, 112, ulong), "BLKIOMIN": io(0x12, 120),
            "BLKIOOPT": io(0x12, 121), "BLKALIGNOFF": io(0x12, 122),
            "BLKPBSZGET": io(0x12, 123), "BLKDISCARDZEROES": io(0x12, 124),
        },
        s32,
    ),
    *group(reads, {"BLKROSET": io(0x12, 93), "BLKBSZSET": iow(0x12, 113, ulong)}, s32),
    *group(
        stores,
        {"BLKGETSIZE": io(0x12, 96), "BLKRAGET": io(0x12, 99), "BLKFRAGET": io(0x12, 101)},
        ulong,
    ),
    *group(stores, {"BLKSECTGET": io(0x12, 103), "BLKROTATIONAL": io(0x12, 126)}, u16),
    *group(
        stores,
        {"BLKGETSIZE64": ior(0x12, 114, ulong), "BLKGETDISKSEQ": ior(0x12, 128, u64)},
        u64,
    ),
    *group(
        reads,
        {
            "BLKDISCARD": io(0x12, 119), "BLKSECDISCARD": io(0x12, 125),
            "BLKZEROOUT": io(0x12, 127),
        },
        u64 * 2,
    ),
    *(
        plain(name, io(0x12, number))
        for name, number in {
            "BLKRRPART": 95, "BLKFLSBUF": 97, "BLKRASET": 98, "BLKFRASET": 100,
        }.items()
    ),
    reads("BLKPG", io(0x12, 105), BLKPG_IOCTL_ARG),
    stores("HDIO_GETGEO", 0x0301, HD_GEOMETRY),
    stores("HDIO_GET_IDENTITY", 0x030D, Bytes(512)),
    # Loop devices.
    *plains(
        {
            "LOOP_SET_FD": 0x4C00, "LOOP_CLR_FD": 0x4C01, "LOOP_CHANGE_FD": 0x4C06,
            "LOOP_SET_CAPACITY": 0x4C07, "LOOP_SET_DIRECT_IO": 0x4C08,
            "LOOP_SET_BLOCK_SIZE": 0x4C09, "LOOP_CTL_ADD": 0x4C80, "LOOP_CTL_REMOVE": 0x4C81,
            "LOOP_CTL_GET_FREE": 0x4C82,
        }
    ),
    reads("LOOP_SET_STATUS", 0x4C02, LOOP_INFO),
    stores("LOOP_GET_STATUS", 0x4C03, LOOP_INFO),
    reads("LOOP_SET_STATUS64", 0x4C04, LOOP_INFO64),
    stores("LOOP_GET_STATUS64", 0x4C05, LOOP_INFO64),
    reads("LOOP_CONFIGURE", 0x4C0A, LOOP_CONFIG),
    # CD-ROM drives.
    *plains(
        {
            "CDROMPAUSE": 0x5301, "CDROMRESUME": 0x5302, "CDROMSTOP": 0x5307,
            "CDROMSTART": 0x5308, "CDROMEJECT": 0x5309, "CDROMRESET": 0x5312,
            "CDROMCLOSETRAY": 0x5319, "CDROM_SET_OPTIONS": 0x5320,
            "CDROM_CLEAR_OPTIONS": 0x5321, "CDROM_SELECT_SPEED": 0x5322,
            "CDROM_MEDIA_CHANGED": 0x5325, "CDROM_DRIVE_STATUS": 0x5326,
            "CDROM_DISC_STATUS": 0x5327, "CDROM_LOCKDOOR": 0x5329,
            "CDROM_GET_CAPABILITY": 0x5331,
        }
    ),
    stores("CDROMREADTOCHDR", 0x5305, CDROM_TOCHDR),
    # The device mapper's calls carry their own size, and no words.
    *(raw(f"DM_{number}", iowr(0xFD, number, DM_IOCTL)) for number in range(18)),
]  # fmt: skip

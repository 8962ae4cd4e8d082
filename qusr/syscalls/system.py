"""The system as a whole: names, information, random numbers, keys, modules, and what is refused."""

from __future__ import annotations

import errno

from qusr.syscalls.decl import (
    IN,
    OUT,
    RET,
    Arg,
    Array,
    Buf,
    Case,
    Enum,
    Fd,
    Flags,
    FlagTable,
    Hex,
    Int,
    Path,
    Ptr,
    Raw,
    Size,
    Str,
    Switch,
    Syscall,
    UInt,
    ULong,
)
from qusr.syscalls.layout import Bytes, Struct, long, ptr, s32, u16, u32, u64, ulong

UTSNAME = Struct(
    "new_utsname",
    [
        (name, Bytes(65))
        for name in ("sysname", "nodename", "release", "version", "machine", "domainname")
    ],
)
# The padding at the end is longer than a word only where words are short.
SYSINFO = Struct(
    "sysinfo",
    [
        ("uptime", long), ("loads", ulong * 3), ("totalram", ulong), ("freeram", ulong),
        ("sharedram", ulong), ("bufferram", ulong), ("totalswap", ulong), ("freeswap", ulong),
        ("procs", u16), ("_pad", u16), ("totalhigh", ulong), ("freehigh", ulong),
        ("mem_unit", u32),
    ],
    pad_to=64,
)  # fmt: skip

GRND = FlagTable({"GRND_NONBLOCK": 1, "GRND_RANDOM": 2, "GRND_INSECURE": 4})
LINUX_REBOOT_CMD_RESTART2 = 0xA1B2C3D4
REBOOT = {
    0x01234567: "LINUX_REBOOT_CMD_RESTART", 0xCDEF0123: "LINUX_REBOOT_CMD_HALT",
    0x89ABCDEF: "LINUX_REBOOT_CMD_CAD_ON", 0: "LINUX_REBOOT_CMD_CAD_OFF",
    0x4321FEDC: "LINUX_REBOOT_CMD_POWER_OFF",
    LINUX_REBOOT_CMD_RESTART2: "LINUX_REBOOT_CMD_RESTART2",
    0xD000FCE2: "LINUX_REBOOT_CMD_SW_SUSPEND", 0x45584543: "LINUX_REBOOT_CMD_KEXEC",
}  # fmt: skip
SYSLOG = {
    0: "SYSLOG_ACTION_CLOSE", 1: "SYSLOG_ACTION_OPEN", 2: "SYSLOG_ACTION_READ",
    3: "SYSLOG_ACTION_READ_ALL", 4: "SYSLOG_ACTION_READ_CLEAR", 5: "SYSLOG_ACTION_CLEAR",
    6: "SYSLOG_ACTION_CONSOLE_OFF", 7: "SYSLOG_ACTION_CONSOLE_ON",
    8: "SYSLOG_ACTION_CONSOLE_LEVEL", 9: "SYSLOG_ACTION_SIZE_UNREAD",
    10: "SYSLOG_ACTION_SIZE_BUFFER",
}  # fmt: skip
PERSONALITY = FlagTable(
    {
        "UNAME26": 0x20000, "ADDR_NO_RANDOMIZE": 0x40000, "FDPIC_FUNCPTRS": 0x80000,
        "MMAP_PAGE_ZERO": 0x100000, "ADDR_COMPAT_LAYOUT": 0x200000,
        "READ_IMPLIES_EXEC": 0x400000, "ADDR_LIMIT_32BIT": 0x800000, "SHORT_INODE": 0x1000000,
        "WHOLE_SECONDS": 0x2000000, "STICKY_TIMEOUTS": 0x4000000, "ADDR_LIMIT_3GB": 0x8000000,
    },
    fields=[(0xFF, {0: "PER_LINUX", 8: "PER_LINUX32"})],
)  # fmt: skip
MODULE_INIT = FlagTable({"MODULE_INIT_IGNORE_MODVERSIONS": 1, "MODULE_INIT_IGNORE_VERMAGIC": 2,
                         "MODULE_INIT_COMPRESSED_FILE": 4})  # fmt: skip
DELETE_MODULE = FlagTable({"O_NONBLOCK": 0o4000, "O_TRUNC": 0o1000}, family="open")

_WORDS = (ULong("arg2"), ULong("arg3"), ULong("arg4"), ULong("arg5"))
_KEY = Int("key")
_RING = Int("keyring")
# linux/keyctl.h; the lengths of the buffers are in the struct.
DH_PARAMS = Struct("keyctl_dh_params", [("private", s32), ("prime", s32), ("base", s32)])
KDF_PARAMS = Struct(
    "keyctl_kdf_params",
    [("hashname", ptr), ("otherinfo", ptr), ("otherinfolen", u32), ("spare", u32 * 8)],
)
PKEY_QUERY = Struct(
    "keyctl_pkey_query",
    [
        ("supported_ops", u32), ("key_size", u32), ("max_data_size", u16), ("max_sig_size", u16),
        ("max_enc_size", u16), ("max_dec_size", u16), ("spare", u32 * 10),
    ],
)  # fmt: skip
PKEY_PARAMS = Struct(
    "keyctl_pkey_params",
    [("key_id", s32), ("in_len", u32), ("out_len", u32), ("spare", u32 * 7)],
)
_PKEY = (Ptr("params", PKEY_PARAMS, IN), Str("info"), Raw("in"), Raw("out"))
# security/keys/keyctl.c; commands of plain numbers go by the default.
KEYCTL: dict[int, tuple[str, tuple[Arg, ...]]] = {
    0: ("KEYCTL_GET_KEYRING_ID", _WORDS),
    1: ("KEYCTL_JOIN_SESSION_KEYRING", (Str("name"),)),
    2: ("KEYCTL_UPDATE", (_KEY, Buf("payload", IN, size="plen"), Size("plen"))),
    3: ("KEYCTL_REVOKE", _WORDS),
    4: ("KEYCTL_CHOWN", _WORDS),
    5: ("KEYCTL_SETPERM", _WORDS),
    6: ("KEYCTL_DESCRIBE", (_KEY, Buf("buffer", OUT, size="buflen"), Size("buflen"))),
    7: ("KEYCTL_CLEAR", _WORDS),
    8: ("KEYCTL_LINK", _WORDS),
    9: ("KEYCTL_UNLINK", _WORDS),
    10: ("KEYCTL_SEARCH", (_RING, Str("type"), Str("description"), Int("dest_keyring"))),
    11: ("KEYCTL_READ", (_KEY, Buf("buffer", OUT, size="buflen"), Size("buflen"))),
    12: ("KEYCTL_INSTANTIATE",
         (_KEY, Buf("payload", IN, size="plen"), Size("plen"), Int("keyring"))),
    13: ("KEYCTL_NEGATE", _WORDS),
    14: ("KEYCTL_SET_REQKEY_KEYRING", _WORDS),
    15: ("KEYCTL_SET_TIMEOUT", _WORDS),
    16: ("KEYCTL_ASSUME_AUTHORITY", _WORDS),
    17: ("KEYCTL_GET_SECURITY", (_KEY, Buf("buffer", OUT, size="buflen"), Size("buflen"))),
    18: ("KEYCTL_SESSION_TO_PARENT", _WORDS),
    19: ("KEYCTL_REJECT", _WORDS),
    20: ("KEYCTL_INSTANTIATE_IOV",
         (_KEY, Raw("payload_iov"), UInt("ioc"), Int("keyring"))),
    21: ("KEYCTL_INVALIDATE", _WORDS),
    22: ("KEYCTL_GET_PERSISTENT", _WORDS),
    23: ("KEYCTL_DH_COMPUTE",
         (Ptr("params", DH_PARAMS, IN), Buf("buffer", OUT, size="buflen"), Size("buflen"),
          Ptr("kdf", KDF_PARAMS, IN))),
    24: ("KEYCTL_PKEY_QUERY",
         (_KEY, ULong("unused"), Str("info"), Ptr("result", PKEY_QUERY, OUT))),
    25: ("KEYCTL_PKEY_ENCRYPT", _PKEY),
    26: ("KEYCTL_PKEY_DECRYPT", _PKEY),
    27: ("KEYCTL_PKEY_SIGN", _PKEY),
    28: ("KEYCTL_PKEY_VERIFY", _PKEY),
    29: ("KEYCTL_RESTRICT_KEYRING", (_RING, Str("type"), Str("restriction"))),
    30: ("KEYCTL_MOVE", (_KEY, Int("from_keyring"), Int("to_keyring"), UInt("flags"))),
    31: ("KEYCTL_CAPABILITIES", (Buf("buffer", OUT, size="buflen"), Size("buflen"))),
}  # fmt: skip
KEYCTL_HANDLERS = {20: "keys:instantiate_iov"}
_KEYCTL_REFUSED = {32: "KEYCTL_WATCH_KEY"}

_SECCOMP = (
    "filters have no listeners (SECCOMP_RET_USER_NOTIF) and end when the guest executes a program "
    "of the host"
)
_LANDLOCK = "it would confine the emulator, which opens files of its own"
_BPF = "maps and programs hold pointers, each command's in another place"
_PERF = (
    "software events and tracepoints, of the emulator's process; others do not exist (ENOENT): "
    "they would count the emulator's instructions"
)
_KEXEC = "the image would be for the guest's processor"
_PERF_ARGS = (Raw("attr"), Int("pid"), Int("cpu"), Fd("group_fd"), ULong("flags"))
_REMOVED = "no longer in Linux"
_26BIT = "no processor that is emulated has the 26-bit mode"

NS_ID_REQ = Struct(
    "ns_id_req",
    [
        ("size", u32), ("spare", u32), ("ns_id", u64), ("ns_type", u32), ("spare2", u32),
        ("user_ns_id", u64),
    ],
)  # fmt: skip

CALLS = (
    Syscall("uname", Ptr("buf", UTSNAME, OUT), builtin="uname"),
    Syscall("sysinfo", Ptr("info", SYSINFO, OUT)),
    Syscall("getrandom", Buf("buf", OUT, size="buflen"), Size("buflen"), Flags("flags", GRND)),
    Syscall("sethostname", Buf("name", IN, size="len"), Int("len")),
    Syscall("setdomainname", Buf("name", IN, size="len"), Int("len")),
    Syscall("personality", Flags("persona", PERSONALITY), handler="system:personality"),
    Syscall("syslog", Enum("type", SYSLOG), Buf("bufp", OUT, size="len"), Int("len")),
    Syscall(
        "reboot", Hex("magic"), Hex("magic2"),
        Switch("op", [(LINUX_REBOOT_CMD_RESTART2, Case(Str("arg")))],
               default=Case(ULong("arg")), names=REBOOT),
    ),
    Syscall("acct", Path("filename")),
    Syscall("add_key", Str("type"), Str("description"), Buf("payload", IN, size="plen"),
            Size("plen"), _RING),
    Syscall("request_key", Str("type"), Str("description"), Str("callout_info"), _RING),
    Syscall(
        "keyctl",
        Switch(
            "operation",
            [
                *(
                    (number, Case(*args, handler=KEYCTL_HANDLERS.get(number)))
                    for number, (_, args) in KEYCTL.items()
                ),
                *((number, Case(enosys="nobody has a queue for it")) for number in _KEYCTL_REFUSED),
            ],
            default=Case(*_WORDS),
            names={**{number: name for number, (name, _) in KEYCTL.items()}, **_KEYCTL_REFUSED},
        ),
        partial="KEYCTL_WATCH_KEY is missing: its queue would be of the host's structs",
    ),
    Syscall("init_module", Raw("module_image"), ULong("len"), Str("param_values")),
    Syscall("finit_module", Fd("fd"), Str("param_values"), Flags("flags", MODULE_INIT)),
    Syscall("delete_module", Str("name"), Flags("flags", DELETE_MODULE)),
    Syscall("kexec_load", ULong("entry"), ULong("nr_segments"), Raw("segments"), ULong("flags"),
            enosys=_KEXEC),
    Syscall("kexec_file_load", Fd("kernel_fd"), Fd("initrd_fd"), ULong("cmdline_len"),
            Str("cmdline"), ULong("flags"), enosys=_KEXEC),
    Syscall("seccomp", UInt("operation"), UInt("flags"), Raw("args"), builtin="seccomp",
            partial=_SECCOMP),
    Syscall("landlock_create_ruleset", Raw("attr"), Size("size"), UInt("flags"),
            enosys=_LANDLOCK),
    Syscall("landlock_add_rule", Fd("ruleset_fd"), Int("rule_type"), Raw("rule_attr"),
            UInt("flags"), enosys=_LANDLOCK),
    Syscall("landlock_restrict_self", Fd("ruleset_fd"), UInt("flags"), enosys=_LANDLOCK),
    Syscall("lsm_get_self_attr", UInt("attr"), Raw("ctx"), Ptr("size", u32, OUT), UInt("flags"),
            enosys="the labels would be the emulator's"),
    Syscall("lsm_set_self_attr", UInt("attr"), Raw("ctx"), UInt("size"), UInt("flags"),
            enosys="the labels would be the emulator's"),
    Syscall("lsm_list_modules", Raw("ids"), Raw("size"), UInt("flags"),
            enosys="its companions are not there"),
    Syscall("bpf", Int("cmd"), Raw("attr"), UInt("size"), enosys=_BPF),
    Syscall("perf_event_open", *_PERF_ARGS, handler="system:perf_event_open", partial=_PERF),
    Syscall("perf_event_open", *_PERF_ARGS, enosys="bit fields have another order",
            families=("be",)),
    Syscall("listns", Ptr("req", NS_ID_REQ, IN),
            Array("ns_ids", u64, OUT, count="nr_ns_ids", filled=RET), Size("nr_ns_ids"),
            UInt("flags")),
    Syscall("restart_syscall"),
    Syscall("ARM_breakpoint", Hex("r0"), handler="system:breakpoint"),
    Syscall("ARM_cacheflush", Hex("start"), Hex("end"), Hex("flags"), builtin="cacheflush"),
    Syscall("riscv_flush_icache", Hex("start"), Hex("end"), Hex("flags"),
            builtin="flush_icache"),
    Syscall("riscv_hwprobe", Raw("pairs"), Size("pair_count"), Size("cpusetsize"), Raw("cpus"),
            UInt("flags"), handler="probe:hardware_probe"),
    Syscall("arch_prctl", Int("option"), Hex("arg2"), builtin="arch_prctl"),
    Syscall("modify_ldt", Int("func"), Hex("ptr"), ULong("bytecount"), builtin="modify_ldt"),
    Syscall("vm86old", Hex("v86"), enosys="a mode that only 32-bit kernels have"),
    *(
        Syscall(name, enosys="every C library has a newer one in its place")
        for name in ("oldstat", "oldlstat", "oldfstat", "olduname", "oldolduname")
    ),
    Syscall("uprobe", enosys="for code that the kernel has put into a program"),
    Syscall("uretprobe", enosys="for code that the kernel has put into a program"),
    *(Syscall(name, enosys=_REMOVED) for name in ("epoll_ctl_old", "epoll_wait_old")),
    *(Syscall(name, enosys="never was in Linux") for name in ("tuxcall", "security")),
    # Facilities and devices that a machine may lack (arch/s390/kernel/runtime_instr.c,
    # guarded_storage.c, sthyi.c; arch/s390/pci/pci_mmio.c).
    *(
        Syscall(name, Switch(first, [], default=Case(*rest, errno=number)))
        for name, first, rest, number in (
            ("s390_runtime_instr", "command", (Int("signum"),), errno.EOPNOTSUPP),
            ("s390_guarded_storage", "command", (Hex("gs_cb"),), errno.EOPNOTSUPP),
            ("s390_sthyi", "function_code",
             (Hex("resp_buffer"), Hex("return_code"), ULong("flags")), errno.EOPNOTSUPP),
            ("s390_pci_mmio_write", "mmio_addr", (Hex("user_buffer"), Size("length")),
             errno.ENODEV),
            ("s390_pci_mmio_read", "mmio_addr", (Hex("user_buffer"), Size("length")),
             errno.ENODEV),
        )
    ),
    Syscall("ARM_set_tls", Hex("tls"), builtin="set_tls"),
    Syscall("ARM_get_tls", builtin="get_tls"),
    Syscall("ARM_usr26", enosys=_26BIT),
    Syscall("ARM_usr32", enosys=_26BIT),
    Syscall("_sysctl", enosys=_REMOVED),
    Syscall("vserver", enosys="never was in Linux"),
    Syscall("pciconfig_iobase", ULong("which"), ULong("bus"), ULong("devfn"),
            enosys="for machines with a PCI host bridge of the old kind"),
    Syscall("pciconfig_read", ULong("bus"), ULong("devfn"), ULong("off"), ULong("len"),
            Raw("buf"), enosys="for machines with a PCI host bridge of the old kind"),
    Syscall("pciconfig_write", ULong("bus"), ULong("devfn"), ULong("off"), ULong("len"),
            Raw("buf"), enosys="for machines with a PCI host bridge of the old kind"),
)  # fmt: skip

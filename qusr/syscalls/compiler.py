"""The thunk compiler: declarations of one ABI to a table for `qusr._native`.

The table is a string of little-endian bytes, read by `native/kernel/src/thunk/reader.rs`
(which documents the format); it is cached on disk, so that a start does not
import the declarations. Each leaf of a call (a call may be a tree of
:class:`~qusr.syscalls.decl.Switch` cases) becomes a list of *operations*, one
for each guest argument, and the host call's arguments in terms of them.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from qusr.arch.abi import ABSENT, HOST, SIGNALS, Abi
from qusr.syscalls import decl, layout

MAGIC = b"QTHUNK11"
NONE_SLOT = 255
NO_MAP = 0xFFFF
INVALID = 0xFFFFFFFF
"""What a number becomes that means something to the host, but nothing to the guest."""

NATIVE, PYTHON, BUILTIN, ENOSYS, SWITCH, ERRNO, FORWARD = range(7)
FROM_ARG, FROM_MEMORY, FROM_NOWHERE = range(3)
(
    OP_INT, OP_PAIR, OP_FLAGS, OP_CONST, OP_PATH, OP_BUF, OP_STRUCT, OP_ARRAY, OP_IOVEC,
    OP_SOCKADDR_IN, OP_SOCKADDR_OUT, OP_MSGHDR, OP_MMSGHDR, OP_RAW, OP_BITS, OP_SWAP32,
    OP_ID16, OP_RECORDS, OP_VALUE, OP_SIGSET,
) = range(20)  # fmt: skip
LEN_CONST, LEN_SLOT, LEN_DEREF, LEN_RET = range(4)
MOVE_SIGNED, MOVE_CHECKED, MOVE_ID16 = 1, 2, 4
(
    MOVE_COPY, MOVE_INT, MOVE_PTR, MOVE_BITMAP, MOVE_SIGNAL, MOVE_ERRNO, MOVE_CODE, MOVE_WAIT,
    MOVE_CHILD, MOVE_FLAGS, MOVE_SIGSET,
) = range(11)  # fmt: skip
FOLLOW_NEVER, FOLLOW_ALWAYS, FOLLOW_UNLESS, FOLLOW_IF = range(4)
#: Besides one of these.
HOST_ROOT = 0x80
RET_LONG, RET_FD, RET_OFF, RET_FLAGS, RET_PATH, RET_STAT, RET_STORE, RET_SIGNAL = range(8)

BUILTINS = (
    "mmap", "munmap", "mprotect", "mremap", "brk", "madvise", "msync", "mincore", "mlock",
    "mlock2", "munlock", "mlockall", "munlockall", "shmat", "shmdt", "mmap2",
    "remap_file_pages", "set_vma_name",
    "chdir", "fchdir", "exit", "exit_group", "set_tls", "get_tls", "cacheflush",
    "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigsuspend", "sigaltstack",
    "rt_sigreturn", "sigreturn", "rt_sigtimedwait", "sigaction", "sigprocmask", "sigpending",
    "sigsuspend", "rt_sigtimedwait_time32", "pause", "set_robust_list",
    "get_robust_list", "set_tid_address", "set_seccomp", "get_seccomp", "seccomp",
    "getrlimit", "setrlimit", "prlimit64", "uname", "getdents", "getdents64", "lseek", "llseek",
    "sched_getaffinity", "set_tagged_addr", "get_tagged_addr", "pac_reset_keys",
    "pac_set_keys", "pac_get_keys", "setpgid",
    "unshare", "setns", "flush_icache", "getcwd", "pipe", "flush_range",
    "flush_all", "atomic_swap", "fix_unaligned", "swap_context", "get_fpexc", "set_fpexc",
    "arch_prctl", "modify_ldt", "set_thread_area", "get_thread_area", "page_size",
    "atomic_compare", "flush_scope", "sigsuspend_first", "vector_set_control",
    "vector_get_control", "set_fp_mode", "get_fp_mode", "sve_set_length", "sve_get_length",
)  # fmt: skip
"""Rust-side calls, in the order of `Builtin` in native/kernel/src/thunk/table.rs."""


class CompileError(Exception):
    """A declaration that makes no sense (a count argument that is not there…)."""


@dataclass
class _Pools:
    """What several calls share: struct conversions, and maps of flags and of other numbers."""

    abi: Abi
    conversions: dict[bytes, int] = field(default_factory=dict)
    flag_maps: dict[bytes, int] = field(default_factory=dict)
    value_maps: dict[bytes, int] = field(default_factory=dict)

    def conversion(self, guest: layout.CType, host: layout.CType) -> int:
        """Index of the conversion between `guest` in this ABI and `host` on the host."""
        return self._index(self.conversions, conversion_program(guest, host, self.abi))

    def flag_map(self, table: decl.FlagTable) -> int | None:
        """Index of the bit map, or None when the guest's bits are the host's."""
        rows = _flag_rows(table, self.abi)
        # Those of open(2) with 32 bits are looked at for O_LARGEFILE (thunk/review.rs).
        if not rows and not (table.family == "open" and self.abi.word == 4):
            return None
        code = struct.pack("<H", len(rows))
        code += b"".join(struct.pack("<4Q", *row) for row in sorted(rows))
        return self._index(self.flag_maps, code)

    def value_map(self, host: Mapping[str, int], family: str) -> int | None:
        """Index of the map from the guest's numbers of constants to the host's, or None when they
        are the same.
        """
        differing = self.abi.differing(family)
        if all(differing.get(name, number) == number for name, number in host.items()):
            return None
        guest = {name: differing.get(name, number) for name, number in host.items()}
        pairs = {
            guest[name]: host[name] for name in host if guest[name] not in (ABSENT, host[name])
        }
        known = set(guest.values())
        pairs.update((number, INVALID) for number in host.values() if number not in known)
        return self.pairs(pairs)

    def pairs(self, pairs: Mapping[int, int]) -> int:
        """Index of a map with these numbers."""
        return self._index(self.value_maps, _packed_pairs(pairs))

    def all_value_maps(self) -> bytes:
        """The value maps, the last one being that of errnos to the guest's, and its index; NO_MAP
        where all errnos are the same.
        """
        differing = self.abi.differing("errno")
        pairs = {
            getattr(errno, name): number
            for name, number in differing.items()
            if number != ABSENT and hasattr(errno, name)
        }
        index = len(self.value_maps) if pairs else NO_MAP
        maps = [*self.value_maps, _packed_pairs(pairs)] if pairs else [*self.value_maps]
        return struct.pack("<H", len(maps)) + b"".join(maps) + struct.pack("<H", index)

    def numbers(self) -> bytes:
        """What is numbered otherwise in memory: signals, flags of actions, codes of siginfo_t."""
        if not self.abi.differing("signal"):
            return b"\0"
        signals = self.abi.differing("signal")
        pairs = [
            (signals.get(name, n), n) for name, n in SIGNALS.items() if signals.get(name) != ABSENT
        ]
        rows = sorted(_flag_rows(decl.ACTION_FLAGS, self.abi))
        codes = self.abi.differing("sicode")
        coded = [(n & INVALID, codes[name] & INVALID) for name, n in decl.SI_CODES.items()
                 if name in codes]  # fmt: skip
        return b"".join(
            (
                b"\1",
                _packed(pairs),
                struct.pack("<H", len(rows)),
                *(struct.pack("<4Q", *row) for row in rows),
                _packed(coded),
                bytes(["code_first" in self.abi.families]),
                struct.pack("<I", self.abi.differing("socket").get("SOL_SOCKET", 1)),
                struct.pack("<Q", self.abi.differing("rlimit").get("RLIM_INFINITY", 0)),
            )
        )

    @staticmethod
    def _index(pool: dict[bytes, int], code: bytes) -> int:
        return pool.setdefault(code, len(pool))


def _packed_pairs(pairs: Mapping[int, int]) -> bytes:
    return _packed(sorted(pairs.items()))


def _packed(rows: Sequence[tuple[int, int]]) -> bytes:
    return struct.pack("<H", len(rows)) + b"".join(struct.pack("<II", *row) for row in rows)


def _flag_rows(table: decl.FlagTable, abi: Abi) -> set[tuple[int, int, int, int]]:
    """(mask, value) of the guest and of the host, of all flags and fields, or nothing when none
    differs.
    """
    guest, host = table.for_abi(abi), table.for_abi(HOST)
    moved = {(guest[name], guest[name], host[name], host[name])
             for name in guest if guest[name] != host[name]}  # fmt: skip
    for (mask, theirs), (our_mask, ours) in zip(table.fields_for(abi), table.fields, strict=True):
        if dict(theirs) != dict(ours):
            numbers = {name: number for number, name in ours.items()}
            moved |= {
                (mask, number, int(our_mask), numbers[name]) for number, name in theirs.items()
            }
    # Flags that stay where they are, but share bits with others that do not.
    masks = 0
    for guest_mask, _, host_mask, _ in moved:
        masks |= guest_mask | host_mask
    same = {(bits, bits, bits, bits) for name, bits in guest.items()
            if bits & masks and bits == host[name]}  # fmt: skip
    return moved | same if moved else set()


def conversion_program(guest: layout.CType, host: layout.CType, abi: Abi) -> bytes:
    """The moves between two layouts of a struct; see `native/kernel/src/thunk/convert.rs`.

    Leaves are paired by name. Host leaves without a guest's are zero on the way
    in, guest leaves without a host's are zero on the way out.
    """
    host_leaves = {leaf.path: leaf for leaf in layout.leaves(host, HOST)}
    guest_leaves = list(layout.leaves(guest, abi))
    moves: list[bytes] = []
    maps: list[bytes] = []
    picked = guest.pick(abi) if isinstance(guest, layout.PerAbi) else guest
    identical = not abi.big_endian and guest.size(abi) == host.size(HOST)
    identical = identical and {leaf.path for leaf in guest_leaves} == set(host_leaves)
    for leaf in guest_leaves:
        other = host_leaves.get(leaf.path.split("~")[0])
        if other is None:
            continue
        count = min(leaf.count, other.count)
        size, host_size = leaf.ctype.size(abi), other.ctype.size(HOST)
        flags = 0
        special = _special(leaf.ctype, abi)
        if special is not None:
            kind, identical = special, False
            flags = MOVE_SIGNED if isinstance(leaf.ctype, layout.Int) and leaf.ctype.signed else 0
            if isinstance(leaf.ctype, layout.FlagInt):
                assert isinstance(leaf.ctype.table, decl.FlagTable)
                rows = sorted(_flag_rows(leaf.ctype.table, abi))
                packed = b"".join(struct.pack("<4Q", *row) for row in rows)
                maps.append(struct.pack("<H", len(rows)) + packed)
        elif isinstance(leaf.ctype, layout.UserPtr | layout.UserPtr64):
            kind = MOVE_PTR
            identical = False
        elif isinstance(leaf.ctype, layout.Int):
            kind = MOVE_INT
            flags = MOVE_SIGNED if leaf.ctype.signed else 0
            if isinstance(leaf.ctype, layout.Uid16):
                flags |= MOVE_ID16
            elif isinstance(picked, layout.Struct) and picked.checks(leaf.path):
                flags |= MOVE_CHECKED
        else:
            kind = MOVE_BITMAP if isinstance(leaf.ctype, layout.Bitmap) else MOVE_COPY
            size = host_size = min(size, host_size)
        identical = identical and leaf.offset == other.offset and size == host_size
        identical = identical and leaf.count == other.count
        moves.append(
            struct.pack("<BIIIIBH", kind, leaf.offset, size, other.offset, host_size, flags, count)
        )
    head = struct.pack("<IIBH", guest.size(abi), host.size(HOST), identical, len(moves))
    return head + b"".join(moves) + struct.pack("<H", len(maps)) + b"".join(maps)


def _is_named(arg: decl.Arg) -> bool:
    return isinstance(arg, decl.Enum | decl.Switch) and arg.family != ""


_SPECIAL: tuple[tuple[type[layout.CType], str, int], ...] = (
    (layout.Signo, "signal", MOVE_SIGNAL),
    (layout.Errno, "errno", MOVE_ERRNO),
    (layout.SiCode, "sicode", MOVE_CODE),
    (layout.WaitStatus, "signal", MOVE_WAIT),
    (layout.ChildStatus, "signal", MOVE_CHILD),
)


def _special(ctype: layout.CType, abi: Abi) -> int | None:
    """The kind of a move that an ABI needs because of its numbers; None: what the type says."""
    if isinstance(ctype, layout.SigsetPack):
        return MOVE_SIGSET
    if isinstance(ctype, layout.FlagInt):
        assert isinstance(ctype.table, decl.FlagTable)
        return MOVE_FLAGS if _flag_rows(ctype.table, abi) else None
    for kind, family, move in _SPECIAL:
        if isinstance(ctype, kind) and abi.differing(family):
            return move
    return None


@dataclass
class CallLeaf:
    """The arguments collected on the way to one leaf of a call."""

    args: list[decl.Arg] = field(default_factory=list)
    slots: dict[str, int] = field(default_factory=dict)
    pair_high: dict[str, int] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    next_slot: int = 0

    def fork(self) -> CallLeaf:
        """A copy, for one case of a switch."""
        return CallLeaf(
            list(self.args), dict(self.slots), dict(self.pair_high), dict(self.constants),
            self.next_slot,
        )  # fmt: skip

    def add(self, arg: decl.Arg, abi: Abi) -> None:
        """Gives `arg` its register slot(s), by the ABI's rules."""
        self.args.append(arg)
        pair = isinstance(arg, decl.Loff) and abi.register == 4
        if pair and abi.pair_align:
            self.next_slot += self.next_slot & 1
        self.slots[arg.name] = self.next_slot
        if pair:
            low, high = self.next_slot, self.next_slot + 1
            if abi.big_endian:
                low, high = high, low
            self.slots[arg.name], self.pair_high[arg.name] = low, high
            self.next_slot += 2
        elif isinstance(arg, decl.LoHi):
            self.pair_high[arg.name] = self.next_slot + 1
            self.next_slot += 2
        elif isinstance(arg, decl.HiLo):
            self.pair_high[arg.name] = self.next_slot
            self.slots[arg.name] = self.next_slot + 1
            self.next_slot += 2
        else:
            self.next_slot += 1


class _CallCompiler:
    """Compiles one declaration."""

    def __init__(
        self,
        call: decl.Syscall,
        pools: _Pools,
        host_numbers: Mapping[str, int],
        calls: Mapping[str, decl.Syscall],
    ) -> None:
        self.call = call
        self.calls = calls
        self.pools = pools
        self.abi = pools.abi
        self.host_numbers = host_numbers

    def compile(self) -> bytes:
        if self.call.enosys is not None:
            return bytes([ENOSYS])
        whole = decl.Case(
            *self.call.args, handler=self.call.handler, builtin=self.call.builtin,
            ret=self.call.ret, forward=self.call.forward,
        )  # fmt: skip
        return self._node(CallLeaf(), whole.args, whole)

    def _node(self, leaf: CallLeaf, args: Sequence[decl.Arg], case: decl.Case) -> bytes:
        if case.enosys is not None:
            return bytes([ENOSYS])
        if case.errno is not None:
            return struct.pack("<BH", ERRNO, case.errno)
        for index, arg in enumerate(args):
            leaf.add(arg, self.abi)
            if isinstance(arg, decl.Switch):
                if args[index + 1 :]:
                    raise CompileError(f"{self.call.name}: arguments after a Switch")
                return self._switch(leaf, arg, case)
        if case.forward is not None:
            return self._forward(case.forward)
        if leaf.next_slot > self.abi.nargs:
            raise CompileError(f"{self.call.name}: too many arguments for {self.abi.name}")
        if case.handler is not None:
            text = case.handler.encode()
            file = NONE_SLOT if self.call.file is None else self._slot(leaf, self.call.file)
            return bytes([PYTHON, len(text)]) + text + bytes([file]) + self._scalars(leaf)
        if case.builtin is not None:
            # Rust works with the host's numbers, handlers in Python with the guest's.
            ops = b"".join(self._host_number(leaf, arg) for arg in leaf.args)
            return bytes([BUILTIN, BUILTINS.index(case.builtin), len(leaf.args)]) + ops
        return self._native(leaf, case)

    def _forward(self, forward: decl.Forward) -> bytes:
        """The node of another call, behind where its arguments are."""
        call = forward.target(self.calls)
        code = bytes([FORWARD, len(forward.sources)])
        for source in forward.sources:
            match source:
                case decl.Word():
                    row = (FROM_MEMORY, source.pointer, source.index, 0)
                case decl.Masked():
                    row = (FROM_ARG, source.arg, 0, source.mask)
                case decl.Fixed():
                    row = (FROM_NOWHERE, 0, 0, source.value)
                case _:
                    row = (FROM_ARG, source, 0, 0xFFFFFFFFFFFFFFFF)
            code += struct.pack("<BBBQ", *row)
        return code + _CallCompiler(call, self.pools, self.host_numbers, self.calls).compile()

    def _switch(self, leaf: CallLeaf, switch: decl.Switch, outer: decl.Case) -> bytes:
        slot = self._slot(leaf, switch.of)
        nodes: dict[int, bytes] = {}
        refused: dict[int, bytes] = {}
        # A number of the host's that is another constant of the guest's goes the usual way.
        named = decl.numbered(switch.names, switch.family, self.abi) if switch.family else {}
        for key, case in switch.cases:
            inner = leaf.fork()
            number, host = decl.constant(key, self.abi), decl.constant(key, HOST)
            if case.host is not None:
                inner.constants[switch.name] = decl.constant(case.host, HOST)
            elif number != host:
                inner.constants[switch.name] = host
            if number != host and isinstance(key, decl.Named) and host not in named:
                refused[host & switch.mask] = struct.pack("<BH", ERRNO, switch.unknown)
            if number != ABSENT:
                # A later case of a number replaces an earlier one.
                node = self._node(inner, case.args, self._inherit(case, outer))
                nodes[number & switch.mask] = node
        nodes = {**refused, **nodes}
        code = struct.pack("<BBQH", SWITCH, slot, switch.mask, len(nodes))
        for number, node in nodes.items():
            code += struct.pack("<Q", number) + node
        return code + self._node(
            leaf.fork(), switch.default.args, self._inherit(switch.default, outer)
        )

    @staticmethod
    def _inherit(case: decl.Case, outer: decl.Case) -> decl.Case:
        """A case takes handler, builtin and result kind from the call unless it has its own."""
        return decl.Case(
            *case.args, host=case.host, handler=case.handler or outer.handler,
            builtin=case.builtin or outer.builtin,
            ret=case.ret if case.ret is not None else outer.ret, name=case.name,
            enosys=case.enosys, errno=case.errno, forward=case.forward,
        )  # fmt: skip

    def _scalars(self, leaf: CallLeaf) -> bytes:
        """Arguments as numbers for a handler: pointers stay guest addresses, and numbers with names
        become the host's. A `long` has the guest's width, as in the kernel's compat calls.
        """
        return bytes([len(leaf.args)]) + b"".join(
            self._op(leaf, arg) if _is_named(arg) else self._number(leaf, arg, self.abi.word)
            for arg in leaf.args
        )

    def _number(self, leaf: CallLeaf, arg: decl.Arg, word: int) -> bytes:
        if arg.name in leaf.pair_high:
            return self._pair(leaf, arg)
        if isinstance(arg, decl.Scalar):
            return self._scalar(leaf, arg, word)
        size = 8 if isinstance(arg, decl.Loff) else self.abi.word
        return struct.pack("<BBBB", OP_INT, leaf.slots[arg.name], size * 8, 0)

    def _host_number(self, leaf: CallLeaf, arg: decl.Arg) -> bytes:
        """The same for Rust itself."""
        if arg.name in leaf.constants or isinstance(
            arg, decl.Flags | decl.Enum | decl.Signal | decl.Switch
        ):
            return self._op(leaf, arg)
        return self._number(leaf, arg, self.abi.register)

    def _native(self, leaf: CallLeaf, case: decl.Case) -> bytes:
        host = self.call.host or decl.Host(self.call.name, *(arg.name for arg in leaf.args))
        if host.name not in self.host_numbers:
            raise CompileError(f"{self.call.name}: the host has no {host.name}")
        sizes = self._set_sizes(leaf)
        ops = [sizes.get(arg.name) or self._op(leaf, arg) for arg in leaf.args]
        order = {arg.name: index for index, arg in enumerate(leaf.args)}
        host_args = []
        explicit = self.call.host is not None and bool(self.call.host.args)
        for value in host.args if explicit else [arg.name for arg in leaf.args]:
            if isinstance(value, int):
                host_args.append(struct.pack("<Bq", 1, value))
                continue
            if value not in order:
                # An argument that only other cases of a Switch have.
                host_args.append(struct.pack("<Bq", 1, 0))
                continue
            host_args.append(struct.pack("<Bq", 0, order[value]))
            if isinstance(leaf.args[order[value]], decl.LoHi):
                # pos_h is shifted out on a 64-bit kernel (fs/read_write.c pos_from_hilo).
                host_args.append(struct.pack("<Bq", 1, 0))
        code = struct.pack("<BHB", NATIVE, self.host_numbers[host.name], len(ops))
        code += b"".join(ops) + bytes([len(host_args)]) + b"".join(host_args)
        return code + self._ret(leaf, case.ret)

    def _set_sizes(self, leaf: CallLeaf) -> dict[str, bytes]:
        """Arguments with the size of a set of signals, where that is another than the host's."""
        if "sigset128" not in self.abi.families:
            return {}
        index = self.pools.pairs({16: 8, 8: INVALID})
        return {
            arg.size: struct.pack("<BBH", OP_VALUE, leaf.slots[arg.size], index)
            for arg in leaf.args
            if isinstance(arg, decl.Sigset) and isinstance(arg.size, str)
        }

    def _ret(self, leaf: CallLeaf, ret: decl.Ret | type[decl.Ret] | None) -> bytes:
        if isinstance(ret, type):
            ret = ret()
        if isinstance(ret, decl.RetFlags):
            index = self.pools.flag_map(ret.table)
            return struct.pack("<BH", RET_LONG if index is None else RET_FLAGS, index or 0)
        if isinstance(ret, decl.RetStore):
            return struct.pack("<BH", RET_STORE, self._slot(leaf, ret.pointer))
        kinds: dict[type[decl.Ret] | type[None], int] = {
            decl.RetFd: RET_FD, decl.RetOff: RET_OFF, decl.RetPath: RET_PATH,
            decl.RetStat: RET_STAT, decl.RetSignal: RET_SIGNAL,
        }  # fmt: skip
        return struct.pack("<BH", kinds.get(type(ret), RET_LONG), 0)

    def _pair(self, leaf: CallLeaf, arg: decl.Arg) -> bytes:
        return struct.pack("<BBB", OP_PAIR, leaf.slots[arg.name], leaf.pair_high[arg.name])

    def _scalar(self, leaf: CallLeaf, arg: decl.Scalar, word: int) -> bytes:
        if isinstance(arg, decl.Short):
            return struct.pack("<BB", OP_ID16, leaf.slots[arg.name])
        bits = arg.bits or word * 8
        return struct.pack("<BBBB", OP_INT, leaf.slots[arg.name], bits, int(arg.signed))

    def _op(self, leaf: CallLeaf, arg: decl.Arg) -> bytes:
        if arg.name in leaf.constants:
            return struct.pack("<Bq", OP_CONST, leaf.constants[arg.name])
        slot = leaf.slots[arg.name]
        little = not self.abi.big_endian
        match arg:
            case decl.LoHi() if self.abi.word == 8:
                return struct.pack("<BBBB", OP_INT, slot, 64, 1)
            case decl.Loff() | decl.LoHi() | decl.HiLo() if arg.name in leaf.pair_high:
                return self._pair(leaf, arg)
            case decl.Loff():
                return struct.pack("<BBBB", OP_INT, slot, 64, 1)
            case decl.Flags():
                index = self.pools.flag_map(arg.table)
                if index is None:
                    return self._scalar(leaf, arg, self.abi.register)
                return struct.pack("<BBH", OP_FLAGS, slot, index)
            case decl.Enum() | decl.Switch() | decl.Signal() if self._values(arg) is not None:
                return struct.pack("<BBH", OP_VALUE, slot, self._values(arg))
            case decl.Word32() if self.abi.big_endian:
                return struct.pack("<BB", OP_SWAP32, slot)
            case decl.Scalar():
                return self._scalar(leaf, arg, self.abi.register)
            case decl.Path():
                return self._path(leaf, arg)
            case decl.Raw():
                return struct.pack("<BB", OP_RAW, slot)
            case decl.FdData() if self.abi.big_endian or self.abi.differing("signal"):
                head = struct.pack(
                    "<BBBB", OP_RECORDS, slot, self._slot(leaf, arg.fd), arg.direction
                )
                return head + self._length(leaf, arg.size)
            case decl.Buf():
                head = struct.pack("<BBB", OP_BUF, slot, arg.direction)
                return head + self._length(leaf, arg.size)
            case decl.Sigset() if self.abi.differing("signal"):
                return struct.pack("<BB", OP_SIGSET, slot)
            case decl.Bits() if little and not arg.in_bits:
                head = struct.pack("<BBB", OP_BUF, slot, arg.direction)
                return head + self._length(leaf, arg.size)
            case decl.Bits():
                head = struct.pack("<BBBB", OP_BITS, slot, arg.direction, int(arg.in_bits))
                return head + self._length(leaf, arg.size)
            case decl.Ptr():
                program = self.pools.conversion(arg.ctype, arg.host)
                return struct.pack("<BBHB", OP_STRUCT, slot, program, arg.direction)
            case decl.Array():
                program = self.pools.conversion(arg.ctype, arg.host)
                head = struct.pack("<BBHB", OP_ARRAY, slot, program, arg.direction)
                filled = arg.count if arg.filled is None else arg.filled
                return head + self._length(leaf, arg.count) + self._length(leaf, filled)
            case decl.Iovec():
                return struct.pack(
                    "<BBBB", OP_IOVEC, slot, self._slot(leaf, arg.count), arg.direction
                )
            case decl.SockaddrIn():
                return struct.pack("<BBB", OP_SOCKADDR_IN, slot, self._slot(leaf, arg.size))
            case decl.SockaddrOut():
                return struct.pack("<BBB", OP_SOCKADDR_OUT, slot, self._slot(leaf, arg.size))
            case decl.Msghdr():
                return struct.pack("<BBB", OP_MSGHDR, slot, arg.direction)
            case decl.Mmsghdr():
                return struct.pack(
                    "<BBBB", OP_MMSGHDR, slot, self._slot(leaf, arg.count), arg.direction
                )
        raise CompileError(f"{self.call.name}: cannot compile {type(arg).__name__}")

    def _values(self, arg: decl.Enum | decl.Switch | decl.Signal) -> int | None:
        """Index of the map for the numbers of an argument."""
        if isinstance(arg, decl.Signal):
            return self.pools.value_map(SIGNALS, "signal")
        if not arg.family:
            return None
        return self.pools.value_map({name: n for n, name in arg.names.items()}, arg.family)

    def _path(self, leaf: CallLeaf, arg: decl.Path) -> bytes:
        at = NONE_SLOT if arg.at is None else self._slot(leaf, arg.at)
        mode, slot, bits = FOLLOW_NEVER, NONE_SLOT, 0
        if arg.follow is True:
            mode = FOLLOW_ALWAYS
        elif isinstance(arg.follow, tuple):
            mode = FOLLOW_IF if len(arg.follow) == 3 else FOLLOW_UNLESS
            slot = self._slot(leaf, arg.follow[0])
            bits = self._guest_bits(leaf, arg.follow[0], arg.follow[1])
        if arg.mount:
            mode |= HOST_ROOT
        return struct.pack("<BBBBBI", OP_PATH, leaf.slots[arg.name], at, mode, slot, bits)

    def _guest_bits(self, leaf: CallLeaf, name: str, bits: int) -> int:
        """Host flag bits in the guest's values, by the table of the flags argument."""
        arg = next(arg for arg in leaf.args if arg.name == name)
        if not isinstance(arg, decl.Flags):
            return bits
        guest, host = arg.table.for_abi(self.abi), arg.table.for_abi(HOST)
        return sum({guest[key] for key in guest if host[key] & bits and host[key] & ~bits == 0})

    def _slot(self, leaf: CallLeaf, name: str) -> int:
        if name not in leaf.slots:
            raise CompileError(f"{self.call.name}: no argument {name}")
        return leaf.slots[name]

    def _length(self, leaf: CallLeaf, size: int | str) -> bytes:
        if isinstance(size, int):
            return struct.pack("<BI", LEN_CONST, size)
        if size == decl.RET:
            return struct.pack("<BI", LEN_RET, 0)
        if size.startswith("*"):
            return struct.pack("<BI", LEN_DEREF, self._slot(leaf, size[1:]))
        return struct.pack("<BI", LEN_SLOT, self._slot(leaf, size))


def compile_table(
    calls: Mapping[str, decl.Syscall],
    numbers: Mapping[str, int],
    host_numbers: Mapping[str, int],
    abi: Abi,
) -> bytes:
    """The table for `abi`: every call of `numbers`, in the order of the numbers.

    Raises:
        CompileError: a declaration is inconsistent; its name is in the message.
    """
    pools = _Pools(abi)
    entries = []
    for name, number in sorted(numbers.items(), key=lambda item: item[1]):
        call = calls.get(name)
        code = bytes([ENOSYS])
        if call is not None:
            try:
                code = _CallCompiler(call, pools, host_numbers, calls).compile()
            except (KeyError, CompileError) as error:
                raise CompileError(f"{name}: {error}") from error
        text = name.encode()
        entries.append((number, struct.pack("<B", len(text)) + text + code))
    head = MAGIC + struct.pack("<BBBB", abi.word, abi.register, abi.align64, int(abi.big_endian))
    parts = [head, struct.pack("<H", len(pools.flag_maps)), *pools.flag_maps]
    parts += [pools.all_value_maps(), pools.numbers()]
    parts += [*_indexed(list(enumerate(pools.conversions))), *_indexed(entries)]
    return b"".join(parts)


def _indexed(items: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """Numbered parts that are read one by one, when they are used: how many, how long all of them
    are, their numbers and places, themselves.
    """
    yield struct.pack("<HI", len(items), sum(len(body) for _, body in items))
    at = 0
    for number, body in items:
        yield struct.pack("<II", number, at)
        at += len(body)
    yield from (body for _, body in items)

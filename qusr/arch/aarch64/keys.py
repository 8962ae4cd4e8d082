"""Pointer authentication as tracers and core files see it.

Sources: arch/arm64/kernel/ptrace.c (pac_mask_get, pac_enabled_keys_get, pac_address_keys_get and
their like), include/uapi/asm/ptrace.h.
"""

from __future__ import annotations

import errno

from qusr.arch.tracing import RegisterSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qusr.arch.tracing import ByteOrder

NT_ARM_PAC_MASK, NT_ARM_PACA_KEYS, NT_ARM_PACG_KEYS, NT_ARM_PAC_ENABLED_KEYS = (
    0x406, 0x407, 0x408, 0x40A,
)  # fmt: skip

#: The keys; which of those of addresses are not in use, and what the processor has
#: (native/guests/src/aarch64/registers.rs).
_KEYS, _STATE = 69, 74
_ADDRESSES, _GENERIC = 1 << 8, 1 << 9
#: PR_PAC_APIAKEY to PR_PAC_APDBKEY.
_ALL = 0xF

#: The bits of signed pointers to data and to code that have the authentication code
#: (native/guests/src/aarch64/pauth.rs); unsigned ones have zeros there.
CODE = 0x7F << 48


class _Set(RegisterSet):
    """One that a processor has with some feature of authentication."""

    __slots__ = ("feature",)

    def __init__(self, feature: int, unit: int, *fields: tuple[int | None, int]) -> None:
        super().__init__(unit, *fields)
        self.feature = feature

    def is_there(self, values: Sequence[int]) -> bool:
        """On a model that has it."""
        return values[_STATE] & self.feature != 0


class _Masks(_Set):
    """struct user_pac_mask, which cannot be stored to."""

    __slots__ = ()

    def pack(self, values: Sequence[int], original: int, order: ByteOrder) -> bytes:
        """The set's bytes."""
        return CODE.to_bytes(8, order) * 2

    def refused(self, data: bytes, order: ByteOrder, values: Sequence[int]) -> int:
        """It has no `set`."""
        return errno.EOPNOTSUPP

    def unpack(
        self, data: bytes, order: ByteOrder, values: Sequence[int], start: int = 0
    ) -> Iterator[tuple[int, int]]:
        """Nothing."""
        yield from ()


class _Enabled(_Set):
    """The keys that are in use, as prctl(PR_PAC_GET_ENABLED_KEYS) has them."""

    __slots__ = ()

    def pack(self, values: Sequence[int], original: int, order: ByteOrder) -> bytes:
        """The set's bytes."""
        return (~values[_STATE] & _ALL).to_bytes(8, order)

    def refused(self, data: bytes, order: ByteOrder, values: Sequence[int]) -> int:
        """Others than those of addresses there are not."""
        return errno.EINVAL if int.from_bytes(data[:8], order) & ~_ALL else 0

    def unpack(
        self, data: bytes, order: ByteOrder, values: Sequence[int], start: int = 0
    ) -> Iterator[tuple[int, int]]:
        """Those that are not in use."""
        if len(data) >= 8 and start == 0:
            yield _STATE, values[_STATE] & ~_ALL | ~int.from_bytes(data[:8], order) & _ALL


#: By note types, in the order of core files.
SETS = {
    NT_ARM_PAC_MASK: _Masks(_ADDRESSES, 8, (None, 8), (None, 8)),
    NT_ARM_PAC_ENABLED_KEYS: _Enabled(_ADDRESSES, 8, (None, 8)),
    NT_ARM_PACA_KEYS: _Set(_ADDRESSES, 16, *((_KEYS + n, 16) for n in range(4))),
    NT_ARM_PACG_KEYS: _Set(_GENERIC, 16, (_KEYS + 4, 16)),
}

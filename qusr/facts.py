"""All that the Rust side has to know of what Python declares, as bytes.

The build of the extension runs this (`native/machine/build.rs`) and puts the bytes into it, so that
a program can be started without Python and nothing is written down in two languages. It runs
where the extension is not there yet: what it imports must not need that.
`native/machine/src/facts.rs` reads them; tests/test_facts.py sees whether they are those of today.

Numbers have 8 bytes, strings their length before them, and lists their number of items.

What every start reads stands together, what one guest or one CPU model needs apart: bytes that are
not looked at are in no page that has to be there (they are 2 MB for all guests).
"""

from __future__ import annotations

import sys
from struct import Struct

from qusr import arch
from qusr.arch.machines import TITLES
from qusr.options import OPTIONS
from qusr.syscalls.table import compile_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from qusr.arch.base import Arch, CpuModel, Guest

_NUMBER = Struct("<Q")
_MASK = (1 << 64) - 1
#: Stands for a CPU's number where the text of /proc/cpuinfo is made.
_CPU = 987654321


def _numbers(*values: int) -> bytes:
    return b"".join(_NUMBER.pack(value & _MASK) for value in values)


def _bytes(data: bytes) -> bytes:
    return _numbers(len(data)) + data


def _texts(*texts: str) -> bytes:
    return b"".join(_bytes(text.encode()) for text in texts)


def _list(items: Iterable[bytes]) -> bytes:
    items = list(items)
    return _numbers(len(items)) + b"".join(items)


def everything() -> bytes:
    """The bytes."""
    guests = [(guest, _processor(guest)) for guest in arch.guests()]
    return b"".join(
        (
            _list(_texts(o.name, o.variable, o.kind) for o in OPTIONS),
            _list(_titles()),
            _list(_guest(guest) + _numbers(len(processor)) for guest, processor in guests),
            # What is only looked at for a program of the guest.
            *(processor for _, processor in guests),
        )
    )


def _titles() -> list[bytes]:
    """Names of machines, the special ones first. As a class 0 is either, as an order 2."""
    titles = [
        ((machine, bits, None), title)
        for package, machines, _ in arch.PACKAGES
        for (machine, bits), title in arch.others(package).items()
        if machine in machines
    ] + list(TITLES.items())
    titles.sort(key=lambda item: (item[0][1] == 0, item[0][2] is None))
    return [
        _numbers(machine, bits, 2 if order is None else int(order)) + _texts(title)
        for (machine, bits, order), title in titles
    ]


def _guest(guest: Guest) -> bytes:
    return b"".join(
        (
            _texts(guest.name, guest.title, guest.libraries),
            _numbers(guest.machine, guest.bits, guest.big_endian, *guest.flags),
            _list(_texts(triplet) for triplet in guest.triplets),
            _numbers(guest.min_address, guest.task_end, guest.stack_end, guest.dyn_base),
            _numbers(guest.reads_execute, guest.feature_property),
            _numbers(guest.abi_flags, guest.minsigstksz),
            _list(_numbers(*entry) for entry in guest.auxv),
            _numbers(guest.page_size),
            _list(_numbers(mask, value) + _texts(name) for mask, value, name in guest.variants),
            _list(_numbers(*numbers) + _texts(why) for *numbers, why in guest.refusals),
            _list(_numbers(bit, prot) for bit, prot in guest.guarded),
        )
    )


def _processor(guest: Guest) -> bytes:
    processor = arch.by_name(guest.name)
    assert processor is not None
    # Most variants of an ISA have the same table.
    tables = {name: compile_for(abi) for name, abi in guest.abis.items()}
    distinct = list(dict.fromkeys(tables.values()))
    models = [_model(processor, model, list(guest.abis)) for model in processor.models]
    return b"".join(
        (
            _list(_numbers(len(table)) for table in distinct),
            _list(_numbers(len(model)) for model in models),
            _list(
                b"".join(
                    (
                        _texts(variant, abi.name, abi.core),
                        _list(
                            _numbers(address) + _texts(name) + _bytes(page)
                            for address, name, page in processor.kernel_pages(variant)
                        ),
                        _numbers(distinct.index(tables[variant])),
                    )
                )
                for variant, abi in guest.abis.items()
            ),
            # The default model first, which most starts look at alone.
            *models,
            *distinct,
        )
    )


def _model(processor: Arch, model: CpuModel, variants: list[str]) -> bytes:
    return b"".join(
        (
            _texts(model.name),
            _list(_texts(name) + _numbers(on) for name, on in model.settings.items()),
            _list(
                _texts(variant, missing)
                for variant in variants
                if (missing := processor.lacks(model, variant))
            ),
            # As Unicorn has it, and as the native core does.
            _cpu(processor, model),
            _cpu(processor, model.on_native()),
        )
    )


def _cpu(processor: Arch, model: CpuModel) -> bytes:
    hwcap, second = processor.hwcap(model)
    foot = processor.cpuinfo(model, [])
    one = processor.cpuinfo(model, [_CPU]).removesuffix(foot)
    return b"".join(
        (
            _numbers(model.unicorn, hwcap),
            _list([] if second is None else [_numbers(second)]),
            _texts(processor.uname_of(model), processor.platform_of(model)),
            _list(_numbers(*register) for register in processor.system_registers(model)),
            _list(_texts(feature) for feature in processor.core_features(model)),
            _list(_texts(part) for part in one.split(str(_CPU))),
            _texts(foot),
        )
    )


def main() -> None:
    """Writes the bytes into the file that the command line names."""
    with open(sys.argv[1], "wb") as file:
        file.write(everything())


if __name__ == "__main__":
    main()

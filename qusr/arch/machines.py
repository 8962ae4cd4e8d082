"""What people call machines of ELF programs that are no guests (elf.h)."""

from __future__ import annotations

#: (e_machine, class, big-endian) -> what people call machines that are no guests, so that a
#: message can say what a file is built for. A class of 0 stands for either, a byte order of None
#: too.
TITLES: dict[tuple[int, int, bool | None], str] = {
    (21, 64, False): "little-endian PowerPC64",
    (21, 64, True): "PowerPC64",
    (22, 32, None): "S/390",
    (2, 32, None): "SPARC",
    (18, 32, None): "SPARC32+",
    (43, 64, None): "SPARC64",
    (15, 0, None): "PA-RISC",
    (42, 32, None): "SuperH",
    (50, 64, None): "Itanium",
    (88, 32, None): "M32R",
    (92, 32, None): "OpenRISC",
    (93, 32, None): "ARC",
    (94, 32, None): "Xtensa",
    (113, 32, None): "Nios II",
    (164, 32, None): "Hexagon",
    (189, 32, None): "MicroBlaze",
    (195, 32, None): "ARCv2",
    (247, 64, None): "BPF",
    (252, 32, None): "C-SKY",
    (258, 64, None): "LoongArch64",
    (258, 32, None): "LoongArch32",
    (0x9026, 64, None): "Alpha",
}

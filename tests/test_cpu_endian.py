"""Guests of both byte orders on each core: the same memory as qemu-user leaves.

Each program fills the buffer at `DATA` by loads and stores of every size and form and then
writes it to its standard output; all orders of bytes are visible in it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from qusr._native import CallRegs
from tests.emulators import qusr_command
from tests.guestcode import (
    A64S,
    AARCH64,
    AARCH64_BE,
    ALL,
    ARM,
    ARM_BE8,
    ARM_BE32,
    CODE,
    DATA,
    Flavour,
    Machine,
    assemble,
)

QEMU = {
    AARCH64: "qemu-aarch64",
    AARCH64_BE: "qemu-aarch64_be",
    ARM: "qemu-arm",
    ARM_BE8: "qemu-armeb",
    ARM_BE32: "qemu-armeb",
}
SIZE = 1024

A64 = f"""
    .globl _start
_start:
    ldr x20, =buffer
    ldr x1, =0x0102030405060708
    ldr x2, =0x1112131415161718
    mov x3, x20
    str x1, [x3], #8
    str w1, [x3], #4
    strh w1, [x3], #2
    strb w1, [x3], #2
    stp x1, x2, [x3], #16
    stp w1, w2, [x3], #8
    str x2, [x3, #3]
    add x3, x3, #16
    ldrsw x4, [x20, #4]
    ldrsh x5, [x20, #9]
    ldrb w6, [x20, #13]
    ldr x7, [x20, #5]
    ldpsw x8, x9, [x20, #16]
    stp x4, x5, [x3], #16
    stp x6, x7, [x3], #16
    stp x8, x9, [x3], #16
    ldaxr x4, [x20]
    add x4, x4, #1
    stlxr w5, x4, [x3]
    add x3, x3, #8
    add x11, x20, #16
    ldxp x6, x7, [x11]
    stxp w5, x7, x6, [x11]
    ldar w6, [x11]
    stlrh w6, [x3]
    add x3, x3, #8
    mov x10, #5
    add x11, x20, #24
    ldadd x10, x12, [x11]
    swp w10, w13, [x20]
    mov x14, x12
    cas x12, x10, [x11]
    stp x12, x13, [x3], #16
    add x11, x20, #32
    ldp x4, x5, [x11]
    mov x6, #77
    mov x7, #78
    casp x4, x5, x6, x7, [x11]
    stp x4, x5, [x3], #16
    casp w4, w5, w6, w7, [x11]
    stp w4, w5, [x3], #8
    ldxp w8, w9, [x20]
    stxp w10, w9, w8, [x20]
    stp w8, w10, [x3], #8
    ldsmaxh w6, w8, [x20]
    ldclr x7, x9, [x11]
    ldset w1, w10, [x11]
    stp x8, x9, [x3], #16
    stp w10, w1, [x3], #16
    ldr q0, [x20]
    ldr d1, [x20, #8]
    ldr s2, [x20, #12]
    ldr h3, [x20, #13]
    ldr b4, [x20, #14]
    str q0, [x3], #16
    stp d1, d2, [x3], #16
    stp q3, q4, [x3], #32
    ld1 {{v5.16b}}, [x20]
    ld1 {{v6.8h}}, [x20]
    ld1 {{v7.4s}}, [x20]
    ld1 {{v16.2d}}, [x20]
    str q5, [x3], #16
    str q6, [x3], #16
    str q7, [x3], #16
    str q16, [x3], #16
    ld2 {{v17.4h, v18.4h}}, [x20]
    ld3 {{v19.8b, v20.8b, v21.8b}}, [x20]
    ld4 {{v22.4s, v23.4s, v24.4s, v25.4s}}, [x20]
    ld1 {{v25.s}}[2], [x20]
    ld1r {{v26.4h}}, [x20]
    str q17, [x3], #16
    str q18, [x3], #16
    str q19, [x3], #16
    str q21, [x3], #16
    str q23, [x3], #16
    str q25, [x3], #16
    str q26, [x3], #16
    st1 {{v5.8h}}, [x3], #16
    st2 {{v6.4s, v7.4s}}, [x3], #32
    st4 {{v5.b, v6.b, v7.b, v8.b}}[3], [x3], #4
    add x3, x3, #12
    dup v9.4s, w1
    zip1 v10.8h, v9.8h, v16.8h
    str q10, [x3], #16
    crc32x w4, wzr, x1
    rev w5, w1
    stp w4, w5, [x3], #8
    mov x4, #{SIZE}
    sub x5, x3, x20
    cmp x5, x4
    b.hi 1f
    mov x0, #1
    mov x1, x20
    mov x2, x4
    mov x8, #64
    svc #0
1:  mov x0, #0
    mov x8, #93
    svc #0
    .bss
    .align 4
buffer: .space {SIZE}
"""

A32 = f"""
    .globl _start
_start:
    ldr r10, =buffer
    ldr r1, =0x01020304
    ldr r2, =0x05060708
    mov r3, r10
    str r1, [r3], #4
    strh r1, [r3], #2
    strb r1, [r3], #2
    mov r4, r2
    mov r5, r1
    strd r4, r5, [r3], #8
    stmia r3!, {{r1, r2}}
    str r2, [r3, #1]
    add r3, r3, #8
    ldrsh r4, [r10, #2]
    ldrsb r5, [r10, #3]
    ldrh r6, [r10, #1]
    ldr r7, [r10, #5]
    stmia r3!, {{r4-r7}}
    ldrd r4, r5, [r10, #16]
    ldmia r10, {{r6-r8}}
    bic r8, r8, #0xff
    stmia r3!, {{r4-r7}}
    ldrex r4, [r10]
    add r4, r4, #1
    strex r5, r4, [r10]
    ldrexd r4, r5, [r10]
    strexd r6, r4, r5, [r10]
    ldrexh r7, [r10]
    stmia r3!, {{r4-r7}}
    rev r4, r1
    rev16 r5, r1
    uxth r6, r1, ror #8
    stmia r3!, {{r4-r6}}
    add r9, r10, #256
    vldr d0, [r10]
    vldr s2, [r10, #4]
    vmov r4, r5, d0
    vstr d0, [r9]
    vstr s2, [r9, #8]
    strd r4, r5, [r9, #16]
    vldmia r10, {{d4-d7}}
    vstmdb r3!, {{d4-d5}}
    vstmia r9!, {{d4-d7}}
    NEON
    ldr r4, =1f + 1
    bx r4
    .thumb
1:  ldr r4, =0x0a0b0c0d
    ldrh r5, [r10, #6]
    ldr.w r6, [r10, #9]
    strd r4, r5, [r9], #8
    stmia r9!, {{r4-r6}}
    push {{r4-r6}}
    pop {{r0-r2}}
    stmia r9!, {{r0-r2}}
    movs r0, #1
    mov r1, r10
    ldr r2, =#{SIZE}
    movs r7, #4
    svc #0
    movs r0, #0
    movs r7, #1
    svc #0
    .ltorg
    .bss
    .align 4
buffer: .space {SIZE}
"""

NEON = """
    movw r4, #0x1234
    movt r4, #0x5678
    str r4, [r9], #4
    add r9, r9, #12
    vld1.8 {d16-d17}, [r10]
    vld1.16 {d18-d19}, [r10]
    vld1.32 {d20-d21}, [r10]
    vld1.64 {d22-d23}, [r10]
    vst1.64 {d16-d19}, [r9]!
    vst1.32 {d20-d23}, [r9]!
    vld2.16 {d16-d17}, [r10]
    vld3.8 {d18-d20}, [r10]
    vld4.32 {d21-d24}, [r10]
    vld1.16 {d25[2]}, [r10]
    vld1.32 {d26[]}, [r10]
    vstmia r9!, {d16-d26}
    vst1.8 {d16-d17}, [r9]!
    vst2.16 {d16-d17}, [r9]!
    vst4.8 {d18[1], d19[1], d20[1], d21[1]}, [r9]!
    add r9, r9, #12
    vdup.32 q0, r4
    vzip.16 q0, q8
    vstmia r9!, {d0-d3}
"""


def source(flavour: Flavour) -> str:
    return A64 if flavour in A64S else A32.replace("NEON", NEON)


def program(flavour: Flavour, folder: Path) -> Path:
    """Makes it of the source."""
    asm, obj, elf = (folder / f"program{suffix}" for suffix in (".s", ".o", ""))
    asm.write_text(("" if flavour in A64S else ".syntax unified\n") + source(flavour))
    command = [f"{flavour.prefix}as", *flavour.as_options, "-o", str(obj), str(asm)]
    subprocess.run(command, check=True)
    link = [f"{flavour.prefix}ld", *flavour.ld_options, f"-Ttext={CODE:#x}", f"-Tbss={DATA:#x}"]
    subprocess.run([*link, "-o", str(elf), str(obj)], check=True)
    return elf


def output(*command: str | Path) -> bytes:
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("flavour", ALL, ids=str)
@pytest.mark.parametrize("core", ["native", "native,check", "unicorn"])
def test_same_memory_on_each_core(flavour: Flavour, core: str, tmp_path: Path) -> None:
    elf = program(flavour, tmp_path)
    expected = output(QEMU[flavour], elf)
    assert len(expected) == SIZE
    assert output(qusr_command(f"qusr-{flavour.arch}"), "-core", core, elf) == expected


@pytest.mark.parametrize("flavour", ALL, ids=str)
def test_same_memory_as_qemu(flavour: Flavour, tmp_path: Path) -> None:
    expected = output(QEMU[flavour], program(flavour, tmp_path))
    assert len(expected) == SIZE
    # The linker puts .bss at DATA here too, as the last argument of `assemble` says.
    machine = Machine(flavour, assemble(flavour, source(flavour)))
    registers = machine.arch.registers
    written = []

    def on_syscall(regs: CallRegs, _imm: int) -> bool:
        addr, size = (regs.get(number) for number in registers.args[1:3])
        written.append(machine.space.read(addr, size))
        return False

    machine["sp"] = DATA + 0x1800
    assert machine.cpu.run(on_syscall)["reason"] == "syscall"
    differences = [at for at in range(SIZE) if written[0][at] != expected[at]]
    assert not differences
    assert sum(map(bool, expected)) > SIZE // 4

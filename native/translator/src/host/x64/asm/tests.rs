//! What the encoder emits, as `iced-x86` disassembles it.

use super::*;
use iced_x86::{Decoder, DecoderOptions, Formatter, NasmFormatter};

/// One instruction's text; fails if it is not exactly one.
fn text(f: impl FnOnce(&mut Asm)) -> String {
    let mut a = Asm::default();
    f(&mut a);
    let mut d = Decoder::with_ip(64, &a.buf, 0, DecoderOptions::NONE);
    let i = d.decode();
    assert_eq!(
        i.len(),
        a.buf.len(),
        "{:02x?} is not one instruction",
        a.buf
    );
    let mut s = String::new();
    let mut n = NasmFormatter::new();
    n.options_mut().set_space_after_operand_separator(true);
    n.format(&i, &mut s);
    s
}

const NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

#[test]
fn registers_of_all_numbers_and_widths() {
    for a in 0..16u8 {
        for b in 0..16u8 {
            let (x, y) = (NAMES[usize::from(a)], NAMES[usize::from(b)]);
            assert_eq!(
                text(|m| m.alu(Alu::Add, 64, a, Rm::R(b))),
                format!("add {x}, {y}")
            );
            assert_eq!(text(|m| m.mov_mr(64, Rm::R(a), b)), format!("mov {x}, {y}"));
            assert_eq!(text(|m| m.imul(64, a, Rm::R(b))), format!("imul {x}, {y}"));
            assert_eq!(
                text(|m| m.andn(64, a, b, Rm::R(a))),
                format!("andn {x}, {y}, {x}")
            );
            assert_eq!(
                text(|m| m.shiftx(Shift::Sar, 64, a, Rm::R(b), a)),
                format!("sarx {x}, {y}, {x}")
            );
            assert_eq!(
                text(|m| m.vex(Pp::F2, Map::M0f, false, 0x58, a, b, Rm::R(a))),
                format!("vaddsd xmm{a}, xmm{b}, xmm{a}")
            );
        }
    }
    // The byte registers that need a REX prefix.
    assert_eq!(text(|m| m.setcc(cc::NE, RSI)), "setne sil");
    assert_eq!(text(|m| m.movzx(8, RAX, Rm::R(RDI))), "movzx eax, dil");
    assert_eq!(text(|m| m.movzx(8, R9, Rm::R(RBX))), "movzx r9d, bl");
    assert_eq!(text(|m| m.test_i(8, Rm::R(RBP), 1)), "test bpl, 1");
}

#[test]
fn memory_operands() {
    let mut m = Mem::base(RBP, 0);
    let load = |m: Mem| text(|a| a.mov(64, RAX, m));
    // rbp and r13 as a base need a displacement, rsp and r12 a SIB byte.
    assert_eq!(load(m), "mov rax, [rbp]");
    m.base = R13;
    assert_eq!(load(m), "mov rax, [r13]");
    m.base = R12;
    assert_eq!(load(m), "mov rax, [r12]");
    m = Mem {
        base: RSP,
        index: NOREG,
        shift: 0,
        disp: -8,
        gs: false,
        wrap: false,
    };
    assert_eq!(load(m), "mov rax, [rsp-8]");
    m = Mem {
        base: RCX,
        index: R12,
        shift: 3,
        disp: 0x1234,
        gs: true,
        wrap: false,
    };
    assert_eq!(load(m), "mov rax, [gs:rcx+r12*8+1234h]");
    m = Mem {
        base: NOREG,
        index: NOREG,
        shift: 0,
        disp: 0x1000,
        gs: true,
        wrap: false,
    };
    assert_eq!(load(m), "mov rax, [gs:1000h]");
    m = Mem::base(RDI, -128);
    assert_eq!(
        text(|a| a.mov_mi(32, m, -1)),
        "mov dword [rdi-80h], 0FFFFFFFFh"
    );
    m = Mem {
        base: R8,
        index: R9,
        shift: 1,
        disp: -129,
        gs: true,
        wrap: false,
    };
    assert_eq!(
        text(|a| a.vex(Pp::None, Map::M0f, false, 0x10, 9, 0, m)),
        "vmovups xmm9, [gs:r8+r9*2-81h]"
    );
}

#[test]
fn constants_take_their_shortest_form() {
    let len = |k: u64| {
        let mut a = Asm::default();
        a.mov_ri(R10, k);
        a.pos()
    };
    assert_eq!(len(5), 6);
    assert_eq!(len(u64::MAX), 7);
    assert_eq!(len(0xffff_ffff), 6);
    assert_eq!(len(1 << 40), 10);
    assert_eq!(
        text(|m| m.mov_ri(R10, u64::MAX)),
        "mov r10, 0FFFFFFFFFFFFFFFFh"
    );
    assert_eq!(text(|m| m.mov_ri(RAX, 1 << 40)), "mov rax, 10000000000h");
}

#[test]
fn the_rest() {
    let m = Mem {
        base: RSI,
        index: NOREG,
        shift: 0,
        disp: 0,
        gs: true,
        wrap: false,
    };
    let rows: Vec<(String, &str)> = vec![
        (
            text(|a| a.locked(Map::M0f, 0xb0, 0xb1, 8, m, RSI)),
            "lock cmpxchg [gs:rsi], sil",
        ),
        (
            text(|a| a.locked(Map::M0f, 0xb0, 0xb1, 16, m, R9)),
            "lock cmpxchg [gs:rsi], r9w",
        ),
        (
            text(|a| a.locked(Map::M0f, 0xc0, 0xc1, 64, m, R9)),
            "lock xadd [gs:rsi], r9",
        ),
        (
            text(|a| a.cmpxchg_pair(true, m)),
            "lock cmpxchg16b [gs:rsi]",
        ),
        (text(|a| a.rorx(32, RDI, Rm::R(R8), 7)), "rorx edi, r8d, 7"),
        (text(|a| a.shrd(64, RAX, R11, 5)), "shrd rax, r11, 5"),
        (text(|a| a.bswap(64, R14)), "bswap r14"),
        (text(|a| a.lzcnt(32, RCX, Rm::R(RDX))), "lzcnt ecx, edx"),
        (
            text(|a| a.cmov(cc::GE, 64, R15, Rm::R(RAX))),
            "cmovge r15, rax",
        ),
        (text(|a| a.bt_i(64, Rm::R(R9), 63)), "bt r9, 3Fh"),
        (text(|a| a.movsx(32, 64, RAX, Rm::R(R9))), "movsxd rax, r9d"),
        (text(|a| a.movsx(8, 32, RAX, m)), "movsx eax, byte [gs:rsi]"),
        (
            text(|a| a.imul_i(64, RAX, Rm::R(R9), 1000)),
            "imul rax, r9, 3E8h",
        ),
        (
            text(|a| a.alu_i(Alu::And, 32, Rm::R(R9), -16)),
            "and r9d, 0FFFFFFF0h",
        ),
        (text(|a| a.group3(6, 64, Rm::R(R9))), "div r9"),
        (
            text(|a| a.shift_i(Shift::Sar, 64, Rm::R(R9), 3)),
            "sar r9, 3",
        ),
        (
            text(|a| a.shift_cl(Shift::Ror, 32, Rm::R(RAX))),
            "ror eax, cl",
        ),
        (text(|a| a.push(R12)), "push r12"),
        (text(|a| a.pop(RAX)), "pop rax"),
        (text(|a| a.jmp_rm(Mem::base(RCX, 8))), "jmp [rcx+8]"),
        (text(|a| a.cqo(64)), "cqo"),
        (
            text(|a| a.vexi(Pp::P66, Map::M0f3a, false, 0x0f, 3, 4, Rm::R(12), 5)),
            "vpalignr xmm3, xmm4, xmm12, 5",
        ),
        (
            text(|a| a.vex(Pp::P66, Map::M0f38, true, 0xa9, 0, 9, Rm::R(10))),
            "vfmadd213sd xmm0, xmm9, xmm10",
        ),
    ];
    for (got, want) in rows {
        assert_eq!(
            got.replace("qword ", "")
                .replace("oword ", "")
                .replace("far ", ""),
            want.replace("qword ", "")
        );
    }
}

#[test]
fn a_patched_displacement_does_not_cross_a_line() {
    for n in 0..128 {
        let mut a = Asm::default();
        a.bytes(&vec![0x90; n]);
        a.align_patch(1, 0);
        let at = a.pos() + 1;
        assert!(at / 64 == (at + 3) / 64, "at {at}");
    }
}

#[test]
fn displacements_that_are_patched_wherever_the_code_is_are_aligned() {
    let mut a = Asm::default();
    for n in 0..9 {
        a.clear(64);
        for _ in 0..n {
            a.bytes(&[0x90]);
        }
        a.align_patch_anywhere(1);
        assert_eq!(a.jmp().0 % 4, 0, "behind {n} bytes");
        assert!(a.pos() < n + 1 + 4 + 4);
    }
}

//! Classic BPF as seccomp has it (kernel/seccomp.c `seccomp_check_filter`, net/core/filter.c
//! `bpf_check_classic`): checking a program, running it.

/// struct sock_filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

/// struct seccomp_data in 32-bit words, as the guest's program sees them.
pub type Data = [u32; 16];
const DATA_SIZE: u32 = 64;
/// BPF_MAXINSNS.
pub const MAX_INSNS: usize = 4096;
/// BPF_MEMWORDS.
const MEMORY: usize = 16;

// linux/bpf_common.h: classes, then what the other bits say.
const LD: u16 = 0;
const LDX: u16 = 1;
const ST: u16 = 2;
const STX: u16 = 3;
const ALU: u16 = 4;
const JMP: u16 = 5;
const RET: u16 = 6;
const MISC: u16 = 7;
const IMM: u16 = 0x00;
const ABS: u16 = 0x20;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;
const X: u16 = 0x08;
const A: u16 = 0x10;
const TXA: u16 = 0x80;

/// Whether the kernel takes the program: known instructions, loads inside the data,
/// jumps inside the program, a return at the end, nothing read from memory unset.
#[must_use]
pub fn is_valid(program: &[Insn]) -> bool {
    if program.is_empty() || program.len() > MAX_INSNS {
        return false;
    }
    let known = program.iter().enumerate().all(|(at, insn)| {
        let left = program.len() - at - 1;
        match (insn.code & 7, insn.code & !7) {
            (LD, ABS) => insn.k < DATA_SIZE && insn.k % 4 == 0,
            (LD | LDX, IMM | LEN) => true,
            (LD | LDX, MEM) | (ST | STX, 0) => (insn.k as usize) < MEMORY,
            // Division by zero and shifts too far are refused when they are constants.
            (ALU, 0x30) => insn.k != 0,
            (ALU, 0x60 | 0x70) => insn.k < 32,
            (ALU, 0x00 | 0x10 | 0x20 | 0x40 | 0x50 | 0x80 | 0xa0) => true,
            (ALU, 0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78 | 0xa8) => true,
            (JMP, 0) => (insn.k as usize) < left,
            (JMP, 0x10 | 0x20 | 0x30 | 0x40 | 0x18 | 0x28 | 0x38 | 0x48) => {
                usize::from(insn.jt) < left && usize::from(insn.jf) < left
            }
            (RET, 0 | A) | (MISC, 0 | TXA) => true,
            _ => false,
        }
    });
    let ends = program.last().is_some_and(|insn| insn.code & 7 == RET);
    known && ends && stores_come_first(program)
}

/// No path loads a memory word that it did not store (`check_load_and_stores`).
fn stores_come_first(program: &[Insn]) -> bool {
    let mut masks = vec![0xffffu16; program.len()];
    let mut valid = 0u16;
    for (at, insn) in program.iter().enumerate() {
        valid &= masks[at];
        match (insn.code & 7, insn.code & !7) {
            (ST | STX, _) => valid |= 1 << insn.k,
            (LD | LDX, MEM) if valid & 1 << insn.k == 0 => return false,
            (JMP, 0) => {
                masks[at + 1 + insn.k as usize] &= valid;
                valid = !0;
            }
            (JMP, _) => {
                masks[at + 1 + usize::from(insn.jt)] &= valid;
                masks[at + 1 + usize::from(insn.jf)] &= valid;
                valid = !0;
            }
            _ => {}
        }
    }
    true
}

/// The program's verdict on `data`. The program is valid, so it ends.
#[must_use]
pub fn run(program: &[Insn], data: &Data) -> u32 {
    let (mut a, mut x) = (0u32, 0u32);
    let mut memory = [0u32; MEMORY];
    let mut at = 0;
    while let Some(insn) = program.get(at) {
        at += 1;
        let source = if insn.code & X != 0 { x } else { insn.k };
        match (insn.code & 7, insn.code & !7) {
            (LD, ABS) => a = data[insn.k as usize / 4],
            (LD, IMM) => a = insn.k,
            (LD, LEN) => a = DATA_SIZE,
            (LD, MEM) => a = memory[insn.k as usize],
            (LDX, IMM) => x = insn.k,
            (LDX, LEN) => x = DATA_SIZE,
            (LDX, MEM) => x = memory[insn.k as usize],
            (ST, _) => memory[insn.k as usize] = a,
            (STX, _) => memory[insn.k as usize] = x,
            (ALU, operation) => match operation & 0xf0 {
                0x00 => a = a.wrapping_add(source),
                0x10 => a = a.wrapping_sub(source),
                0x20 => a = a.wrapping_mul(source),
                0x30 if source == 0 => return 0,
                0x30 => a /= source,
                0x40 => a |= source,
                0x50 => a &= source,
                0x60 => a = a.wrapping_shl(source),
                0x70 => a = a.wrapping_shr(source),
                0x80 => a = a.wrapping_neg(),
                _ => a ^= source,
            },
            (JMP, 0) => at += insn.k as usize,
            (JMP, operation) => {
                let holds = match operation & 0xf0 {
                    0x10 => a == source,
                    0x20 => a > source,
                    0x30 => a >= source,
                    _ => a & source != 0,
                };
                at += usize::from(if holds { insn.jt } else { insn.jf });
            }
            (RET, A) => return a,
            (RET, _) => return insn.k,
            (_, TXA) => a = x,
            _ => x = a,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn insn(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
        Insn { code, jt, jf, k }
    }

    #[test]
    fn programs_that_the_kernel_refuses() {
        let end = insn(0x06, 0, 0, 0);
        assert!(is_valid(&[end]));
        assert!(!is_valid(&[]));
        // No return at the end; loads outside the data or not aligned; unknown loads.
        assert!(!is_valid(&[insn(0x20, 0, 0, 0)]));
        assert!(!is_valid(&[insn(0x20, 0, 0, 64), end]));
        assert!(!is_valid(&[insn(0x20, 0, 0, 2), end]));
        assert!(!is_valid(&[insn(0x28, 0, 0, 0), end]));
        // Jumps behind the end; a division by zero; memory that was never stored.
        assert!(!is_valid(&[insn(0x15, 1, 0, 0), end]));
        assert!(is_valid(&[insn(0x15, 0, 0, 0), end]));
        assert!(!is_valid(&[insn(0x34, 0, 0, 0), end]));
        assert!(!is_valid(&[insn(0x60, 0, 0, 3), end]));
        assert!(is_valid(&[insn(0x02, 0, 0, 3), insn(0x60, 0, 0, 3), end]));
        // BPF_MOD is not in seccomp's list.
        assert!(!is_valid(&[insn(0x94, 0, 0, 3), end]));
    }

    #[test]
    fn a_choice_by_number_and_argument() {
        // if (nr == 5 && (args[1] low & 0xff) > 9) return 7; else return 8
        let program = [
            insn(0x20, 0, 0, 0),
            insn(0x15, 0, 4, 5),
            insn(0x20, 0, 0, 24),
            insn(0x54, 0, 0, 0xff),
            insn(0x25, 0, 1, 9),
            insn(0x06, 0, 0, 7),
            insn(0x06, 0, 0, 8),
        ];
        assert!(is_valid(&program));
        let mut data = [0; 16];
        assert_eq!(run(&program, &data), 8);
        data[0] = 5;
        assert_eq!(run(&program, &data), 8);
        data[6] = 0x70a;
        assert_eq!(run(&program, &data), 7);
        data[6] = 0x7009;
        assert_eq!(run(&program, &data), 8);
    }

    #[test]
    fn registers_and_memory() {
        // x = 6; a = 100 / x; mem[1] = a; a = 3; a <<= 4; x = mem[1]; a ^= x; return a
        let program = [
            insn(0x01, 0, 0, 6),
            insn(0x00, 0, 0, 100),
            insn(0x3c, 0, 0, 0),
            insn(0x02, 0, 0, 1),
            insn(0x00, 0, 0, 3),
            insn(0x64, 0, 0, 4),
            insn(0x61, 0, 0, 1),
            insn(0xac, 0, 0, 0),
            insn(0x16, 0, 0, 0),
        ];
        assert!(is_valid(&program));
        assert_eq!(run(&program, &[0; 16]), (3 << 4) ^ 16);
    }
}

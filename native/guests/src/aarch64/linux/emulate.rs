//! Instructions that trap in a program and that Linux carries out (arch/arm64/kernel/cpufeature.c).

use crate::cpu::Emulated;

/// The number of a system register with op0 = 3, as `qusr/arch/aarch64/cpu.py` has it, too.
const fn system_register(op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    op1 << 11 | crn << 7 | crm << 3 | op2
}

/// MRS of an ID register; its result is what the kernel shows programs (`emulate_mrs`).
pub fn emulate(known: &[(u32, u64)], code: &[u8]) -> Option<Emulated> {
    let insn = u32::from_le_bytes(*code.first_chunk()?);
    // MRS with op0 = 3
    if insn & 0xfff8_0000 != 0xd538_0000 {
        return None;
    }
    let (op1, crn, crm, op2) = (
        insn >> 16 & 7,
        insn >> 12 & 15,
        insn >> 8 & 15,
        insn >> 5 & 7,
    );
    // The space that emulate_sys_reg() takes on.
    let (0, 0, 0 | 2..=7) = (op1, crn, crm) else {
        return None;
    };
    let value = shown(known, system_register(op1, crn, crm, op2))?;
    let rt = insn & 31;
    Some(Emulated {
        register: (rt != 31).then_some(rt),
        value,
        size: 4,
    })
}

/// What a kernel shows of the ID register `id`, `known` being those that differ from 0
/// (`emulate_sys_reg()`). None: not for programs.
fn shown(known: &[(u32, u64)], id: u32) -> Option<u64> {
    const MIDR: u32 = system_register(0, 0, 0, 0);
    const MPIDR: u32 = system_register(0, 0, 0, 5);
    const REVIDR: u32 = system_register(0, 0, 0, 6);
    match (known.iter().find(|(number, _)| *number == id), id) {
        (Some(&(_, value)), _) => Some(value),
        (None, MPIDR) => Some(1 << 31),
        (None, MIDR | REVIDR) => Some(0),
        (None, _) if id >> 3 & 15 == 0 => None,
        (None, _) => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_of_id_registers() {
        let known = [
            (system_register(0, 0, 6, 0), 0x1234),
            (system_register(0, 0, 0, 0), 0x410f_d070),
        ];
        let read = |insn: u32| {
            let found = emulate(&known, &insn.to_le_bytes());
            found.map(|read| (read.register, read.value, read.size))
        };
        // Encodings by aarch64-linux-gnu-as.
        assert_eq!(read(0xd538_0600), Some((Some(0), 0x1234, 4))); // mrs x0, id_aa64isar0_el1
        assert_eq!(read(0xd538_0003), Some((Some(3), 0x410f_d070, 4))); // mrs x3, midr_el1
        assert_eq!(read(0xd538_00bf), Some((None, 1 << 31, 4))); // mrs xzr, mpidr_el1
        assert_eq!(read(0xd538_0701), Some((Some(1), 0, 4))); // mrs x1, id_aa64mmfr0_el1
        assert_eq!(read(0xd53b_0021), None); // mrs x1, ctr_el0
        assert_eq!(read(0xd538_1000), None); // mrs x0, sctlr_el1
        assert_eq!(read(0xd518_0600), None); // msr to an ID register
        assert_eq!(read(0xd538_0020), None); // mrs x0, s3_0_c0_c0_1
        assert_eq!(read(0), None); // udf #0
    }
}

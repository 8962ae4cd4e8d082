//! The engine with an instruction set that no processor has, which asks for what the guests so far do not: flags of its
//! own, vectors of 256 bits, traps on a condition.

use super::{NativeConfig, Options, open};
use crate::cpu::{CpuCore, Exit, Flow};
use crate::guest::{FlagUse, Guest, Lift};
use crate::ir::build::IrBuilder;
use crate::ir::eval::mask;
use crate::ir::flags::{self, Cc, Kind, Model, of_add};
use crate::ir::interp::Interp;
use crate::ir::layout::Layout;
use crate::ir::sem::Sem;
use crate::ir::state::State;
use crate::ir::{Op, Trap};
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use std::sync::Arc;

const CODE: u64 = 0x40_0000;
const PC: u32 = 16;
const FLAGS: u32 = 17;
/// The number of the first piece of the vectors.
const V0: u32 = 18;

/// The result's low byte has an even number of ones, as in x86.
const PARITY: u64 = 1 << 18;
/// A carry out of the low four bits.
const HALF: u64 = 1 << 9;

fn own(a: u64, b: u64, result: u64) -> u64 {
    let parity = (result as u8).count_ones().is_multiple_of(2);
    let half = (a ^ b ^ result) >> 4 & 1 != 0;
    (u64::from(parity) * PARITY) | (u64::from(half) * HALF)
}

static MODEL: Model = Model {
    mask: flags::MASK | PARITY | HALF,
    kinds: &[Kind {
        op: Op::FSub,
        flags: |w, a, b, _| {
            let (a, b) = (a as u64, b as u64);
            of_add(w, a, !b, 1) | own(a, b, a.wrapping_sub(b) & mask(w))
        },
    }],
};

const LAYOUT: Layout = Layout {
    pieces: 2,
    ..Layout::new(16, 8)
};

/// An instruction is four bytes: what it does, and three operands.
struct Toy;

const SET: u8 = 0;
const COMPARE: u8 = 1;
const TRAP_IF: u8 = 2;
const GET_FLAGS: u8 = 3;
const STOP: u8 = 4;
const ADD_VECTORS: u8 = 5;
const JUMP: u8 = 6;
const SET_FLAGS: u8 = 7;
const BRANCH_IF: u8 = 8;

impl Toy {
    fn insn<S: Sem>(s: &mut S, pc: u64, code: &[u8]) -> Lift {
        let [what, a, b, c] = [code[0], code[1], code[2], code[3]];
        let (slot, other) = (u16::from(a), u16::from(b));
        match what {
            SET => {
                let v = s.konst(u64::from(b) | u64::from(c) << 8);
                s.set(slot, v);
            }
            COMPARE => {
                let (x, y) = (s.get(slot), s.get(other));
                let f = s.op2(Op::FSub, 32, x, y);
                s.set_f(f);
            }
            TRAP_IF => {
                let f = s.get_f();
                let cond = s.cc(Cc::from_index(c.into()), f);
                s.trap_if(cond, Trap::Breakpoint, a.into(), pc);
                let v = s.konst(99);
                s.set(other, v);
            }
            GET_FLAGS => {
                let f = s.get_f();
                let v = s.op1(Op::Pack, 32, f);
                s.set(slot, v);
            }
            SET_FLAGS => {
                let v = s.get(slot);
                let f = s.op1(Op::FPack, 32, v);
                s.set_f(f);
            }
            ADD_VECTORS => {
                for piece in 0..2 {
                    let (x, y) = (s.get_x(LAYOUT.piece(other, piece)), u16::from(c));
                    let y = s.get_x(LAYOUT.piece(y, piece));
                    let sum = s.op2(Op::VAdd, 64, x, y);
                    s.set_x(LAYOUT.piece(slot, piece), sum);
                }
            }
            JUMP => {
                s.jump(pc.wrapping_add_signed(4 * i64::from(a as i8)));
                return Lift::End;
            }
            BRANCH_IF => {
                let f = s.get_f();
                let cond = s.cc(Cc::from_index(c.into()), f);
                s.side(cond, pc.wrapping_add_signed(4 * i64::from(a as i8)));
            }
            STOP => {
                s.trap(Trap::Breakpoint, 0, pc);
                return Lift::End;
            }
            _ => return Lift::Undefined,
        }
        Lift::Next
    }
}

impl Guest for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }
    fn layout(&self) -> Layout {
        LAYOUT
    }
    fn flags(&self) -> &'static Model {
        &MODEL
    }
    fn hot_slots(&self) -> &'static [u16] {
        &[0, 1, 2]
    }
    fn hot_wide(&self) -> &'static [u16] {
        // Both pieces of vector 0, one of vector 1.
        &[0, 1, 3]
    }
    fn lift(&self, s: &mut IrBuilder, pc: u64, code: &[u8], _mode: &mut u32) -> (Lift, u8) {
        (Self::insn(s, pc, code), 4)
    }
    fn interpret(&self, s: &mut Interp<'_>, pc: u64, code: &[u8], _mode: &mut u32) -> (Lift, u8) {
        (Self::insn(s, pc, code), 4)
    }
    fn flag_use(&self, _pc: u64, code: &[u8]) -> FlagUse {
        match code[0] {
            GET_FLAGS | TRAP_IF | BRANCH_IF => FlagUse::Reads,
            _ => FlagUse::Unknown,
        }
    }
    fn mode(&self, _st: &State) -> u32 {
        0
    }
    fn is_volatile(&self, _code: &[u8]) -> bool {
        false
    }
    fn max_insn(&self) -> usize {
        4
    }
    fn register_count(&self) -> u32 {
        V0 + 16
    }
    fn register(&self, st: &State, id: u32) -> u128 {
        match id {
            PC => st.pc.into(),
            FLAGS => st.flags.into(),
            id if id >= V0 => st.v()[(id - V0) as usize],
            id => st.r()[id as usize].into(),
        }
    }
    fn set_register(&self, st: &mut State, id: u32, value: u128) {
        match id {
            PC => st.pc = value as u64,
            FLAGS => st.flags = value as u64,
            id if id >= V0 => st.v_mut()[(id - V0) as usize] = value,
            id => st.r_mut()[id as usize] = value as u64,
        }
    }
    fn tag_bits(&self) -> u8 {
        0
    }
    fn data_address(&self, addr: u64) -> u64 {
        addr
    }
    fn code_address(&self, addr: u64) -> u64 {
        addr
    }
    fn cache_line(&self, addr: u64) -> std::ops::Range<u64> {
        addr..addr + 4
    }
}

/// A core that is about to execute `code`.
fn core(code: &[[u8; 4]], opt: &str, check: bool) -> Box<dyn CpuCore> {
    let space = AddressSpace::new(SpaceConfig {
        reserved_va: Some(1 << 30),
        ..SpaceConfig::default()
    })
    .expect("an address space");
    let rwx = crate::memory::Prot::from_bits(7);
    let page = MmapRequest::anonymous(4096, rwx).fixed(CODE);
    assert_eq!(space.mmap(page), Ok(CODE));
    space.write(CODE, code.as_flattened()).expect("code");
    let config = NativeConfig {
        options: Options::parse(opt).expect("options"),
        check,
        hot: 2,
        ..NativeConfig::default()
    };
    let mut core = open(&Toy, &config, Arc::clone(&space), None).expect("a core");
    core.set(PC, CODE);
    core
}

/// Runs `code` with everything on, without deferred flags, with nothing on, co-simulated, and one instruction at a time.
fn each(
    code: &[[u8; 4]],
    mut test: impl FnMut(&mut dyn CpuCore, &dyn Fn(&mut dyn CpuCore) -> Exit),
) {
    let run = |core: &mut dyn CpuCore| core.run(&mut |_, _| Flow::Leave);
    for (opt, check) in [
        ("", false),
        ("no-flags", false),
        ("no-all", false),
        ("", true),
    ] {
        test(core(code, opt, check).as_mut(), &run);
    }
    let step = |core: &mut dyn CpuCore| loop {
        match core.step() {
            Exit::Interrupted => {}
            exit => return exit,
        }
    };
    test(core(code, "", false).as_mut(), &step);
}

#[test]
fn a_guests_own_flags_are_worked_out_by_it() {
    let compare = [COMPARE, 1, 5, 0];
    // In the same block, in one that reads them, in one that may not, and when they are set as a value.
    let same = vec![compare, [GET_FLAGS, 3, 0, 0], [STOP, 0, 0, 0]];
    let next = vec![
        compare,
        [JUMP, 1, 0, 0],
        [GET_FLAGS, 3, 0, 0],
        [STOP, 0, 0, 0],
    ];
    let late = vec![
        compare,
        [JUMP, 1, 0, 0],
        [SET, 4, 1, 0],
        [JUMP, 1, 0, 0],
        [GET_FLAGS, 3, 0, 0],
        [STOP, 0, 0, 0],
    ];
    for code in [same, next, late] {
        each(&code, |core, run| {
            for (a, b) in [(0x10, 1), (3, 3), (1, 2), (0x8000_0000, 1)] {
                core.set(PC, CODE);
                core.set(1, a);
                core.set(5, b);
                let result = a.wrapping_sub(b) & mask(32);
                let want = of_add(32, a, !b, 1) | own(a, b, result);
                assert_eq!(run(core), Exit::Breakpoint { imm: 0 });
                assert_eq!(
                    (core.get(3), core.get(FLAGS)),
                    (want, want),
                    "{a:#x} {b:#x}"
                );
            }
        });
    }
    let set = [
        [SET_FLAGS, 1, 0, 0],
        [JUMP, 1, 0, 0],
        [GET_FLAGS, 3, 0, 0],
        [STOP, 0, 0, 0],
    ];
    each(&set, |core, run| {
        core.set(1, u64::MAX);
        assert_eq!(run(core), Exit::Breakpoint { imm: 0 });
        assert_eq!((core.get(3), core.get(FLAGS)), (MODEL.mask, MODEL.mask));
    });
}

#[test]
fn conditions_of_such_flags_are_those_that_all_have() {
    let (less, equal) = (Cc::Lt as u8, Cc::Eq as u8);
    for between in [None, Some([JUMP, 1, 0, 0])] {
        let mut code = vec![[COMPARE, 1, 5, 0]];
        code.extend(between);
        code.extend([[BRANCH_IF, 3, 0, less], [SET, 3, 1, 0], [STOP, 0, 0, 0]]);
        code.extend([[BRANCH_IF, 2, 0, equal], [SET, 3, 2, 0], [STOP, 0, 0, 0]]);
        each(&code, |core, run| {
            for (a, want) in [(4, 2), (5, 1), (6, 1)] {
                core.set(PC, CODE);
                core.set(1, a);
                core.set(5, 5);
                assert_eq!(run(core), Exit::Breakpoint { imm: 0 });
                assert_eq!(core.get(3), want);
            }
        });
    }
}

#[test]
fn a_trap_on_a_condition_leaves_the_instruction_undone() {
    let equal = Cc::Eq as u8;
    let trap = [TRAP_IF, 7, 3, equal];
    let stop = [STOP, 0, 0, 0];
    for code in [
        vec![[COMPARE, 1, 5, 0], trap, [SET, 4, 1, 0], stop],
        vec![
            [COMPARE, 1, 5, 0],
            [JUMP, 1, 0, 0],
            trap,
            [SET, 4, 1, 0],
            stop,
        ],
    ] {
        let at = CODE + 4 * (code.len() as u64 - 3);
        each(&code, |core, run| {
            let mut go = |a| {
                core.set(PC, CODE);
                core.set(1, a);
                core.set(5, 5);
                core.set(3, 0);
                core.set(4, 0);
                (run(core), core.get(PC), core.get(3), core.get(4))
            };
            for _ in 0..2 {
                assert_eq!(go(5), (Exit::Breakpoint { imm: 7 }, at, 0, 0));
                assert_eq!(go(6), (Exit::Breakpoint { imm: 0 }, at + 8, 99, 1));
            }
            go(5);
            // The flags are exact where it stopped.
            assert_eq!(core.get(FLAGS), flags::Z | flags::C | PARITY);
        });
    }
}

#[test]
fn vectors_of_two_pieces() {
    let code = [
        [ADD_VECTORS, 7, 0, 1],
        [ADD_VECTORS, 0, 7, 7],
        [STOP, 0, 0, 0],
    ];
    each(&code, |core, run| {
        let set: [u128; 4] = [1, 2 << 64, 3, 5 << 64];
        for (n, value) in set.into_iter().enumerate() {
            core.set_wide(V0 + n as u32, value);
        }
        assert_eq!(run(core), Exit::Breakpoint { imm: 0 });
        let sums = [4, 7 << 64];
        for (n, sum) in sums.into_iter().enumerate() {
            assert_eq!(core.get_wide(V0 + 14 + n as u32), sum);
            assert_eq!(core.get_wide(V0 + n as u32), 2 * sum);
        }
    });
}

//! What the core does around instructions: loops, faults, code that changes, interrupts, threads.
//! Encodings are those that `aarch64-linux-gnu-as` gives for the assembly beside them.

use super::super::{NativeConfig, Options, open};
use crate::cpu::{Access, CpuCore, Exit, Flow, Regs};
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use std::sync::Arc;

const CODE: u64 = 0x40_0000;
const DATA: u64 = 0x50_0000;
/// The register number of v0, behind x0-x30, sp, pc and the flags.
const V0: u32 = 34;
const BRK: u32 = 0xd420_0000;
const RET: u32 = 0xd65f_03c0;

fn map(space: &AddressSpace, addr: u64, len: u64, prot: i32) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let request = MmapRequest {
        addr,
        len,
        prot,
        flags,
        fd: -1,
        offset: 0,
    };
    assert_eq!(space.mmap(request), Ok(addr));
}

fn space(code: &[u32]) -> Arc<AddressSpace> {
    let space = AddressSpace::new(SpaceConfig::default()).expect("an address space");
    map(
        &space,
        CODE,
        0x1000,
        libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    );
    map(&space, DATA, 0x1000, libc::PROT_READ | libc::PROT_WRITE);
    for (n, &w) in code.iter().enumerate() {
        space.write_u32(CODE + 4 * n as u64, w).expect("code");
    }
    space
}

fn core(space: &Arc<AddressSpace>, opt: &str) -> Box<dyn CpuCore> {
    let options = Options::parse(opt).expect("options");
    let config = NativeConfig {
        options,
        // Loops of a few rounds are regions already.
        hot: 2,
        ..NativeConfig::default()
    };
    let mut core = open(&config, space.clone(), None).expect("a core");
    core.set(32, CODE);
    core
}

fn run(core: &mut dyn CpuCore) -> Exit {
    core.run(&mut |_, _| Flow::Leave)
}

/// With everything on, everything off, and each optimisation off alone.
const SETTINGS: [&str; 11] = [
    "",
    "no-all",
    "no-chain",
    "no-fold",
    "no-flags",
    "no-coalesce",
    "no-returns",
    "no-jumps",
    "no-extend",
    "no-traps",
    "no-regions",
];

#[test]
fn a_recursive_function_under_all_settings() {
    // fib: cmp x0, #2; b.lo out; stp x30, x0, [sp, #-32]!; sub x0, x0, #1; bl fib; str x0, [sp, #16];
    // ldr x0, [sp, #8]; sub x0, x0, #2; bl fib; ldr x1, [sp, #16]; add x0, x0, x1; ldr x30, [sp], #32; out: ret
    let code = [
        0x9400_0002,
        BRK,
        0xf100_081f,
        0x5400_0163,
        0xa9be_03fe,
        0xd100_0400,
        0x97ff_fffc,
        0xf900_0be0,
        0xf940_07e0,
        0xd100_0800,
        0x97ff_fff8,
        0xf940_0be1,
        0x8b01_0000,
        0xf842_07fe,
        RET,
    ];
    for opt in SETTINGS {
        let s = space(&code);
        let mut c = core(&s, opt);
        c.set(0, 15);
        c.set(31, DATA + 0x1000);
        assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 }, "{opt}");
        assert_eq!(
            (c.get(0), c.get(31), c.get(32)),
            (610, DATA + 0x1000, CODE + 4),
            "{opt}"
        );
    }
}

#[test]
fn recursion_deeper_than_the_return_stack() {
    // down: cbz x0, up; sub x0, x0, #1; str x30, [x1], #8; bl down; ldr x30, [x1, #-8]!; add x2, x2, #1; up: ret
    let code = [
        0x9400_0002,
        BRK,
        0xb400_00c0,
        0xd100_0400,
        0xf800_843e,
        0x97ff_fffd,
        0xf85f_8c3e,
        0x9100_0442,
        RET,
    ];
    let s = space(&code);
    map(
        &s,
        0x1000_0000,
        0x100_0000,
        libc::PROT_READ | libc::PROT_WRITE,
    );
    let mut c = core(&s, "");
    c.set(0, 200_000);
    c.set(1, 0x1000_0000);
    assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 });
    assert_eq!((c.get(2), c.get(1)), (200_000, 0x1000_0000));
}

#[test]
fn faults_are_exact() {
    // mov x1, #7; subs x2, x1, #7; str x1, [x0], #8; mov x1, #9
    let code = [0xd280_00e1, 0xf100_1c22, 0xf800_8401, 0xd280_0121, BRK];
    for opt in ["", "no-all"] {
        let s = space(&code);
        let mut c = core(&s, opt);
        c.set(0, DATA + 0x1000);
        let exit = run(c.as_mut());
        let want = Exit::Fault {
            addr: DATA + 0x1000,
            access: Access::Write,
            mapped: false,
            bus: false,
            align: false,
        };
        assert_eq!(exit, want);
        assert_eq!(
            (c.get(0), c.get(1), c.get(2), c.get(32)),
            (DATA + 0x1000, 7, 0, CODE + 8)
        );
        // Z and C: 7 - 7 borrows nothing.
        assert_eq!(c.get(33), 0x6000_0000);
        // Mapped meanwhile, it goes on from there.
        map(
            &s,
            DATA + 0x1000,
            0x1000,
            libc::PROT_READ | libc::PROT_WRITE,
        );
        assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 });
        assert_eq!((c.get(0), c.get(1)), (DATA + 0x1008, 9));
        let mut b = [0; 8];
        s.read(DATA + 0x1000, &mut b).expect("data");
        assert_eq!(u64::from_le_bytes(b), 7);
    }
}

#[test]
fn a_tag_in_the_top_byte_is_ignored() {
    // ldr x1, [x0]; str x1, [x0, #8]
    let s = space(&[0xf940_0001, 0xf900_0401, BRK]);
    s.write_u64(DATA, 42).expect("data");
    let mut c = core(&s, "");
    c.set(0, DATA | 0xab << 56);
    assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 });
    assert_eq!((c.get(1), s.read_u64(DATA + 8).ok()), (42, Some(42)));
}

#[test]
fn code_changes_are_seen_after_ic_ivau_and_after_mmap() {
    // f: mov x0, #1; ret. main: bl f; mov x5, x0; str w1, [x2]; ic ivau, x2; isb; bl f; brk
    let code = [
        0xd280_0020,
        RET,
        0x97ff_fffe,
        0xaa00_03e5,
        0xb900_0041,
        0xd50b_7522,
        0xd503_3fdf,
        0x97ff_fff9,
        BRK,
    ];
    let s = space(&code);
    let mut c = core(&s, "");
    c.set(32, CODE + 8);
    // mov x0, #2
    c.set(1, 0xd280_0040);
    c.set(2, CODE);
    assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 });
    assert_eq!((c.get(5), c.get(0)), (1, 2));
    // Another mapping in its place: no cache maintenance needed.
    map(
        &s,
        CODE,
        0x1000,
        libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    );
    s.write_u32(CODE, 0xd280_0060).expect("code");
    s.write_u32(CODE + 4, BRK).expect("code");
    c.set(32, CODE);
    assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 });
    assert_eq!(c.get(0), 3);
}

#[test]
fn an_interrupt_ends_an_endless_loop() {
    // add x0, x0, #1; b .-4
    let s = space(&[0x9100_0400, 0x17ff_ffff]);
    for opt in SETTINGS {
        let mut c = core(&s, opt);
        let handle = c.interrupter();
        let t = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            handle.interrupt();
        });
        assert_eq!(run(c.as_mut()), Exit::Interrupted, "{opt}");
        t.join().expect("the interrupting thread");
        assert!(c.get(0) > 100, "{opt}");
        // One that comes while nothing runs is not lost.
        c.interrupter().interrupt();
        assert_eq!(run(c.as_mut()), Exit::Interrupted, "{opt}");
    }
}

/// A loop whose registers are not the pinned ones, so that it becomes a region: faults, traps and the way out.
#[test]
fn a_hot_loop_keeps_all_registers() {
    // again: ldr x9, [x10], #8; add x11, x11, x9; add x12, x12, #1; add v16.2d, v16.2d, v17.2d
    // fsub d18, d19, d19; cmp x9, #77; b.ne again
    let code = [
        0xf840_8549,
        0x8b09_016b,
        0x9100_058c,
        0x4ef1_8610,
        0x1e73_3a72,
        0xf101_353f,
        0x54ff_ff41,
        BRK,
    ];
    let other = |r: u32| 0x1111 * u64::from(r);
    for opt in SETTINGS {
        let s = space(&code);
        for n in 0..512u64 {
            s.write(DATA + 8 * n, &(n + 100).to_le_bytes())
                .expect("data");
        }
        let mut c = core(&s, opt);
        for r in 0..31 {
            c.set(r, other(r));
        }
        for v in 0..32u32 {
            c.set_wide(V0 + v, u128::from(other(v)) << 64 | 5);
        }
        c.set(10, DATA);
        c.set(11, 0);
        c.set(12, 0);
        c.set_wide(V0 + 16, 0);
        // An infinity: the difference is invalid each time.
        c.set_wide(V0 + 19, 0x7ff0 << 48);
        let fault = Exit::Fault {
            addr: DATA + 0x1000,
            access: Access::Read,
            mapped: false,
            bus: false,
            align: false,
        };
        let check = |c: &mut dyn CpuCore, count: u64, sum: u64, last: u64| {
            for r in (0..31).filter(|r| !(9..13).contains(r)) {
                assert_eq!(c.get(r), other(r), "x{r} {opt}");
            }
            let got = [9, 10, 11, 12].map(|r| c.get(r));
            assert_eq!(got, [last, DATA + 8 * count, sum, count], "{opt}");
            for v in (0..32u32).filter(|v| ![16, 18, 19].contains(v)) {
                let want = u128::from(other(v)) << 64 | 5;
                assert_eq!(c.get_wide(V0 + v), want, "v{v} {opt}");
            }
            let want = u128::from(other(17) * count) << 64 | u128::from(5 * count);
            assert_eq!(c.get_wide(V0 + 16), want, "{opt}");
            assert_eq!(c.get_wide(V0 + 18), 0x7ff8 << 48, "{opt}");
        };
        let sum: u64 = (100..612).sum();
        assert_eq!(run(c.as_mut()), fault, "{opt}");
        check(c.as_mut(), 512, sum, 611);
        // C: 611 is above 77.
        assert_eq!((c.get(32), c.get(33)), (CODE, 0x2000_0000), "{opt}");
        map(
            &s,
            DATA + 0x1000,
            0x1000,
            libc::PROT_READ | libc::PROT_WRITE,
        );
        s.write(DATA + 0x1008, &77u64.to_le_bytes()).expect("data");
        assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 }, "{opt}");
        check(c.as_mut(), 514, sum + 77, 77);
        assert_eq!(c.get(33), 0x6000_0000, "{opt}");
    }
}

#[test]
fn an_interrupt_ends_an_endless_region() {
    // add x11, x11, #1; add x12, x12, x11; b .-8
    let s = space(&[0x9100_056b, 0x8b0b_018c, 0x17ff_fffe]);
    for opt in SETTINGS {
        let mut c = core(&s, opt);
        c.set(19, 19);
        let handle = c.interrupter();
        let t = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            handle.interrupt();
        });
        assert_eq!(run(c.as_mut()), Exit::Interrupted, "{opt}");
        t.join().expect("the interrupting thread");
        let n = c.get(11);
        assert!(n > 100 && c.get(32) < CODE + 12, "{opt}");
        // Between instructions: the second may be still to come.
        let sum = n.wrapping_mul(n + 1) / 2;
        assert!([sum, sum - n].contains(&c.get(12)), "{opt}");
        assert_eq!(c.get(19), 19, "{opt}");
    }
}

#[test]
fn system_calls_go_to_the_callback() {
    // svc #0; b .-4
    let s = space(&[0xd400_0001, 0x17ff_ffff]);
    let mut c = core(&s, "");
    let mut calls = 0;
    let exit = c.run(&mut |regs: &mut dyn Regs, imm| {
        assert_eq!((imm, regs.get(32)), (0, CODE + 4));
        calls += 1;
        regs.set(0, calls);
        if calls == 1000 {
            Flow::Leave
        } else {
            Flow::Continue
        }
    });
    assert_eq!(exit, Exit::Syscall { imm: 0 });
    assert_eq!((calls, c.get(0), c.get(32)), (1000, 1000, CODE + 4));
}

#[test]
fn threads_share_translations_and_atomics() {
    // loop: ldxr x1, [x0]; add x1, x1, #1; stxr w2, x1, [x0]; cbnz w2, loop; ldadd x3, x4, [x5]; subs x6, x6, #1; b.ne loop
    let code = [
        0xc85f_7c01,
        0x9100_0421,
        0xc802_7c01,
        0x35ff_ffa2,
        0xf823_00a4,
        0xf100_04c6,
        0x54ff_ff41,
        BRK,
    ];
    let s = space(&code);
    let mut first = core(&s, "");
    for (id, v) in [(0, DATA), (3, 3), (5, DATA + 64), (6, 100_000)] {
        first.set(id, v);
    }
    let mut cores: Vec<_> = (0..3).map(|_| first.duplicate().expect("a copy")).collect();
    cores.push(first);
    let threads: Vec<_> = cores
        .into_iter()
        .map(|mut c| std::thread::spawn(move || run(c.as_mut())))
        .collect();
    for t in threads {
        assert_eq!(
            t.join().expect("a guest thread"),
            Exit::Breakpoint { imm: 0 }
        );
    }
    assert_eq!(
        (s.read_u64(DATA).ok(), s.read_u64(DATA + 64).ok()),
        (Some(400_000), Some(1_200_000))
    );
}

#[test]
fn a_full_code_cache_starts_anew() {
    // A ladder of functions, more than a small cache holds: each adds 1 and goes to the next page.
    let s = space(&[]);
    let pages = 200u64;
    let base = 0x100_0000;
    map(
        &s,
        base,
        pages * 0x1000,
        libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    );
    for p in 0..pages {
        // add x0, x0, #1 (60 times); b to the next page
        for n in 0..60 {
            s.write_u32(base + p * 0x1000 + 4 * n, 0x9100_0400)
                .expect("code");
        }
        let jump = if p + 1 == pages {
            BRK
        } else {
            0x1400_0000 | ((0x1000 - 240) / 4)
        };
        s.write_u32(base + p * 0x1000 + 240, jump).expect("code");
    }
    let config = NativeConfig {
        cache_size: 16 << 10,
        ..NativeConfig::default()
    };
    let mut c = open(&config, s, None).expect("a core");
    for _ in 0..3 {
        c.set(0, 0);
        c.set(32, base);
        assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 });
        assert_eq!(c.get(0), 60 * pages);
    }
}

/// An operation that is invalid, many times: Arm's NaN each time, before and after the change to checks.
#[test]
fn invalid_operations_make_arms_nans() {
    // again: fdiv d0, d1, d1; fmov x1, d0; fadd d2, d3, d4; fmadd d5, d3, d1, d6; fcvtzs x2, d7
    // fcmp d3, d1; cset x3, vs; add x4, x4, #1; cmp x4, x5; b.ne again
    let code = [
        0x1e61_1820,
        0x9e66_0001,
        0x1e64_2862,
        0x1f41_1865,
        0x9e78_00e2,
        0x1e61_2060,
        0x9a9f_77e3,
        0x9100_0484,
        0xeb05_009f,
        0x54ff_fee1,
        BRK,
    ];
    for opt in SETTINGS {
        for limit in [1, 7, u32::MAX] {
            let s = space(&code);
            let config = NativeConfig {
                options: Options::parse(opt).expect("options"),
                trap_limit: limit,
                ..NativeConfig::default()
            };
            let mut c = open(&config, s.clone(), None).expect("a core");
            c.set(32, CODE);
            c.set(5, 20);
            c.set_wide(V0 + 1, 0);
            // A signalling NaN, and quiet ones with a payload: the signalling one, made quiet, wins.
            c.set_wide(V0 + 3, 0x7ff0_0000_0000_0123);
            c.set_wide(V0 + 4, 0xfff8_0000_0000_0777);
            c.set_wide(V0 + 6, 0xfff8_0000_0000_0777);
            // 2^63
            c.set_wide(V0 + 7, 0x43e0_0000_0000_0000);
            assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 }, "{opt}");
            let got = [1, 2, 3, 4].map(|r| c.get(r));
            let max = i64::MAX as u64;
            assert_eq!(got, [0x7ff8_0000_0000_0000, max, 1, 20], "{opt} {limit}");
            let got = [2, 5].map(|v| c.get_wide(V0 + v));
            assert_eq!(got, [0x7ff8_0000_0000_0123; 2], "{opt} {limit}");
            // FPSR.IOC
            assert_eq!(c.get_wide(66) & 1, 1, "{opt} {limit}");
        }
    }
}

#[test]
fn a_value_outlives_the_register_that_it_was_loaded_into() {
    // x8, x28, v16 and v28 have no host register of their own. What was loaded into x8 and v16 is still
    // needed when they are overwritten, and there are more values than temporaries.
    let code = [
        // ldr x8, [x0]; mov x12, x8; ldr x9, [x0, #8]; ldr x10, [x0, #16]; ldr x11, [x0, #24]
        0xf940_0008,
        0xaa08_03ec,
        0xf940_0409,
        0xf940_080a,
        0xf940_0c0b,
        // mov x8, x28; add x9, x9, x10; add x9, x9, x11; add x13, x12, #1
        0xaa1c_03e8,
        0x8b0a_0129,
        0x8b0b_0129,
        0x9100_058d,
        // ldr q16, [x0]; mov v17.16b, v16.16b; ldr q18, [x0, #16]; q19, #32; q20, #48; q21, #64
        0x3dc0_0010,
        0x4eb0_1e11,
        0x3dc0_0412,
        0x3dc0_0813,
        0x3dc0_0c14,
        0x3dc0_1015,
        // mov v16.16b, v28.16b; add v18.2d, v18.2d, v19.2d; v20; v21; add v22.2d, v17.2d, v18.2d
        0x4ebc_1f90,
        0x4ef3_8652,
        0x4ef4_8652,
        0x4ef5_8652,
        0x4ef2_8636,
        BRK,
    ];
    for opt in SETTINGS {
        let s = space(&code);
        for n in 0..10u64 {
            s.write(DATA + 8 * n, &(1u64 << (4 * n)).to_le_bytes())
                .expect("data");
        }
        let mut c = core(&s, opt);
        c.set(0, DATA);
        c.set(28, 0x1234_5678);
        assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 }, "{opt}");
        let got = [8, 9, 12, 13].map(|r| c.get(r));
        assert_eq!(got, [0x1234_5678, 0x1110, 1, 2], "{opt}");
        let low = [17, 22].map(|v| c.get_wide(V0 + v) as u64);
        assert_eq!(low, [1, 0x1_0101_0101], "{opt}");
    }
}

/// Translations that were installed, by the log of those about to be made.
fn translated(space: &Arc<AddressSpace>) -> (Box<dyn CpuCore>, Arc<std::sync::Mutex<Vec<String>>>) {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let sink: super::super::Log =
        Arc::new(move |_, text| log.lock().unwrap().push(text.to_owned()));
    let config = NativeConfig {
        log: Some((vec![super::super::LogItem::InAsm], sink)),
        ..NativeConfig::default()
    };
    let mut core = open(&config, space.clone(), None).expect("a core");
    core.set(32, CODE);
    (core, seen)
}

fn write(space: &AddressSpace, at: u64, code: &[u32]) {
    map(
        space,
        at,
        0x1000,
        libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    );
    for (n, &w) in code.iter().enumerate() {
        space.write_u32(at + 4 * n as u64, w).expect("code");
    }
}

#[test]
fn translations_outlive_an_exec_where_the_code_is_the_same() {
    const OTHER: u64 = CODE + 0x10_0000;
    // add x0, x0, #1; b OTHER / add x0, x0, #2 (or #4); brk
    let first = [0x9100_0400, 0x1400_0000 | ((OTHER - CODE - 4) / 4) as u32];
    let (second, changed) = ([0x9100_0800, BRK], [0x9100_1000, BRK]);
    let s = space(&[]);
    let mut old = None;
    for (second, sum, expected) in [
        (second, 3, 2),
        (second, 3, 0),
        // What a chained jump leads to is looked at as well.
        (changed, 5, 1),
        (changed, 5, 0),
        (second, 3, 1),
    ] {
        s.clear().expect("an empty space");
        write(&s, CODE, &first);
        write(&s, OTHER, &second);
        let (mut c, seen) = translated(&s);
        for _ in 0..2 {
            c.set(0, 0);
            c.set(32, CODE);
            assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 });
            assert_eq!(c.get(0), sum);
        }
        assert_eq!(
            seen.lock().unwrap().len(),
            expected,
            "{:?}",
            seen.lock().unwrap()
        );
        old = Some(c);
    }
    // Nothing is there, or it may not be executed.
    for prot in [None, Some(libc::PROT_READ | libc::PROT_WRITE)] {
        s.clear().expect("an empty space");
        write(&s, CODE, &first);
        if let Some(prot) = prot {
            write(&s, OTHER, &second);
            s.mprotect(OTHER, 0x1000, prot).expect("mprotect");
        }
        let (mut c, _) = translated(&s);
        let exit = run(c.as_mut());
        let mapped = prot.is_some();
        assert!(
            matches!(exit, Exit::Fault { addr: OTHER, access: Access::Fetch, mapped: m, .. } if m == mapped),
            "{exit:?}"
        );
    }
    drop(old);
}

#[test]
fn flags_that_new_code_behind_a_jump_reads_are_there() {
    const OTHER: u64 = CODE + 0x10_0000;
    // cmp x0, #0; b OTHER
    let first = [0xf100_001f, 0x1400_0000 | ((OTHER - CODE - 4) / 4) as u32];
    // cmp x0, #1; cset x1, eq; brk / cset x1, eq; brk
    let kills = [0xf100_041f, 0x9a9f_17e1, BRK];
    let reads = [0x9a9f_17e1, BRK];
    let s = space(&[]);
    let mut old = None;
    for (second, result) in [(&kills[..], 0), (&reads[..], 1), (&kills[..], 0)] {
        s.clear().expect("an empty space");
        write(&s, CODE, &first);
        write(&s, OTHER, second);
        let mut c = core(&s, "");
        c.set(0, 0);
        assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 });
        assert_eq!(c.get(1), result);
        old = Some(c);
    }
    drop(old);
}

#[test]
fn underflow_is_found_before_rounding() {
    // (1 - 2^-52) times (1 + 2^-52) of the smallest normal number is less than that, and rounds up to it.
    // msr fpsr, xzr; fmul d2, d0, d1; mrs x0, fpsr
    let s = space(&[0xd51b_443f, 0x1e61_0802, 0xd53b_4420, BRK]);
    for opt in SETTINGS {
        let mut c = core(&s, opt);
        c.set_wide(V0, 0x3fef_ffff_ffff_fffe);
        c.set_wide(V0 + 1, 0x0010_0000_0000_0001);
        assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 }, "{opt}");
        // UFC and IXC.
        let got = (c.get(0), c.get_wide(V0 + 2));
        assert_eq!(got, (0x18, 0x0010_0000_0000_0000), "{opt}");
    }
}

#[test]
fn unknown_options_and_guests_are_refused() {
    assert!(Options::parse("no-such").is_err());
    let s = space(&[]);
    let config = NativeConfig {
        guest: "z80".into(),
        ..NativeConfig::default()
    };
    assert!(open(&config, s, None).is_err());
}

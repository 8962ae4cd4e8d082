//! Condition flags between two translations, the second of which sets them all: whoever looks in between sees those of the
//! first, whatever form they were left in (`ir::handover`).

use super::*;

/// The register number of the flags.
const NZCV: u32 = 33;
const NOP: u32 = 0xd503_201f;
/// Where the access is that faults.
const LOAD: u64 = CODE + 28;

/// NZCV of a subtraction, an addition, a logical result of `w` bits, from the definition (Arm ARM, AddWithCarry).
fn sub(w: u32, a: u64, b: u64) -> u64 {
    carried(w, a, !b, 1)
}

fn add(w: u32, a: u64, b: u64) -> u64 {
    carried(w, a, b, 0)
}

fn carried(w: u32, a: u64, b: u64, carry: i128) -> u64 {
    let mask = u128::MAX >> (128 - w);
    let signed = |x: u64| i128::from((x << (64 - w)).cast_signed() >> (64 - w));
    let unsigned = |x: u64| (u128::from(x) & mask).cast_signed();
    let (u, s) = (
        unsigned(a) + unsigned(b) + carry,
        signed(a) + signed(b) + carry,
    );
    let r = (u.cast_unsigned() & mask) as u64;
    let c = u.cast_unsigned() > mask;
    logic(w, r) | u64::from(c) << 29 | u64::from(signed(r) != s) << 28
}

fn logic(w: u32, r: u64) -> u64 {
    u64::from(r >> (w - 1) & 1 != 0) << 31 | u64::from(r << (64 - w) == 0) << 30
}

/// What sets flags: two instructions, and the flags for x1 and x2 as they are before.
struct Setter {
    text: &'static str,
    words: [u32; 2],
    flags: fn(u64, u64) -> u64,
}

const SETTERS: [Setter; 13] = [
    setter("cmp x1, #5", 0xf100_143f, |a, _| sub(64, a, 5)),
    setter("cmp w1, #5", 0x7100_143f, |a, _| sub(32, a, 5)),
    setter("cmp x1, #0xff", 0xf103_fc3f, |a, _| sub(64, a, 0xff)),
    setter("cmp x1, x2", 0xeb02_003f, |a, b| sub(64, a, b)),
    setter("subs x1, x1, #3", 0xf100_0c21, |a, _| sub(64, a, 3)),
    setter("subs w1, w1, #3", 0x7100_0c21, |a, _| sub(32, a, 3)),
    setter("adds w1, w1, #7", 0x3100_1c21, |a, _| add(32, a, 7)),
    setter("adds x1, x1, x2", 0xab02_0021, |a, b| add(64, a, b)),
    setter("cmn x1, #5", 0xb100_143f, |a, _| add(64, a, 5)),
    setter("ands x1, x1, #0xff", 0xf240_1c21, |a, _| logic(64, a & 255)),
    setter("tst x1, #0xff", 0xf240_1c3f, |a, _| logic(64, a & 255)),
    setter("cmp x1, #0x123, lsl #12", 0xf144_8c3f, |a, _| {
        sub(64, a, 0x12_3000)
    }),
    Setter {
        text: "cmp x1, #5; ccmp x1, x2, #4, ne",
        words: [0xf100_143f, 0xfa42_1024],
        flags: |a, b| if a == 5 { 4 << 28 } else { sub(64, a, b) },
    },
];

const fn setter(text: &'static str, word: u32, flags: fn(u64, u64) -> u64) -> Setter {
    Setter {
        text,
        words: [word, NOP],
        flags,
    }
}

/// To the instruction after the next: b, cbnz x9, bl.
const JUMPS: [u32; 3] = [0x1400_0002, 0xb500_0049, 0x9400_0002];
/// What comes before the load: nothing; eor x1, x1, #0x8000000080000000; the same of x2.
const PREFIXES: [u32; 3] = [NOP, 0xd201_0021, 0xd201_0042];
const TURN: u64 = 0x8000_0000_8000_0000;
/// What x1 is at first: around what it is compared with, also after what the setters make of it in three rounds.
const FIRST: [u64; 16] = [
    0,
    2,
    4,
    5,
    6,
    9,
    10,
    11,
    12,
    0x12_3000,
    0x7fff_ffff,
    0x8000_0004,
    0xffff_ffe8,
    0xffff_ffe9,
    u64::MAX,
    1 << 63 | 3,
];

/// add x1, x1, x7; add x8, x1, #1; the setter; the jump; brk; the prefix; ldr x3, [x4]; cmp x5, #0; add x4, x4, #1024; b to the start
fn program(setter: &Setter, jump: u32, prefix: u32) -> [u32; 11] {
    let [first, second] = setter.words;
    [
        0x8b07_0021,
        0x9100_0428,
        first,
        second,
        jump,
        BRK,
        prefix,
        0xf940_0083,
        0xf100_00bf,
        0x9110_0084,
        0x17ff_fff6,
    ]
}

/// What x1 was before the setter. Nothing else has that value: where an operand is has to be known.
fn before(c: &mut dyn CpuCore) -> u64 {
    c.get(8).wrapping_sub(1)
}

/// Starts it so that the load faults in round `rounds`.
fn start(c: &mut dyn CpuCore, rounds: u64, x1: u64) {
    let registers = [(1, x1), (2, 0x8000_0000), (7, 0), (9, 1), (5, 1), (NZCV, 0)];
    for (n, value) in registers {
        c.set(n, value);
    }
    c.set(4, DATA + 0x1000 - 1024 * (rounds - 1));
    c.set(32, CODE);
}

/// It faults, with the flags of the setter.
fn faults_with_its_flags(c: &mut dyn CpuCore, setter: &Setter, prefix: u32, what: &str) {
    let exit = run(c);
    let at = matches!(exit, Exit::Fault { addr, .. } if addr == DATA + 0x1000);
    assert!(at, "{what}: {exit:x?}");
    assert_eq!(c.get(32), LOAD, "{what}");
    let turned = if prefix == PREFIXES[2] { TURN } else { 0 };
    let x2 = c.get(2) ^ turned;
    let want = (setter.flags)(before(c), x2);
    assert_eq!(c.get(NZCV) & 0xf000_0000, want, "{what}");
}

#[test]
fn a_fault_shows_the_flags_of_the_translation_before() {
    let settings = ["cache=64K", "no-regions,cache=64K", "no-coalesce,cache=64K"];
    for setter in &SETTERS {
        for (n, jump) in JUMPS.into_iter().enumerate() {
            for prefix in PREFIXES {
                let s = space(&program(setter, jump, prefix));
                for opt in settings {
                    let mut c = core(&s, opt);
                    for (rounds, x1) in FIRST.into_iter().flat_map(|x| [(1, x), (4, x)]) {
                        start(c.as_mut(), rounds, x1);
                        let text = setter.text;
                        let what =
                            format!("{text}, jump {n}, {prefix:#x}, {opt:?}, {rounds}, {x1:#x}");
                        faults_with_its_flags(c.as_mut(), setter, prefix, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn a_target_that_changes_gets_the_flags_that_it_asks_for() {
    for setter in &SETTERS {
        for (n, jump) in JUMPS.into_iter().enumerate() {
            let s = space(&program(setter, jump, NOP));
            let mut c = core(&s, "no-regions,cache=64K");
            start(c.as_mut(), 4, 3);
            let what = format!("{}, jump {n}", setter.text);
            faults_with_its_flags(c.as_mut(), setter, NOP, &what);
            // cset x3, lt; brk: by another thread, which has the caches told.
            let change = |words: [u32; 2]| {
                s.write_u32(CODE + 24, words[0]).expect("code");
                s.write_u32(CODE + 28, words[1]).expect("code");
            };
            change([0x9a9f_a7e3, BRK]);
            c.invalidate(CODE + 24, CODE + 32);
            for x1 in [3, 4, u64::MAX - 2] {
                start(c.as_mut(), 4, x1);
                assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 }, "{what}");
                let flags = (setter.flags)(before(c.as_mut()), c.get(2));
                let less = (flags >> 31 & 1) != (flags >> 28 & 1);
                assert_eq!(c.get(3), less.into(), "{what}, {x1:#x}");
                assert_eq!(c.get(NZCV) & 0xf000_0000, flags, "{what}");
            }
            // Now the operand is set before the load.
            change([PREFIXES[1], 0xf940_0083]);
            c.invalidate(CODE + 24, CODE + 32);
            start(c.as_mut(), 4, 3);
            faults_with_its_flags(c.as_mut(), setter, PREFIXES[1], &what);
        }
    }
}

#[test]
fn flags_outlive_generations_of_code() {
    // Each page is a link: cmp x1, #p; b to the next page, which begins with ldr x3, [x4]. More than a small cache holds.
    let s = space(&[]);
    let (pages, base) = (200u64, 0x100_0000);
    let prot = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    map(&s, base, pages * 0x1000, prot);
    for p in 0..pages {
        let page = base + p * 0x1000;
        s.write_u32(page, 0xf940_0083).expect("code");
        for n in 1..40 {
            // add x0, x0, #1
            s.write_u32(page + 4 * n, 0x9100_0400).expect("code");
        }
        let compare = 0xf100_003f | (p as u32) << 10;
        s.write_u32(page + 160, compare).expect("code");
        s.write_u32(page + 164, 0x1400_0000 | ((0x1000 - 164) / 4))
            .expect("code");
    }
    // The last link leads to a load that faults, before flags are set.
    let end = base + (pages - 1) * 0x1000;
    // ldr x3, [x6]; cmp x5, #0; brk
    for (n, word) in [0xf940_00c3, 0xf100_00bf, BRK].into_iter().enumerate() {
        s.write_u32(end + 4 * n as u64, word).expect("code");
    }
    let config = NativeConfig {
        options: Options {
            cache: 16 << 10,
            ..Options::default()
        },
        ..NativeConfig::default()
    };
    let mut c = open(&LITTLE, &config, s, None).expect("a core");
    for x1 in [0, pages - 2, 1000] {
        start(c.as_mut(), 2, x1);
        c.set(32, base);
        assert!(matches!(run(c.as_mut()), Exit::Fault { addr: 0, .. }));
        assert_eq!(c.get(32), end);
        assert_eq!(c.get(NZCV) & 0xf000_0000, sub(64, x1, pages - 2), "{x1}");
    }
}

/// Interrupts `c` again and again while it runs, and asks each time whether what is seen is right.
fn interrupted(c: &mut dyn CpuCore, right: impl Fn(&mut dyn CpuCore) -> bool, what: &str) {
    let handle = c.interrupter();
    for round in 0..4 {
        let handle = handle.clone();
        let other = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_micros(100 * round));
            handle.interrupt();
        });
        assert_eq!(run(c), Exit::Interrupted, "{what}");
        other.join().expect("the interrupting thread");
        assert!(
            right(c),
            "{what}: flags {:#x}, x8 {:#x}, pc {:#x}",
            c.get(NZCV),
            c.get(8),
            c.get(32)
        );
    }
}

#[test]
fn an_interrupt_shows_the_flags_of_the_translation_before() {
    for setter in &SETTERS {
        let [first, second] = setter.words;
        // add x1, x1, x7; add x8, x1, #1; the setter; b or cbnz x9 to the start
        for back in [0x17ff_fffc, 0xb5ff_ff89] {
            let s = space(&[0x8b07_0021, 0x9100_0428, first, second, back, BRK]);
            for opt in ["cache=64K", "no-regions,cache=64K"] {
                let mut c = core(&s, opt);
                start(c.as_mut(), 1, 4);
                let flags = |c: &mut dyn CpuCore| (setter.flags)(before(c), c.get(2));
                let right = |c: &mut dyn CpuCore| {
                    // Before the first round nothing was set yet.
                    let begun = c.get(8) != 0;
                    let end = c.get(32) == CODE || c.get(32) == CODE + 16;
                    end && (!begun || c.get(NZCV) & 0xf000_0000 == flags(c))
                };
                interrupted(c.as_mut(), right, &format!("{}, {opt:?}", setter.text));
            }
        }
    }
}

#[test]
fn a_call_without_room_shows_the_flags_before_it() {
    // add x1, x1, x7; add x8, x1, #1; the setter; bl: to the start.
    for setter in &SETTERS {
        let [first, second] = setter.words;
        let s = space(&[0x8b07_0021, 0x9100_0428, first, second, 0x97ff_fffc]);
        let mut c = core(&s, "");
        start(c.as_mut(), 1, 4);
        let right = |c: &mut dyn CpuCore| {
            let flags = (setter.flags)(before(c), c.get(2));
            c.get(8) == 0 || c.get(NZCV) & 0xf000_0000 == flags
        };
        interrupted(c.as_mut(), right, setter.text);
    }
}

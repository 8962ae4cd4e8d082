//! Values: what registers, faults and floating-point traps must show at every exit.

use super::*;

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

/// After some accesses with tags the loop goes on in translations that take them off: plain and indexed loads and
/// stores, pairs, exclusives, atomics, vectors.
#[test]
fn hot_loops_may_use_tags() {
    // again: ldr x1, [x0, #16]; add x1, x1, #1; str x1, [x0, #16]
    // ldrb w4, [x0, x5]; add x4, x4, #1; str x4, [x0, x6, lsl #3]; ldp x7, x8, [x0, #16]
    // retry: ldxr x9, [x10]; add x9, x9, #1; stxr w11, x9, [x10]; cbnz w11, retry
    // ldadd x12, x13, [x14]; ldr q0, [x0, #64]; str q0, [x0, #80]; casp x16, x17, x18, x19, [x15]
    // subs x2, x2, #1; b.ne again
    let code = [
        0xf940_0801,
        0x9100_0421,
        0xf900_0801,
        0x3865_6804,
        0x9100_0484,
        0xf826_7804,
        0xa941_2007,
        0xc85f_7d49,
        0x9100_0529,
        0xc80b_7d49,
        0x35ff_ffab,
        0xf82c_01cd,
        0x3dc0_1000,
        0x3d80_1400,
        0x4830_7df2,
        0xf100_0442,
        0x54ff_fe01,
        BRK,
    ];
    for opt in SETTINGS {
        for limit in [0, 7, u32::MAX] {
            let s = space(&code);
            s.write_u64(DATA + 64, 0x1234).expect("data");
            let config = NativeConfig {
                options: Options::parse(opt).expect("options"),
                tag_limit: limit,
                hot: 20,
                ..NativeConfig::default()
            };
            let mut c = open(&LITTLE, &config, s.clone(), None).expect("a core");
            let tag = |at: u64| (DATA + at) | (0xa5 << 56);
            c.set(32, CODE);
            for (register, value) in [
                (0, tag(0)),
                (2, 100),
                (5, 16),
                (6, 5),
                (10, tag(48)),
                (12, 3),
                (14, tag(56)),
                (15, tag(96)),
            ] {
                c.set(register, value);
            }
            assert_eq!(
                run(c.as_mut()),
                Exit::Breakpoint { imm: 0 },
                "{opt} {limit}"
            );
            let word = |at: u64| s.read_u64(DATA + at).expect("data");
            let got = [16, 40, 48, 56, 64, 80].map(word);
            assert_eq!(got, [100, 101, 100, 300, 0x1234, 0x1234], "{opt} {limit}");
            assert_eq!(
                (c.get(7), c.get(13), c.get(2)),
                (100, 297, 0),
                "{opt} {limit}"
            );
            // What is wrong with an address is told as before.
            c.set(32, CODE);
            c.set(0, (0xa5 << 56) | 0x10_0000_0000);
            c.set(2, 1);
            let exit = run(c.as_mut());
            assert!(
                matches!(
                    exit,
                    Exit::Fault {
                        mapped: false,
                        access: Access::Read,
                        ..
                    }
                ),
                "{opt} {limit}: {exit:?}"
            );
        }
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
            let mut c = open(&LITTLE, &config, s.clone(), None).expect("a core");
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

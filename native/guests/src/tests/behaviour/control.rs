//! Control flow: calls and returns, loops, interrupts, system calls, threads.

use super::*;

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

fn interrupt_soon(core: &dyn CpuCore) -> std::thread::JoinHandle<()> {
    let handle = core.interrupter();
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        handle.interrupt();
    })
}

#[test]
fn an_interrupt_ends_an_endless_loop() {
    // add x0, x0, #1; b .-4
    let s = space(&[0x9100_0400, 0x17ff_ffff]);
    for opt in SETTINGS {
        let mut c = core(&s, opt);
        let interrupting = interrupt_soon(c.as_ref());
        assert_eq!(run(c.as_mut()), Exit::Interrupted, "{opt}");
        interrupting.join().expect("the interrupting thread");
        assert!(c.get(0) > 100, "{opt}");
        // One that comes while nothing runs is not lost.
        c.interrupter().interrupt();
        assert_eq!(run(c.as_mut()), Exit::Interrupted, "{opt}");
    }
}

#[test]
fn an_interrupt_ends_an_endless_region() {
    // add x11, x11, #1; add x12, x12, x11; b .-8
    let s = space(&[0x9100_056b, 0x8b0b_018c, 0x17ff_fffe]);
    for opt in SETTINGS {
        let mut c = core(&s, opt);
        c.set(19, 19);
        let interrupting = interrupt_soon(c.as_ref());
        assert_eq!(run(c.as_mut()), Exit::Interrupted, "{opt}");
        interrupting.join().expect("the interrupting thread");
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

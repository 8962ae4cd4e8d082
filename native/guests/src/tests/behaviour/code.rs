//! Code that changes, is translated anew or by another program; and the code cache.

use super::*;
use crate::translator::{Log, LogItem};

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
        options: Options {
            cache: 16 << 10,
            ..Options::default()
        },
        ..NativeConfig::default()
    };
    let mut c = open(&LITTLE, &config, s, None).expect("a core");
    for _ in 0..3 {
        c.set(0, 0);
        c.set(32, base);
        assert_eq!(run(c.as_mut()), Exit::Breakpoint { imm: 0 });
        assert_eq!(c.get(0), 60 * pages);
    }
}

/// Translations that were installed, by the log of those about to be made.
fn translated(space: &Arc<AddressSpace>) -> (Box<dyn CpuCore>, Arc<std::sync::Mutex<Vec<String>>>) {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let sink: Log = Arc::new(move |_, text| log.lock().unwrap().push(text.to_owned()));
    let config = NativeConfig {
        log: Some((vec![LogItem::InAsm], sink)),
        ..NativeConfig::default()
    };
    let mut core = open(&LITTLE, &config, space.clone(), None).expect("a core");
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

//! The Unicorn core, by tests that need the library: `QUSR_TEST_LIBUNICORN` names it (`make lint` sets it).
//!
//! What guest code does is tested from Python (`tests/unicorn_core`), where there is
//! an assembler. Here: what only Rust can do, such as interrupting from a signal handler.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::cpu::{Access, CpuCore, Exit, Flow, Interrupter};
use crate::memory::{AddressSpace, MmapRequest, Prot, SpaceConfig};
use crate::unicorn::{UnicornConfig, open};

const CODE: u64 = 0x40_0000;
const PC: u32 = 32;

/// The library; `None`, and so no test, only outside CI and where nothing names it.
fn library() -> Option<PathBuf> {
    let path = std::env::var_os("QUSR_TEST_LIBUNICORN").map(PathBuf::from);
    assert!(
        path.is_some() || std::env::var_os("CI").is_none(),
        "QUSR_TEST_LIBUNICORN is not set"
    );
    if path.is_none() {
        eprintln!("QUSR_TEST_LIBUNICORN is not set: nothing tested");
    }
    path
}

fn core_with(code: &[u32]) -> Option<(Arc<AddressSpace>, Box<dyn CpuCore>)> {
    let config = UnicornConfig {
        library: library()?,
        guest: crate::tests::unicorn_of("aarch64"),
        model: 3,
        emulate: None,
        features: vec![],
    };
    let space = AddressSpace::new(SpaceConfig::default()).unwrap();
    let prot = Prot::READ | Prot::WRITE | Prot::EXEC;
    space
        .mmap(MmapRequest::anonymous(4096, prot).fixed(CODE))
        .unwrap();
    let bytes: Vec<u8> = code.iter().flat_map(|insn| insn.to_le_bytes()).collect();
    space.write(CODE, &bytes).unwrap();
    let mut core = open(&config, Arc::clone(&space)).unwrap();
    core.set(PC, CODE);
    Some((space, core))
}

/// `svc #0; add x0, x0, #1; b .-8`
const COUNT_CALLS: [u32; 3] = [0xd400_0001, 0x9100_0400, 0x17ff_fffe];
/// `add x0, x0, #1; b .-4`
const COUNT: [u32; 2] = [0x9100_0400, 0x17ff_ffff];

#[test]
fn calls_stay_in_translated_code() {
    let Some((_space, mut core)) = core_with(&COUNT_CALLS) else {
        return;
    };
    let mut calls = 0;
    let start = Instant::now();
    let exit = core.run(&mut |regs, imm| {
        assert_eq!(imm, 0);
        assert_eq!(regs.get(PC), CODE + 4);
        calls += 1;
        if calls == 10_000 {
            Flow::Leave
        } else {
            Flow::Continue
        }
    });
    assert_eq!(exit, Exit::Syscall { imm: 0 });
    assert_eq!((calls, core.get(0)), (10_000, 9_999));
    let each = start.elapsed() / calls;
    assert!(each < Duration::from_micros(15), "{each:?} a call");
}

static INTERRUPTER: OnceLock<Arc<dyn Interrupter>> = OnceLock::new();

extern "C" fn on_alarm(_: i32) {
    if let Some(interrupter) = INTERRUPTER.get() {
        interrupter.interrupt();
    }
}

/// A timer's signals, each of which must end a run: none may be lost, wherever it falls.
#[test]
fn interrupts_from_a_signal_handler() {
    let Some((_space, mut core)) = core_with(&COUNT) else {
        return;
    };
    assert!(INTERRUPTER.set(core.interrupter()).is_ok());
    // SAFETY: the handler only does what `interrupt` promises to be async-signal-safe; the
    // timer's signal goes to this thread, and the timer is gone before the core is.
    let timer = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_alarm as *const () as usize;
        libc::sigaction(
            libc::SIGRTMIN() + 3,
            &raw const action,
            std::ptr::null_mut(),
        );
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGRTMIN() + 3;
        event.sigev_notify_thread_id = libc::gettid();
        let mut timer: libc::timer_t = std::mem::zeroed();
        assert_eq!(
            libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer),
            0
        );
        timer
    };
    for round in 0..2000 {
        let mut when: libc::itimerspec = libc::itimerspec {
            it_interval: libc::timespec {
                tv_sec: 10,
                tv_nsec: 0,
            },
            it_value: libc::timespec {
                tv_sec: 0,
                tv_nsec: 1 + 37 * (round % 500),
            },
        };
        // SAFETY: the timer exists. A lost signal would leave the run below without end, which
        // the timer's second signal, after ten seconds, turns into a failure.
        unsafe { libc::timer_settime(timer, 0, &raw mut when, std::ptr::null_mut()) };
        let start = Instant::now();
        assert_eq!(core.run(&mut |_, _| Flow::Leave), Exit::Interrupted);
        assert!(start.elapsed() < Duration::from_secs(2));
    }
    // SAFETY: created above.
    unsafe { libc::timer_delete(timer) };
}

#[test]
fn two_cores_over_one_memory() {
    let Some((space, mut one)) = core_with(&COUNT_CALLS) else {
        return;
    };
    let mut two = one.duplicate().unwrap();
    let thread = std::thread::spawn(move || {
        for _ in 0..100 {
            assert_eq!(two.run(&mut |_, _| Flow::Leave), Exit::Syscall { imm: 0 });
        }
        two.get(0)
    });
    for _ in 0..200 {
        assert_eq!(one.run(&mut |_, _| Flow::Leave), Exit::Syscall { imm: 0 });
    }
    assert_eq!(one.get(0), 199);
    assert_eq!(thread.join().unwrap(), 99);
    space.munmap(CODE, 4096).unwrap();
    let exit = one.run(&mut |_, _| Flow::Leave);
    let fault = Exit::Fault {
        addr: CODE + 4,
        access: Access::Fetch,
        mapped: false,
        bus: false,
        align: false,
    };
    assert_eq!(exit, fault);
}

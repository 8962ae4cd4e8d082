//! Runs a guest thread without Python: to its end, through forks and programs that it executes, or until
//! Python has to decide something.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use super::crew::{Asked, Crew, End, Held, Last, Successor, Waited, is_first};
use super::load::{self, Loaded, Refusal, Settings};
use super::{Program, Started, empty_space, entry, keep, log, vfork};
use crate::cpu::Exit;
use crate::facts;
use crate::machine::Machine;
use crate::memory::AddressSpace;
use crate::process::clone::{CloneRequest, Kind};
use crate::process::exec::Execve;
use crate::process::{Legacy, Process, Stop, aside, descriptors, share};
use crate::signal::host;
use crate::translator::{keep_stocks, stop_for_fork};
use crate::unicorn::AllStopped;

/// Runs it; comes back when Python is to be started here, and with nothing when the thread has ended.
pub fn run(mut started: Started) -> Option<Started> {
    loop {
        let stop = started.thread.run();
        let mut next = decide(&mut started, stop);
        while let Next::Python(stop) = next {
            // A child that waits for Python has to get it.
            let must = started.borrowed.is_some();
            next = match started.crew.ask(must) {
                Asked::Starts => return Some(hand_over(started, stop)),
                Asked::IsHere(arrive) => {
                    started.stop = stop;
                    arrive(started);
                    return None;
                }
                Asked::IsOver => leaves(&mut started),
            };
        }
        if matches!(next, Next::Gone) {
            return None;
        }
    }
}

/// The life of a thread that is not the first, on its host thread.
fn live(started: Started) {
    if let Some(started) = run(started) {
        entry::start_python(started);
    }
}

/// Stops for Python.
fn hand_over(mut started: Started, stop: Stop) -> Started {
    // A borrower's own reason was told.
    if started.borrowed.is_none() {
        log::entry(&started.program.launch, &stop);
    }
    started.stop = stop;
    // Python's start must not see the guest's signals.
    host::set_mask(!0);
    started
}

/// What comes behind a stop.
enum Next {
    GoOn,
    /// The thread has ended.
    Gone,
    /// Python decides.
    Python(Stop),
}

fn decide(started: &mut Started, stop: Stop) -> Next {
    match stop {
        Stop::Core(Exit::Interrupted) => Next::GoOn,
        Stop::Exited { status, whole } => exits(started, status, whole),
        Stop::Killed { ref signal } if !wants_core(&started.thread.process) => {
            let end = End::Signal(signal.0);
            match Arc::clone(&started.crew).hold() {
                Some(held) => ends(started, held, end),
                None => Next::Python(stop),
            }
        }
        Stop::Doomed => leaves(started),
        Stop::Preload if keeps_files(started) => match make_call(started) {
            Some(stop) => decide(started, stop),
            None => Next::GoOn,
        },
        stop => match attend(started, &stop) {
            Attended::Done => Next::GoOn,
            Attended::Leaves => leaves(started),
            Attended::ForPython => Next::Python(stop),
        },
    }
}

/// Whether the call may be made now that may put Python's files out of reach. A child in its parent's memory has the
/// parent's Python.
fn keeps_files(started: &mut Started) -> bool {
    let (number, _) = started.thread.call_registers();
    let is_plain = !share::is_shared() && !started.thread.is_traced();
    if !is_plain || !started.thread.takes_files_only(number) || !keep::keep(&started.program.launch)
    {
        return false;
    }
    started.thread.process.ready.set_kept();
    true
}

/// Makes the call again that has stopped before it was made.
fn make_call(started: &mut Started) -> Option<Stop> {
    let (number, args) = started.thread.call_registers();
    started.thread.make_call(number, &args)
}

/// exit(2) or exit_group(2).
fn exits(started: &mut Started, status: i32, whole: bool) -> Next {
    let crew = Arc::clone(&started.crew);
    let Some(mut held) = crew.hold() else {
        return Next::Python(Stop::Exited { status, whole });
    };
    if whole || held.is_alone() && !held.is_over() {
        return ends(started, held, End::Status(status));
    }
    held.exits(status);
    drop(held);
    started.thread.thread_ends();
    leaves(started)
}

/// The whole process ends; who is held waits for that.
fn ends(started: &mut Started, held: Held<'_>, end: End) -> Next {
    if held.is_over() {
        drop(held);
        return leaves(started);
    }
    if !share::is_shared() || held.is_alone() {
        finish(started, end);
    }
    // None of the others may end with a lock in its hands that those wait for who live in this memory.
    held.finally(Last::End(end));
    leaves(started)
}

fn finish(started: &Started, end: End) -> ! {
    started.thread.process.give_up_all_robust_futexes();
    // What the guest would do about signals is over.
    host::set_mask(!0);
    let shared = share::is_shared();
    if shared {
        aside::be_alone();
    }
    let status = match end {
        End::Signal(signal) if shared => host::die_beside_others(signal),
        End::Signal(signal) => {
            host::die_by(signal);
            // Should the signal be one that leaves us alive.
            128 + signal
        }
        End::Status(status) => {
            if !shared {
                keep_stocks();
            }
            status & 0xff
        }
    };
    // SAFETY: ends the process; nothing of ours is to be done before.
    unsafe { libc::_exit(status) }
}

/// The thread ends without any of what exit(2) does for it. The first one stays.
fn leaves(started: &mut Started) -> Next {
    let crew = Arc::clone(&started.crew);
    let Some(held) = crew.hold() else {
        return Next::Python(Stop::Doomed);
    };
    // Who holds the crew sends messages to those of it only.
    started.thread.leave();
    held.leaves();
    if !is_first() {
        return Next::Gone;
    }
    match crew.wait_for_others() {
        Waited::Python => Next::Python(Stop::Doomed),
        Waited::Alone(status) => finish(started, End::Status(status)),
        Waited::Last(Last::End(end)) => finish(started, end),
        Waited::Last(Last::Execve(successor)) => {
            started.thread.signals.blocked = successor.mask;
            let Successor {
                execve,
                machine,
                legacy,
                ..
            } = *successor;
            replace(started, execve, &machine, &legacy);
            Next::GoOn
        }
    }
}

/// What became of a stop.
enum Attended {
    Done,
    /// All threads are being ended.
    Leaves,
    ForPython,
}

/// Whether the death of a signal leaves a core file, which Python writes (`qusr/dump`).
pub fn wants_core(process: &Process) -> bool {
    let limit = process.limit(libc::RLIMIT_CORE);
    host::core_goes_to_a_program() || limit.is_ok_and(|(soft, _)| soft != 0)
}

fn attend(started: &mut Started, stop: &Stop) -> Attended {
    let Stop::Syscall { handler, scalars } = stop else {
        return Attended::ForPython;
    };
    // A tracer's books are Python's.
    if started.thread.is_traced() {
        return Attended::ForPython;
    }
    let machines = &facts::facts().machines;
    let exe = &started.program.exe;
    let exec = started
        .thread
        .prepare_exec(handler, &scalars.values, exe, machines);
    let request = match exec {
        Some(Ok(prepared)) => return execve(started, prepared),
        Some(Err(errno)) => Some(Err(errno)),
        None => CloneRequest::read(&started.thread.process, handler, &scalars.values),
    };
    let request = match request {
        Some(Ok(request)) => request,
        Some(Err(errno)) => {
            started.thread.finish_call(-i64::from(errno));
            return Attended::Done;
        }
        None => return Attended::ForPython,
    };
    let made: fn(&mut Started, Held<'_>, &CloneRequest) -> Attended = match request.kind() {
        Kind::Fork if is_plain_fork(&request) => fork,
        // Its execve would start qusr by its files.
        Kind::Borrower if vfork::is_plain(&request) && !keep::is_confined() => vfork,
        // Any thread may have to start Python.
        Kind::Thread if !request.has(libc::CLONE_VFORK) && entry::can_start_python() => new_thread,
        _ => return Attended::ForPython,
    };
    match Arc::clone(&started.crew).hold() {
        Some(held) if held.is_over() => Attended::Leaves,
        Some(held) => made(started, held, &request),
        None => Attended::ForPython,
    }
}

/// Whether it is a copy that nobody waits for, with descriptors of its own.
fn is_plain_fork(request: &CloneRequest) -> bool {
    let shares = request.has(libc::CLONE_FILES) || request.has(libc::CLONE_VFORK);
    request.kind() == Kind::Fork && !shares
}

/// Makes a child process, which goes on here as well. No copy is made while Python is being started.
fn fork(started: &mut Started, held: Held<'_>, request: &CloneRequest) -> Attended {
    keep::before_fork(&started.program.launch);
    let host = request.to_host(&started.thread.process);
    let mut stopped = AllStopped::new();
    let translator = stop_for_fork();
    let result = started.thread.fork(&host);
    drop(translator);
    if result == 0 {
        stopped.after_fork_in_child();
    }
    drop(stopped);
    drop(held);
    if result == 0 {
        started.crew = Crew::new();
        started.forked = true;
        started.thread.begin_fork(request);
    } else {
        started.thread.has_forked(request, result);
        started.thread.finish_call(result);
    }
    Attended::Done
}

/// Makes a child process in this memory, and waits for it.
fn vfork(started: &mut Started, held: Held<'_>, request: &CloneRequest) -> Attended {
    started.borrowed = vfork::vfork(started, held, request);
    match started.borrowed {
        None => Attended::Done,
        Some(_) => Attended::ForPython,
    }
}

/// Makes a thread.
fn new_thread(started: &mut Started, mut held: Held<'_>, request: &CloneRequest) -> Attended {
    let made = started.thread.sibling(request).map_err(|_| libc::EAGAIN);
    let made = made.and_then(|thread| {
        let seat = thread.seat();
        let sibling = Started {
            crew: Arc::clone(&started.crew),
            program: Arc::clone(&started.program),
            thread,
            stop: Stop::Core(Exit::Interrupted),
            forked: false,
            borrowed: None,
        };
        let life = Box::new(move || live(sibling));
        // Until it is among those that run, no other thread comes or goes.
        started.thread.start(request, seat, Box::new(|_| ()), life)
    });
    let result = made.map_or_else(|errno| -i64::from(errno), i64::from);
    if let Ok(tid) = made {
        held.enters(tid);
    }
    drop(held);
    started.thread.finish_call(result);
    Attended::Done
}

/// Begins another program in this process, or gives the guest the errno.
fn execve(started: &mut Started, execve: Execve) -> Attended {
    let machine = match &execve.prepared.plan {
        Some(_) => match machine_for(started, &execve) {
            Ok(machine) => Some(machine),
            Err(_) => {
                started.thread.finish_call(-i64::from(libc::ENOEXEC));
                return Attended::Done;
            }
        },
        None => None,
    };
    let crew = Arc::clone(&started.crew);
    let Some(held) = crew.hold() else {
        return Attended::ForPython;
    };
    if held.is_over() {
        return Attended::Leaves;
    }
    if share::is_shared() {
        // It has to leave the memory to the others.
        return Attended::ForPython;
    }
    let Some(machine) = machine else {
        // A program of the host: the kernel ends the other threads.
        let program = execve.prepared;
        let path = program.host_path.clone();
        let result = started.thread.exec_host(path, program.argv, execve.envp);
        started.thread.finish_call(result);
        return Attended::Done;
    };
    let legacy = started.thread.legacy();
    if held.is_alone() && is_first() {
        drop(held);
        replace(started, execve, &machine, &legacy);
        return Attended::Done;
    }
    // The first thread goes on with the program (fs/exec.c, de_thread).
    held.finally(Last::Execve(Box::new(Successor {
        execve,
        machine,
        mask: started.thread.signals.blocked,
        legacy,
    })));
    if !is_first() {
        started.thread.thread_ends();
    }
    Attended::Leaves
}

/// The machine of the new program.
fn machine_for(started: &Started, execve: &Execve) -> Result<Arc<Machine>, Refusal> {
    let machines = &facts::facts().machines;
    let unknown = || Refusal::Usage(String::from("no guest runs it"));
    let plan = execve.prepared.plan.as_ref().ok_or_else(unknown)?;
    let rules = execve.prepared.ident.guest(machines).ok_or_else(unknown)?;
    let variant = rules.variant(plan.ident.flags);
    let known = &started.program.machine;
    if (known.rules.name, known.abi.variant) == (rules.name, variant) {
        return Ok(Arc::clone(known));
    }
    let launch = &started.program.launch;
    let machine = launch.machine(rules.name, variant)?;
    if machine.native.is_none() && launch.lacks_unicorn() {
        return Err(unknown());
    }
    Ok(Arc::new(machine))
}

/// The point of no return (fs/exec.c, `begin_new_exec`). `legacy` is of the thread that executes the program.
fn replace(started: &mut Started, execve: Execve, machine: &Arc<Machine>, legacy: &Legacy) {
    let Execve { prepared, envp } = execve;
    let mask = started.thread.leave_for_exec(false);
    let interpreter = prepared.interpreter.as_ref();
    let kept = [
        Some(prepared.file.as_raw_fd()),
        interpreter.map(|interpreter| interpreter.file.as_raw_fd()),
    ];
    close_others(&kept);
    let (before, process) = (&started.program, &started.thread.process);
    // Of the program before only a 32-bit one inherits it (SET_PERSONALITY of arm64's elf.h).
    let implied = before.read_implies_exec && machine.rules.bits == 32;
    let launch = &before.launch;
    let stack_size = launch.stack_size.unwrap_or_else(|| {
        let limit = process.limit(libc::RLIMIT_STACK);
        limit.map_or(u64::MAX, |(soft, _)| soft)
    });
    let loaded = new_space(before, machine).and_then(|space| {
        space.set_read_implies_exec(implied);
        let settings = Settings {
            stack_size,
            ..launch.settings.clone()
        };
        let loaded = load::load(
            &prepared,
            &envp,
            machine,
            &space,
            &settings,
            Some(process),
            None,
        )?;
        Ok((space, loaded))
    });
    // Too late to go back: the kernel kills the process then.
    let Ok((space, loaded)) = loaded else {
        host::die_by(libc::SIGSEGV);
        return;
    };
    let Loaded {
        image,
        stack,
        mut thread,
        exe,
        ..
    } = loaded;
    thread.follow_exec(&mut started.thread);
    thread.inherit(legacy);
    thread.set_mask(mask);
    let program = Arc::new(Program {
        space,
        machine: Arc::clone(machine),
        launch: Arc::clone(launch),
        argv: prepared.argv,
        envp,
        execfn: prepared.execfn,
        read_implies_exec: implied || image.read_implies_exec,
        image,
        stack,
        exe,
        own_exe: Arc::clone(&before.own_exe),
        sysroot: before.sysroot.clone(),
    });
    let old = std::mem::replace(&mut started.thread, thread);
    let before = std::mem::replace(&mut started.program, program);
    if started.forked {
        // Taking it apart would write to, and so copy, pages that the parent has as well.
        started.forked = false;
        std::mem::forget((old, before));
    }
    started.program.publish();
}

/// Closes what an execve closes, but not the files of the new program.
fn close_others(kept: &[Option<RawFd>]) {
    for fd in descriptors::close_on_exec().unwrap_or_default() {
        if !kept.contains(&Some(fd)) {
            // SAFETY: descriptors of the guest's; those of the emulator's own are not open between calls.
            unsafe { libc::close(fd) };
        }
    }
}

/// An empty address space: the old one, where it is of the right size.
fn new_space(before: &Program, machine: &Machine) -> Result<Arc<AddressSpace>, Refusal> {
    if before.machine.rules.bits == machine.rules.bits {
        let cleared = before.space.clear();
        cleared.map_err(|errno| {
            let error = crate::loader::LoadError::of_errno(b"memory", errno);
            Refusal::Load(error)
        })?;
        return Ok(Arc::clone(&before.space));
    }
    empty_space(&before.launch, machine)
}

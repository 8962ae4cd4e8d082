//! Runs a guest without Python: to its end, through forks and programs that it executes, or until
//! Python has to decide something.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use super::load::{self, Loaded, Refusal, Settings};
use super::{Started, empty_space, log, vfork};
use crate::cpu::Exit;
use crate::facts;
use crate::machine::Machine;
use crate::process::clone::{CloneRequest, Kind};
use crate::process::exec::Execve;
use crate::process::{Process, Stop, descriptors};
use crate::signal::dispositions::Dispositions;
use crate::signal::host;
use crate::translator::{keep_stocks, stop_for_fork};
use crate::unicorn::AllStopped;

/// Runs it; comes back with what Python has to decide.
pub fn run(mut started: Started) -> Started {
    let stop = loop {
        match started.thread.run() {
            // There is one thread, so its end is that of the process.
            Stop::Exited { status, .. } => {
                started.process.give_up_all_robust_futexes();
                // What the guest would do about signals is over.
                host::set_mask(!0);
                keep_stocks();
                // SAFETY: ends the process; nothing of ours is to be done before.
                unsafe { libc::_exit(status & 0xff) };
            }
            Stop::Killed { signal } if !wants_core(&started.process) => {
                started.process.give_up_all_robust_futexes();
                host::die_by(signal.0);
                // SAFETY: as above, should the signal be one that leaves us alive.
                unsafe { libc::_exit(128 + signal.0) };
            }
            Stop::Core(Exit::Interrupted) => {}
            stop => match attend(&mut started, &stop) {
                Attended::Done => {}
                Attended::ForPython => break stop,
            },
        }
    };
    hand_over(started, stop)
}

/// Stops for Python.
fn hand_over(mut started: Started, stop: Stop) -> Started {
    // A borrower's own reason was told.
    if started.borrowed.is_none() {
        log::entry(&started.launch, &stop);
    }
    started.stop = stop;
    // Python's start must not see the guest's signals, nor change what it does about them.
    host::set_mask(!0);
    started.dispositions = Dispositions::save();
    started
}

/// What became of a stop.
enum Attended {
    Done,
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
    let exec = started
        .thread
        .prepare_exec(handler, &scalars.values, &started.exe, machines);
    if let Some(prepared) = exec {
        execve(started, prepared);
        return Attended::Done;
    }
    match CloneRequest::read(&started.process, handler, &scalars.values) {
        Some(Ok(request)) if is_plain_fork(&request) => {
            fork(started, &request);
            Attended::Done
        }
        Some(Ok(request)) if request.kind() == Kind::Borrower && vfork::is_plain(&request) => {
            started.borrowed = vfork::vfork(started, &request);
            match started.borrowed {
                None => Attended::Done,
                Some(_) => Attended::ForPython,
            }
        }
        Some(Err(errno)) => {
            started.thread.finish_call(-i64::from(errno));
            Attended::Done
        }
        _ => Attended::ForPython,
    }
}

/// Whether it is a copy that nobody waits for, with descriptors of its own.
fn is_plain_fork(request: &CloneRequest) -> bool {
    let shares = request.has(libc::CLONE_FILES) || request.has(libc::CLONE_VFORK);
    request.kind() == Kind::Fork && !shares
}

/// Makes a child process, which goes on here as well.
fn fork(started: &mut Started, request: &CloneRequest) {
    let host = request.to_host(&started.process);
    let mut stopped = AllStopped::new();
    let translator = stop_for_fork();
    let result = started.thread.fork(&host);
    drop(translator);
    if result == 0 {
        stopped.after_fork_in_child();
    }
    drop(stopped);
    if result == 0 {
        started.forked = true;
        started.thread.begin_fork(request);
    } else {
        started.thread.has_forked(request, result);
        started.thread.finish_call(result);
    }
}

/// Begins another program in this process, or gives the guest the errno.
fn execve(started: &mut Started, prepared: Result<Execve, i32>) {
    let result = match prepared {
        Ok(execve) if execve.prepared.plan.is_none() => {
            let program = execve.prepared;
            let path = program.host_path.clone();
            started.thread.exec_host(path, program.argv, execve.envp)
        }
        Ok(execve) => match machine_for(started, &execve) {
            Ok(machine) => return replace(started, execve, &machine),
            Err(_) => -i64::from(libc::ENOEXEC),
        },
        Err(errno) => -i64::from(errno),
    };
    started.thread.finish_call(result);
}

/// The machine of the new program.
fn machine_for(started: &Started, execve: &Execve) -> Result<Arc<Machine>, Refusal> {
    let machines = &facts::facts().machines;
    let unknown = || Refusal::Usage(String::from("no guest runs it"));
    let plan = execve.prepared.plan.as_ref().ok_or_else(unknown)?;
    let rules = execve.prepared.ident.guest(machines).ok_or_else(unknown)?;
    let variant = rules.variant(plan.ident.flags);
    let known = &started.machine;
    if (known.rules.name, known.abi.variant) == (rules.name, variant) {
        return Ok(Arc::clone(known));
    }
    let machine = started.launch.machine(rules.name, variant)?;
    if machine.native.is_none() && started.launch.lacks_unicorn() {
        return Err(unknown());
    }
    Ok(Arc::new(machine))
}

/// The point of no return (fs/exec.c, `begin_new_exec`).
fn replace(started: &mut Started, execve: Execve, machine: &Arc<Machine>) {
    let Execve { prepared, envp } = execve;
    let mask = started.thread.leave_for_exec(false);
    let interpreter = prepared.interpreter.as_ref();
    let kept = [
        Some(prepared.file.as_raw_fd()),
        interpreter.map(|interpreter| interpreter.file.as_raw_fd()),
    ];
    close_others(&kept);
    // Of the program before only a 32-bit one inherits it (SET_PERSONALITY of arm64's elf.h).
    let implied = started.read_implies_exec && machine.rules.bits == 32;
    let stack_size = started.launch.stack_size.unwrap_or_else(|| {
        let limit = started.process.limit(libc::RLIMIT_STACK);
        limit.map_or(u64::MAX, |(soft, _)| soft)
    });
    let loaded = new_space(started, machine).and_then(|space| {
        space.set_read_implies_exec(implied);
        let before = Some(&*started.process);
        let settings = Settings {
            stack_size,
            ..started.launch.settings.clone()
        };
        let loaded = load::load(&prepared, &envp, machine, &space, &settings, before, None)?;
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
        process,
        mut thread,
        exe,
    } = loaded;
    thread.follow_exec(&mut started.thread);
    thread.seccomp.inherit(&started.thread.seccomp);
    thread.set_mask(mask);
    started.read_implies_exec = implied || image.read_implies_exec;
    started.machine = Arc::clone(machine);
    let old = std::mem::replace(&mut started.thread, thread);
    let before = std::mem::replace(&mut started.process, process);
    if started.forked {
        // Taking it apart would write to, and so copy, pages that the parent has as well.
        started.forked = false;
        std::mem::forget((old, before));
    }
    started.space = space;
    (started.image, started.stack, started.exe) = (image, stack, exe);
    (started.argv, started.envp) = (prepared.argv, envp);
    started.execfn = prepared.execfn;
    started.publish();
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
fn new_space(
    started: &Started,
    machine: &Machine,
) -> Result<Arc<crate::memory::AddressSpace>, Refusal> {
    if started.machine.rules.bits == machine.rules.bits {
        let cleared = started.space.clear();
        cleared.map_err(|errno| {
            let error = crate::loader::LoadError::of_errno(b"memory", errno);
            Refusal::Load(error)
        })?;
        return Ok(Arc::clone(&started.space));
    }
    empty_space(&started.launch, machine)
}

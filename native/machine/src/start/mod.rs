//! Starting a program without Python.
//!
//! Python's own start takes longer than a small program runs. So the launcher has this library
//! preloaded into Python's executable, and its constructor (`entry.rs`) runs before Python does
//! anything. When the command is a plain one ([`command`]) the guest is loaded and run here; what
//! Python declares of guests and options is in the library ([`crate::facts`]). Only when it asks for
//! something that is Python's to decide is Python let start; it then takes over the guest as it is
//! (`Process._adopt`).

pub mod command;
mod entry;
pub mod files;
pub mod load;
pub mod options;

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cpu::Exit;
use crate::facts;
use crate::loader::error;
use crate::loader::image::Image;
use crate::loader::program::{self, Request, Wanted};
use crate::loader::stack::Stack;
use crate::machine::{Machine, Wishes};
use crate::memory::{AddressSpace, SpaceConfig};
use crate::process::{CLONE, GuestThread, Process, Stop, child};
use crate::signal::dispositions::Dispositions;
use crate::signal::host;
use crate::store::{self, file_identity};
use crate::thunk::exec::OwnExe;
use crate::thunk::table::Table;
use crate::translator::keep_stocks;
use command::Command;
use load::{Loaded, Refusal, Settings};

/// Says in the store that a program needs Python.
const LATE: &str = "late";
/// Status of a command line that cannot be: qemu's `EXIT_FAILURE`.
const USAGE: i32 = 1;

/// A guest that was started without Python, for Python to go on with.
pub struct Started {
    pub space: Arc<AddressSpace>,
    pub table: Arc<Table>,
    pub process: Arc<Process>,
    pub thread: GuestThread,
    /// What is to be decided.
    pub stop: Stop,
    pub guest: &'static str,
    pub argv: Vec<Vec<u8>>,
    pub envp: Vec<Vec<u8>>,
    /// As it was given to execve.
    pub execfn: Vec<u8>,
    pub image: Image,
    pub stack: Stack,
    /// The program's path on the host, and the emulator's own.
    pub exe: Vec<u8>,
    pub own_exe: Arc<OwnExe>,
    pub sysroot: Vec<u8>,
    /// What the guest inherited, or has made, of the signals that Python's start changes.
    pub dispositions: Dispositions,
}

static STARTED: Mutex<Option<Box<Started>>> = Mutex::new(None);

/// The guest that was started, once.
pub fn take_started() -> Option<Box<Started>> {
    STARTED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
}

/// Starts the program, and comes back only when Python is needed: with the guest, or without one when
/// Python has to start it.
fn begin(command: Command) -> Option<Started> {
    let own_exe = Arc::new(files::own_exe()?);
    let file = match command.fd {
        // A copy, since Python may need it.
        Some(fd) => Some(files::copy(fd)?),
        None => None,
    };
    let name = command.name.clone();
    match start(command, file, own_exe) {
        Ok(started) => started,
        Err(Refusal::Load(error)) => fail(&name, &error.message, error.status()),
        Err(Refusal::Usage(why)) => fail(&name, why.as_bytes(), USAGE),
    }
}

/// Ends with one line on standard error.
fn fail(name: &[u8], why: &[u8], status: i32) -> ! {
    let mut line = [name, b": ", why].concat();
    for byte in &mut line {
        if *byte == b'\n' {
            *byte = b' ';
        }
    }
    line.push(b'\n');
    // SAFETY: the buffer has the size given. The process ends; nothing of ours is to be done before.
    unsafe {
        libc::write(2, line.as_ptr().cast(), line.len());
        libc::_exit(status)
    }
}

fn start(
    command: Command,
    file: Option<OwnedFd>,
    own_exe: Arc<OwnExe>,
) -> Result<Option<Started>, Refusal> {
    let machines = &facts::facts().machines;
    let sysroot = command.sysroot.as_deref().map(files::absolute);
    let prepared = program::prepare(
        Request {
            path: &command.program,
            argv: command.argv.clone(),
            sysroot: sysroot.as_deref().unwrap_or_default(),
            seeks_sysroot: sysroot.is_none(),
            file,
            wanted: command.guest.map_or(Wanted::Guests, Wanted::Guest),
            checks_mode: true,
            execfn: Some(command.execfn.clone()),
        },
        machines,
    )?;
    let (Some(plan), Some(rules)) = (&prepared.plan, prepared.ident.guest(machines)) else {
        return Ok(None);
    };
    let options = &command.options;
    let text = |name: &str| {
        let text = options.text(name).map(String::from_utf8_lossy);
        text.filter(|text| !text.is_empty())
    };
    let machine = Machine::new(
        rules.name,
        rules.variant(plan.flags),
        Wishes {
            cpu: options.text("cpu").map(String::from_utf8_lossy).as_deref(),
            core: text("core").as_deref().unwrap_or_default(),
            opt: text("opt").as_deref().unwrap_or_default(),
            logs: "",
        },
    )
    .map_err(Refusal::Usage)?;
    if machine.native.is_none() {
        return Ok(None);
    }
    let space = empty_space(&command, &machine)?;
    if command.read_implies_exec && rules.bits == 32 {
        space.set_read_implies_exec(true);
    }
    let settings = Settings {
        stack_size: stack_size(&command),
        release: text("r").map(|release| release.into_owned().into_bytes()),
        seed: options.number("seed"),
        store: command.store.clone(),
        library: files::unicorn_library(&command.packages),
        own_exe: own_exe.clone(),
    };
    let Loaded {
        image,
        stack,
        process,
        thread,
        table,
        exe,
    } = load::load(&prepared, &command.envp, &machine, &space, &settings)?;
    process.set_own_limits(&command.limits);
    child::set_thread_name(files::comm(&command.execfn));
    let base = space.base() as u64;
    child::publish_arguments(
        (base + stack.arg_start, base + stack.arg_end),
        (base + stack.arg_end, base + stack.env_end),
    );
    let identity = store::fstat(prepared.file.as_raw_fd()).map(|info| file_identity(&info));
    if let Some(fd) = command.fd {
        // SAFETY: the kernel opened it for the emulator, so nobody else uses it.
        unsafe { libc::close(fd) };
    }
    let started = Started {
        space,
        table,
        process,
        thread,
        stop: Stop::Core(Exit::Interrupted),
        guest: rules.name,
        argv: prepared.argv,
        envp: command.envp,
        execfn: prepared.execfn,
        image,
        stack,
        exe,
        own_exe,
        sysroot: prepared.sysroot,
        dispositions: Dispositions::save(),
    };
    drop((prepared.file, prepared.interpreter));
    Ok(Some(run_noted(started, command.store.as_deref(), identity)))
}

/// Runs the guest. A program that needed Python for more than its children will need it again: then at
/// once, and not when it is in the midst of something.
fn run_noted(started: Started, store: Option<&[u8]>, program: Option<[u8; 40]>) -> Started {
    let Some((store, key)) = store.zip(program) else {
        return run(started);
    };
    if store::get(store, LATE, &key).is_some() {
        return hand_over(started, Stop::Core(Exit::Interrupted));
    }
    let started = run(started);
    if !is_about_children(&started.stop, &started.space) {
        // No failure of the store is one of the program.
        let _ = store::put(store, LATE, &key, b"");
    }
    started
}

/// The memory of a process, with nothing in it.
fn empty_space(command: &Command, machine: &Machine) -> Result<Arc<AddressSpace>, Refusal> {
    // As in qemu, 0 is no wish.
    let wish = |name: &str| command.options.number(name).filter(|&number| number != 0);
    let (base, size) = (wish("B"), wish("R"));
    let space = AddressSpace::new(SpaceConfig {
        va_bits: machine.rules.bits,
        guest_base: base,
        reserved_va: size,
        mmap_min_addr: machine.rules.min_address,
    });
    space.map_err(|error| {
        let at = base.map_or(String::new(), |base| format!(" at {base:#x}"));
        let of = size.map_or(String::new(), |size| format!(" of {size:#x} bytes"));
        let why = error::text(error.raw_os_error().unwrap_or(libc::ENOMEM));
        Refusal::Usage(format!("no room for guest memory{of}{at}: {why}"))
    })
}

/// The limit of the stack in bytes: `-s`, the guest's own one, or the host's.
fn stack_size(command: &Command) -> u64 {
    if let Some(size) = command.options.number("s") {
        return size;
    }
    let mut limits = command.limits.iter();
    if let Some((_, soft, _)) = limits.find(|(number, _, _)| *number == libc::RLIMIT_STACK) {
        return *soft;
    }
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills a valid rlimit.
    unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    limit.rlim_cur
}
/// Runs the guest to its end, or until Python has to decide something.
fn run(mut started: Started) -> Started {
    let thread = &mut started.thread;
    let stop = loop {
        match thread.run() {
            // There is one thread, so its end is that of the process.
            Stop::Exited { status, .. } => {
                started.process.give_up_all_robust_futexes();
                // What the guest would do about signals is over.
                host::set_mask(!0);
                keep_stocks();
                // SAFETY: ends the process; nothing of ours is to be done before.
                unsafe { libc::_exit(status & 0xff) };
            }
            Stop::Core(Exit::Interrupted) => {}
            stop => break stop,
        }
    };
    hand_over(started, stop)
}

/// Stops for Python.
fn hand_over(mut started: Started, stop: Stop) -> Started {
    started.stop = stop;
    // Python's start must not see the guest's signals, nor change what it does about them.
    host::set_mask(!0);
    started.dispositions = Dispositions::save();
    started
}

/// Whether a stop is for a child process or another program, which shells make in some runs and in
/// others not; or the end.
fn is_about_children(stop: &Stop, space: &AddressSpace) -> bool {
    let is_thread = |flags: u64| flags & libc::CLONE_THREAD as u64 != 0;
    match stop {
        Stop::Syscall { handler, scalars } => match &**handler {
            CLONE => !is_thread(scalars.values[0]),
            // struct clone_args begins with the flags.
            "process:clone3" => {
                let mut flags = [0; 8];
                let known = space.read(scalars.values[0], &mut flags);
                known.is_ok() && !is_thread(u64::from_le_bytes(flags))
            }
            "process:fork" | "process:vfork" => true,
            name => name.starts_with("exec:"),
        },
        Stop::Killed { .. } => true,
        _ => false,
    }
}

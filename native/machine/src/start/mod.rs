//! Starting a program without Python.
//!
//! Python's own start takes longer than a small program runs. So the launcher has this library
//! preloaded into Python's executable, and its constructor (`entry.rs`) runs before Python does
//! anything. When the command is a plain one ([`command`]) the guest is loaded and run here; what
//! Python declares of guests and options is in the library ([`crate::facts`]). Only when it asks for
//! something that is Python's to decide is Python let start; it then takes over the guest as it is
//! (`Process._adopt`), in whichever thread asked first.

pub mod command;
pub mod crew;
mod entry;
pub mod files;
pub mod keep;
pub mod load;
mod log;
pub mod options;
mod run;
pub mod vfork;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cpu::Exit;
use crate::facts;
use crate::loader::error;
use crate::loader::image::Image;
use crate::loader::program::{self, Request, Wanted};
use crate::loader::stack::Stack;
use crate::machine::{Machine, Wishes};
use crate::memory::{AddressSpace, SpaceConfig};
use crate::process::{GuestThread, Stop, child};
use crate::thunk::exec::OwnExe;
use command::Command;
use crew::Crew;
pub use entry::{Place, Python, attempt, late_python};
use load::{Loaded, Refusal, Settings};
use run::run;

/// Status of a command line that cannot be: qemu's `EXIT_FAILURE`.
const USAGE: i32 = 1;
/// And of a mistake of the emulator's (EX_SOFTWARE of sysexits.h).
const INTERNAL: i32 = 70;

/// A thread of a guest that was started without Python, for Python to go on with.
pub struct Started {
    pub crew: Arc<Crew>,
    pub program: Arc<Program>,
    pub thread: GuestThread,
    /// What is to be decided.
    pub stop: Stop,
    /// It is a forked child that has not executed a program yet.
    pub forked: bool,
    /// A vfork's child that needs Python, and whose parent the thread is.
    pub borrowed: Option<vfork::Borrowed>,
}

/// What the process runs, from one execve to the next.
pub struct Program {
    pub space: Arc<AddressSpace>,
    pub machine: Arc<Machine>,
    pub launch: Arc<Launch>,
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
    /// The personality READ_IMPLIES_EXEC.
    pub read_implies_exec: bool,
}

/// What a process is told by its command, and keeps through each execve.
#[derive(Debug)]
pub struct Launch {
    pub settings: Settings,
    pub cpu: Option<String>,
    pub core: String,
    pub opt: String,
    /// `-s`, in bytes.
    pub stack_size: Option<u64>,
    pub guest_base: Option<u64>,
    pub reserved_va: Option<u64>,
    /// How Python is started with this library: its path, the code that it is given to find the
    /// packages, and this library's path ("": all of it is one executable).
    pub python: Vec<u8>,
    pub code: Vec<u8>,
    pub extension: Vec<u8>,
    /// The library that Python is loaded from when it is needed, where the extension is what is executed.
    pub library: Vec<u8>,
    /// Unicorn's library, where a variable names it.
    pub unicorn: Option<Vec<u8>>,
    /// `-d python`: a file for the log, or "" for standard error.
    pub log: Option<Vec<u8>>,
}

impl Launch {
    fn of(command: &Command, own_exe: Arc<OwnExe>) -> Self {
        let options = &command.options;
        let text = |name: &str| {
            let text = options.text(name).map(String::from_utf8_lossy);
            text.filter(|text| !text.is_empty()).map(Cow::into_owned)
        };
        // As in qemu, 0 is no wish.
        let wish = |name: &str| options.number(name).filter(|&number| number != 0);
        let stack_size = options.number("s");
        Self {
            settings: Settings {
                stack_size: stack_size.unwrap_or_else(|| stack_limit(command)),
                release: text("r").map(String::into_bytes),
                seed: options.number("seed"),
                store: command.store.clone(),
                library: match &command.unicorn {
                    Some(path) => PathBuf::from(OsStr::from_bytes(path)),
                    None => files::unicorn_library(&command.packages),
                },
                own_exe,
            },
            cpu: options
                .text("cpu")
                .map(|text| String::from_utf8_lossy(text).into_owned()),
            core: text("core").unwrap_or_default(),
            opt: text("opt").unwrap_or_default(),
            stack_size,
            guest_base: wish("B"),
            reserved_va: wish("R"),
            python: command.python.clone(),
            code: command.paths.clone(),
            extension: command.extension.clone(),
            library: command.library.clone(),
            unicorn: command.unicorn.clone(),
            log: options
                .text("d")
                .map(|_| options.text("D").unwrap_or_default().to_vec()),
        }
    }

    /// Unicorn's library is not there, which Python tells of.
    fn lacks_unicorn(&self) -> bool {
        self.settings.library.as_os_str().is_empty()
    }

    fn machine(&self, guest: &str, variant: &str) -> Result<Machine, Refusal> {
        let wishes = Wishes {
            cpu: self.cpu.as_deref(),
            core: &self.core,
            opt: &self.opt,
            logs: "",
        };
        Machine::new(guest, variant, wishes).map_err(Refusal::Usage)
    }
}

impl Program {
    /// Shows the host the guest program: /proc/PID/comm, cmdline and environ, so ps too.
    fn publish(&self) {
        child::set_thread_name(files::comm(&self.execfn));
        let (base, stack) = (self.space.base() as u64, &self.stack);
        child::publish_arguments(
            (base + stack.arg_start, base + stack.arg_end),
            (base + stack.arg_end, base + stack.env_end),
        );
    }
}

static STARTED: Mutex<Option<Box<Started>>> = Mutex::new(None);

/// The guest that was started, once.
pub fn take_started() -> Option<Box<Started>> {
    STARTED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
}

/// Python has begun, and changed what is done about some signals: that is the guest's again.
pub fn take_signals_back() {
    let started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(started) = &*started {
        started.thread.process.actions.take_back_from_python();
    }
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
    let launch = Launch::of(&command, own_exe.clone());
    let machine = launch.machine(rules.name, rules.variant(plan.ident.flags))?;
    if machine.native.is_none() && machine.direct.is_none() && launch.lacks_unicorn() {
        return Ok(None);
    }
    let space = empty_space(&launch, &machine)?;
    let implied = command.read_implies_exec && rules.bits == 32;
    space.set_read_implies_exec(implied);
    let Loaded {
        image,
        stack,
        process,
        thread,
        exe,
    } = load::load(
        &prepared,
        &command.envp,
        &machine,
        &space,
        &launch.settings,
        None,
        None,
    )?;
    process.set_own_limits(&command.limits);
    if launch.is_embedded() {
        process.ready.set_complete();
    }
    if let Some(fd) = command.fd {
        // SAFETY: the kernel opened it for the emulator, so nobody else uses it.
        unsafe { libc::close(fd) };
    }
    let program = Program {
        space,
        machine: Arc::new(machine),
        launch: Arc::new(launch),
        argv: prepared.argv,
        envp: command.envp,
        execfn: prepared.execfn,
        read_implies_exec: implied || image.read_implies_exec,
        image,
        stack,
        exe,
        own_exe,
        sysroot: prepared.sysroot,
    };
    drop((prepared.file, prepared.interpreter));
    program.publish();
    Ok(run(Started {
        crew: Crew::new(),
        program: Arc::new(program),
        thread,
        stop: Stop::Core(Exit::Interrupted),
        forked: false,
        borrowed: None,
    }))
}

/// Why the core direct has no memory.
pub const IN_THE_WAY: &str = "-core direct: the emulator is where the guest's memory is to be (a Python that is linked at a \
                              fixed address, as Debian's is): use qusr-static, or a Python that is a shared library";

/// The memory of a process, with nothing in it.
fn empty_space(launch: &Launch, machine: &Machine) -> Result<Arc<AddressSpace>, Refusal> {
    let (base, size) = (launch.guest_base, launch.reserved_va);
    let executes = machine.executes;
    if executes && (base.is_some() || size.is_some()) {
        return Err(Refusal::Usage(
            "-core direct: guest addresses are host addresses, so -B and -R have no meaning".into(),
        ));
    }
    let space = AddressSpace::new(SpaceConfig {
        va_bits: machine.rules.bits,
        guest_base: base,
        reserved_va: size,
        mmap_min_addr: machine.rules.min_address,
        page_size: machine.rules.page_size,
        executes,
    });
    space.map_err(|error| {
        if executes && error.raw_os_error() == Some(libc::EEXIST) {
            return Refusal::Usage(IN_THE_WAY.into());
        }
        let at = base.map_or(String::new(), |base| format!(" at {base:#x}"));
        let of = size.map_or(String::new(), |size| format!(" of {size:#x} bytes"));
        let why = error::text(error.raw_os_error().unwrap_or(libc::ENOMEM));
        Refusal::Usage(format!("no room for guest memory{of}{at}: {why}"))
    })
}

/// The limit of the stack in bytes: the guest's own one, or the host's.
fn stack_limit(command: &Command) -> u64 {
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

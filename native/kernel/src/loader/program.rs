//! From a path to something that can be put into an address space.
//!
//! [`prepare`] does all that can fail while the old image still stands: it follows `#!` lines,
//! finds out the guest, reads the plans and finds the interpreter.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::elf::{self, Plan, errno, read, read_plan};
use super::error::{LoadError, text};
use super::ident::{BINPRM_BUF_SIZE, Ident, Kind, is_host_machine, kind};
use super::image::{self, ElfFile, Image, Space};
use super::rules::{Machines, Rules};
use super::script;
use crate::process::child::exec_refusal;
use crate::thunk::path::lookup_in;

/// Which programs the caller runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// What a guest executes (execve(2)), this being its programs' `e_machine`: programs of any guest. Those of
    /// the host are left to it, unless the guest is one of its kind: then they stay here.
    By(u16),
    Guests,
    Guest(&'a str),
}

/// What is to be run.
#[derive(Debug)]
pub struct Request<'a> {
    pub path: &'a [u8],
    pub argv: Vec<Vec<u8>>,
    /// Where absolute paths are looked up first: an absolute path, or "" for none.
    pub sysroot: &'a [u8],
    /// Nobody has asked for a sysroot: one is looked for in /usr/TRIPLET.
    pub seeks_sysroot: bool,
    /// An open file to be used instead of opening `path` (binfmt_misc's flag O, execveat(2) with
    /// `AT_EMPTY_PATH`).
    pub file: Option<OwnedFd>,
    pub wanted: Wanted<'a>,
    /// Whether `path` itself has to be executable.
    pub checks_mode: bool,
    /// AT_EXECFN, where that is not `path`.
    pub execfn: Option<Vec<u8>>,
}

/// A program that is ready to be loaded.
#[derive(Debug)]
pub struct Prepared {
    /// The ELF program's path as the guest knows it, and the file on the host.
    pub path: Vec<u8>,
    pub host_path: Vec<u8>,
    pub argv: Vec<Vec<u8>>,
    /// The path as it was given to execve, also for a script.
    pub execfn: Vec<u8>,
    pub ident: Ident,
    pub file: OwnedFd,
    /// None for a program of the host itself: it takes a real execve.
    pub plan: Option<Plan>,
    pub interpreter: Option<Interpreter>,
    /// The one that was given, or the one found for the program; "" for none.
    pub sysroot: Vec<u8>,
}

/// The dynamic linker of a program.
#[derive(Debug)]
pub struct Interpreter {
    /// On the host.
    pub path: Vec<u8>,
    pub file: OwnedFd,
    pub plan: Plan,
}

impl Prepared {
    /// Maps everything into an empty address space.
    ///
    /// # Errors
    /// Those of [`image::load`]; the program is the host's.
    pub fn install(
        &self,
        space: &dyn Space,
        rules: &Rules,
        stack_size: u64,
    ) -> Result<Image, LoadError> {
        let Some(plan) = &self.plan else {
            let what = "built for this machine";
            return Err(LoadError::of(&self.path, what, libc::ENOEXEC));
        };
        let program = ElfFile {
            plan,
            fd: self.file.as_raw_fd(),
            path: &self.path,
        };
        let interp = self.interpreter.as_ref().map(|interp| ElfFile {
            plan: &interp.plan,
            fd: interp.file.as_raw_fd(),
            path: &interp.path,
        });
        image::load(space, rules, program, interp, stack_size, None)
    }
}

/// Everything about running a program, short of touching guest memory.
///
/// # Errors
/// Why it cannot be run, with the errno of execve(2).
pub fn prepare(mut request: Request<'_>, machines: &Machines) -> Result<Prepared, LoadError> {
    let first = request.path;
    let execfn = request.execfn.take();
    let named = |error: LoadError| {
        if error.message.starts_with(first) {
            error
        } else {
            error.behind(&[first, b": interpreter "])
        }
    };
    let (wanted, seeks, sysroot) = (request.wanted, request.seeks_sysroot, request.sysroot);
    let found = follow_scripts(request).map_err(named)?;
    let finish = move || -> Result<Prepared, LoadError> {
        let Opened {
            path,
            host_path,
            argv,
            head,
            file,
        } = found;
        let ident = program_ident(&head, &path)?;
        let guest = ident.guest(machines);
        let is_wanted = |guest: &Rules| match wanted {
            Wanted::Guest(name) => name == guest.name,
            Wanted::By(_) | Wanted::Guests => true,
        };
        let is_left = match wanted {
            Wanted::By(machine) => ident.is_host() && !is_host_machine(machine),
            Wanted::Guest(_) | Wanted::Guests => false,
        };
        let guest = match guest {
            _ if is_left => None,
            Some(guest) if is_wanted(guest) => Some(guest),
            _ => return Err(foreign(&ident, &path, machines)),
        };
        let mut prepared = Prepared {
            plan: match guest {
                Some(_) => Some(read_plan(file.as_raw_fd(), &path, machines)?),
                None => None,
            },
            execfn: execfn.unwrap_or_else(|| first.to_vec()),
            path,
            host_path,
            argv,
            ident,
            file,
            interpreter: None,
            sysroot: sysroot.to_vec(),
        };
        if let (Some(guest), Some(plan)) = (guest, &prepared.plan) {
            if seeks {
                let interp = plan.interp.as_deref();
                prepared.sysroot = found_sysroot(&guest.triplets, interp).unwrap_or_default();
            }
            if let Some(name) = &plan.interp {
                let found = find_interpreter(&prepared, name, guest, machines)?;
                prepared.interpreter = Some(found);
            }
        }
        Ok(prepared)
    };
    finish().map_err(named)
}

/// What is at the end of `#!` lines.
struct Opened {
    path: Vec<u8>,
    host_path: Vec<u8>,
    argv: Vec<Vec<u8>>,
    /// The first bytes.
    head: Vec<u8>,
    file: OwnedFd,
}

fn follow_scripts(request: Request<'_>) -> Result<Opened, LoadError> {
    let (first, sysroot) = (request.path, request.sysroot);
    let (mut path, mut argv, mut given) = (first.to_vec(), request.argv, request.file);
    for depth in 0.. {
        let checks_mode = request.checks_mode || depth > 0;
        let host_path = located(sysroot, &path)?;
        let file = match given.take() {
            Some(file) => {
                check_refusal(file.as_raw_fd(), &path, checks_mode)?;
                file
            }
            None => open_exec(&host_path, &path, checks_mode)?,
        };
        let head = read(file.as_raw_fd(), &path, BINPRM_BUF_SIZE as u64, 0)?;
        if !head.starts_with(b"#!") {
            return Ok(Opened {
                path,
                host_path,
                argv,
                head,
                file,
            });
        }
        if depth == script::MAX_DEPTH {
            // As the kernel, which looks at the line before it counts.
            script::apply(&path, &head, &argv, &path)?;
            break;
        }
        (path, argv) = script::apply(&path, &head, &argv, &path)?;
    }
    let what = "too many levels of #! interpreters";
    Err(LoadError::of(first, what, libc::ELOOP))
}

/// The host path for a guest's path: a file of the sysroot that is there, or the path itself.
fn located(sysroot: &[u8], path: &[u8]) -> Result<Vec<u8>, LoadError> {
    if sysroot.is_empty() || !path.starts_with(b"/") || path.contains(&0) {
        return Ok(path.to_vec());
    }
    let inside = lookup_in(sysroot, path, true);
    let inside = inside.map_err(|errno| LoadError::of_errno(path, errno))?;
    Ok(inside.unwrap_or_else(|| path.to_vec()))
}

/// Opens a file for execution, with the errors of execve(2).
///
/// # Errors
/// It cannot be opened, or the kernel would not execute it.
pub fn open_exec(host_path: &[u8], path: &[u8], checks_mode: bool) -> Result<OwnedFd, LoadError> {
    let Ok(name) = CString::new(host_path) else {
        return Err(LoadError::of(path, "a path with a NUL", libc::ENOENT));
    };
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    let fd = loop {
        // SAFETY: the path is a C string.
        let fd = unsafe { libc::open(name.as_ptr(), flags) };
        match if fd < 0 { errno() } else { 0 } {
            0 => break fd,
            libc::EINTR => {}
            errno => return Err(LoadError::of_errno(path, errno)),
        }
    };
    // SAFETY: just opened, and nobody else's.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all bytes zero are a stat.
    let mut info: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills a valid stat.
    if unsafe { libc::fstat(fd, &raw mut info) } < 0 {
        return Err(LoadError::of_errno(path, errno()));
    }
    let refused = |what: &str| Err(LoadError::of(path, what, libc::EACCES));
    match info.st_mode & libc::S_IFMT {
        libc::S_IFREG => {}
        // execve(2) gives EACCES; shells say "Is a directory", with 126 as well.
        libc::S_IFDIR => return refused("is a directory"),
        _ => return refused("not a regular file"),
    }
    // SAFETY: the path is a C string.
    let may_execute = || unsafe {
        libc::faccessat(libc::AT_FDCWD, name.as_ptr(), libc::X_OK, libc::AT_EACCESS) == 0
    };
    if checks_mode && !may_execute() {
        return refused("permission denied: not executable (chmod +x makes it so)");
    }
    check_refusal(fd, path, checks_mode)?;
    Ok(file)
}

fn check_refusal(fd: RawFd, path: &[u8], checks_mode: bool) -> Result<(), LoadError> {
    match exec_refusal(fd) {
        0 => Ok(()),
        libc::ETXTBSY => {
            let what = "somebody writes to it (text file busy)";
            Err(LoadError::of(path, what, libc::ETXTBSY))
        }
        errno if checks_mode => Err(LoadError::of(path, text(errno).to_lowercase(), errno)),
        _ => Ok(()),
    }
}

fn program_ident(head: &[u8], path: &[u8]) -> Result<Ident, LoadError> {
    let not_run = |what: &str| {
        let what = format!("cannot execute: {what}");
        LoadError::of(path, what, libc::ENOEXEC)
    };
    let ident = Ident::parse(head).ok_or_else(|| {
        not_run(match kind(head) {
            Kind::Empty => "empty file",
            Kind::BadElf => "bad or truncated ELF header",
            Kind::Text => "a text file without a #! line: run it with its interpreter",
            Kind::Data | Kind::Script | Kind::Elf => "not an ELF file",
        })
    })?;
    if ident.is_program() {
        Ok(ident)
    } else {
        Err(not_run(&ident.kind_title()))
    }
}

/// The error for a program of another machine, naming who runs it.
fn foreign(ident: &Ident, path: &[u8], machines: &Machines) -> LoadError {
    let advice = match ident.guest(machines) {
        Some(guest) if ident.is_host() => {
            format!(
                "this machine runs it without qusr, or use qusr-{}",
                guest.name
            )
        }
        Some(guest) => format!("use qusr-{}", guest.name),
        None if ident.is_host() => "this machine runs it without qusr".into(),
        None => "no qusr command runs it".into(),
    };
    let what = format!("built for {}: {advice}", ident.title(machines));
    LoadError::of(path, what, libc::ENOEXEC)
}

/// The cross-compiler's folder /usr/TRIPLET that serves a program.
///
/// That is the first that has the program's interpreter, for arm has two (hard and soft
/// float); the first that exists for a program without one.
#[must_use]
pub fn found_sysroot(triplets: &[&[u8]], interp: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut folders = triplets.iter().map(|triplet| [b"/usr/", *triplet].concat());
    folders.find(|folder| {
        let is_folder = || {
            let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&folder[..]);
            std::fs::metadata(path).is_ok_and(|info| info.is_dir())
        };
        let has = |interp: &[u8]| {
            interp.starts_with(b"/") && matches!(lookup_in(folder, interp, true), Ok(Some(_)))
        };
        is_folder() && interp.is_none_or(has)
    })
}

/// Opens the dynamic linker that a program names and reads its plan.
fn find_interpreter(
    prepared: &Prepared,
    name: &[u8],
    guest: &Rules,
    machines: &Machines,
) -> Result<Interpreter, LoadError> {
    let of = &prepared.path[..];
    if name.is_empty() {
        // As in a #! line: to the kernel this is the current directory.
        let what = "bad ELF file: an empty interpreter path";
        return Err(LoadError::of(of, what, libc::EACCES));
    }
    let root = &prepared.sysroot[..];
    let behind = |error: LoadError| error.behind(&[of, b": interpreter "]);
    let opened = located(root, name).and_then(|host| {
        let file = open_exec(&host, name, true)?;
        Ok((host, file))
    });
    let (path, file) = opened.map_err(|error| {
        if error.errno != libc::ENOENT {
            return behind(error);
        }
        let advice = match guest.libraries {
            "" => "pass -L SYSROOT".to_owned(),
            packages => format!("install {packages}, or pass -L SYSROOT"),
        };
        let place = match root {
            [] => Vec::new(),
            root => [b" (also not in ", root, b")"].concat(),
        };
        let message = [
            of,
            b": no interpreter ",
            name,
            &place,
            b": ",
            advice.as_bytes(),
        ];
        LoadError::new(message.concat(), libc::ENOENT)
    })?;
    let head = read(file.as_raw_fd(), name, BINPRM_BUF_SIZE as u64, 0)?;
    let wrong = |what: String| {
        let parts = [
            of,
            b": interpreter ",
            &path,
            b" ",
            what.as_bytes(),
            b": pass the right -L SYSROOT",
        ];
        LoadError::new(parts.concat(), libc::ELIBBAD)
    };
    match Ident::parse(&head) {
        None => return Err(wrong("is no ELF file".into())),
        Some(ident) if !ident.is_like(&prepared.ident, machines) => {
            return Err(wrong(format!("is built for {}", ident.title(machines))));
        }
        Some(_) => {}
    }
    let plan = elf::read_plan(file.as_raw_fd(), &path, machines);
    let plan = plan.map_err(|error| LoadError {
        errno: libc::ELIBBAD,
        ..behind(error)
    })?;
    Ok(Interpreter { path, file, plan })
}

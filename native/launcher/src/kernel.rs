//! All that is needed of the kernel and of a C library: the entry, system calls, memory.
//!
//! There is no C library here: a static glibc makes an executable of 1 MB, and there is one of
//! these for each command. x86-64 only, as all of qusr.

use alloc::alloc::{GlobalAlloc, Layout};
use alloc::format;
use alloc::vec::Vec;
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::ptr::null_mut;

// arch/x86/entry/syscalls/syscall_64.tbl
const READ: usize = 0;
const WRITE: usize = 1;
const OPEN: usize = 2;
const CLOSE: usize = 3;
const MMAP: usize = 9;
const RT_SIGACTION: usize = 13;
const ACCESS: usize = 21;
const EXECVE: usize = 59;
const READLINK: usize = 89;
const GETDENTS64: usize = 217;
const EXIT_GROUP: usize = 231;

// asm-generic/errno-base.h, errno.h
pub const EACCES: Errno = Errno(13);
const EINTR: Errno = Errno(4);

/// A system call's error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub usize);

impl Errno {
    /// What strerror(3) says of those that execve(2) is known to give.
    pub fn text(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "Operation not permitted",
            2 => "No such file or directory",
            7 => "Argument list too long",
            8 => "Exec format error",
            12 => "Cannot allocate memory",
            13 => "Permission denied",
            20 => "Not a directory",
            40 => "Too many levels of symbolic links",
            _ => return None,
        })
    }
}

/// What the kernel hands to a new program.
pub struct Start {
    pub argv: Vec<&'static CStr>,
    pub environment: Vec<&'static CStr>,
    auxv: Vec<(usize, usize)>,
}

impl Start {
    /// The auxiliary vector's value of a kind (linux/auxvec.h).
    pub fn auxv(&self, kind: usize) -> Option<usize> {
        let found = self.auxv.iter().find(|entry| entry.0 == kind);
        found.map(|entry| entry.1)
    }

    /// A string of the auxiliary vector.
    pub fn auxv_text(&self, kind: usize) -> Option<&'static CStr> {
        let address = self.auxv(kind)?;
        // SAFETY: only asked for kinds that the kernel defines as addresses of strings, which
        // stay on the stack as long as the process.
        (address != 0).then(|| unsafe { CStr::from_ptr(address as *const c_char) })
    }
}

global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    "ud2",
    begin = sym begin,
);

/// The stack at entry: argc, argv, a null, the environment, a null, the auxiliary vector, as the
/// System V ABI of x86-64 defines it (3.4.1).
unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: by the ABI each list is ended by a null (AT_NULL), and nothing behind it is read.
    let start = unsafe {
        let argv = stack.add(1);
        let environment = argv.add(*stack + 1);
        let (argv, _) = strings(argv);
        let (environment, auxv) = strings(environment);
        let auxv = (0..)
            .map(|index| (*auxv.add(2 * index), *auxv.add(2 * index + 1)))
            .take_while(|entry| entry.0 != 0)
            .collect();
        Start {
            argv,
            environment,
            auxv,
        }
    };
    exit(crate::main(&start))
}

/// A list of strings that a null ends, and what stands behind that.
///
/// # Safety
/// `at` is such a list, and its strings are never changed.
unsafe fn strings(mut at: *const usize) -> (Vec<&'static CStr>, *const usize) {
    let mut all = Vec::new();
    // SAFETY: nothing behind the null is read.
    unsafe {
        while *at != 0 {
            all.push(CStr::from_ptr(*at as *const c_char));
            at = at.add(1);
        }
        (all, at.add(1))
    }
}

/// # Safety
/// As the system call's own.
unsafe fn call(number: usize, args: [usize; 6]) -> Result<usize, Errno> {
    let result: usize;
    // SAFETY: the kernel's convention: it changes rax, rcx and r11, and memory as the call says.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    // The last page of the address space is no address (IS_ERR_VALUE of linux/err.h).
    if result > usize::MAX - 4095 {
        Err(Errno(result.wrapping_neg()))
    } else {
        Ok(result)
    }
}

pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: no memory is involved.
        let _ = unsafe { call(EXIT_GROUP, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Whether a file is there.
pub fn exists(path: &CStr) -> bool {
    access(path, 0)
}

/// Whether a file may be executed.
pub fn is_executable(path: &CStr) -> bool {
    access(path, 1)
}

fn access(path: &CStr, mode: usize) -> bool {
    // SAFETY: a string, and F_OK or X_OK.
    unsafe { call(ACCESS, [path.as_ptr() as usize, mode, 0, 0, 0, 0]) }.is_ok()
}

/// An open file, for reading.
pub struct File(usize);

impl File {
    pub fn open(path: &CStr) -> Result<File, Errno> {
        const O_CLOEXEC: usize = 0o2_000_000;
        // SAFETY: a string, and O_RDONLY with O_CLOEXEC.
        unsafe { call(OPEN, [path.as_ptr() as usize, O_CLOEXEC, 0, 0, 0, 0]) }.map(File)
    }

    /// Its path without links, where /proc tells.
    pub fn path(&self) -> Option<Vec<u8>> {
        let link = format!("/proc/self/fd/{}\0", self.0);
        read_link(CStr::from_bytes_with_nul(link.as_bytes()).ok()?)
    }

    fn fill(&self, number: usize, bytes: &mut [u8]) -> Result<usize, Errno> {
        let args = [self.0, bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0];
        loop {
            // SAFETY: read and getdents64 write at most as many bytes as they are told.
            match unsafe { call(number, args) } {
                Err(EINTR) => {}
                result => return result,
            }
        }
    }

    /// What read(2) gives.
    pub fn read(&self, bytes: &mut [u8]) -> Result<usize, Errno> {
        self.fill(READ, bytes)
    }

    /// The names in a folder that begin in a certain way.
    pub fn names(&self, beginning: &[u8]) -> Vec<Vec<u8>> {
        // struct linux_dirent64 (linux/dirent.h): d_reclen, and the name.
        const LENGTH: usize = 16;
        const NAME: usize = 19;
        let mut names = Vec::new();
        let mut bytes = [0; 8192];
        while let Ok(count @ 1..) = self.fill(GETDENTS64, &mut bytes) {
            let mut rest = &bytes[..count];
            while let Some((entry, behind)) = rest
                .get(LENGTH..LENGTH + 2)
                .map(|size| usize::from(u16::from_le_bytes([size[0], size[1]])))
                .filter(|&size| size > NAME)
                .and_then(|size| rest.split_at_checked(size))
            {
                let name = entry[NAME..].split(|&byte| byte == 0).next();
                names.extend(
                    name.filter(|name| name.starts_with(beginning))
                        .map(<[u8]>::to_vec),
                );
                rest = behind;
            }
        }
        names
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: a descriptor of our own.
        let _ = unsafe { call(CLOSE, [self.0, 0, 0, 0, 0, 0]) };
    }
}

/// Where a symbolic link leads.
pub fn read_link(path: &CStr) -> Option<Vec<u8>> {
    let mut bytes = [0; 4096];
    let args = [
        path.as_ptr() as usize,
        bytes.as_mut_ptr() as usize,
        bytes.len(),
        0,
        0,
        0,
    ];
    // SAFETY: the kernel writes at most as many bytes as it is told.
    let count = unsafe { call(READLINK, args) }.ok()?;
    Some(bytes[..count].to_vec())
}

/// Writes to standard error. Nowhere to tell that it is closed.
pub fn complain(mut text: &[u8]) {
    while !text.is_empty() {
        // SAFETY: the kernel only reads the bytes.
        match unsafe { call(WRITE, [2, text.as_ptr() as usize, text.len(), 0, 0, 0]) } {
            Ok(count) => text = &text[count..],
            Err(EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Whether a signal is ignored.
pub fn is_ignored(number: usize) -> bool {
    const SIG_IGN: usize = 1;
    // struct sigaction of arch/x86/include/uapi/asm/signal.h: handler, flags, restorer, mask.
    let mut action = [0_usize; 4];
    let args = [
        number,
        0,
        action.as_mut_ptr() as usize,
        size_of::<usize>(),
        0,
        0,
    ];
    // SAFETY: only asks; `action` has the size of the structure, and a mask has 8 bytes.
    unsafe { call(RT_SIGACTION, args) }.is_ok() && action[0] == SIG_IGN
}

/// Becomes another program; comes back only with an error.
pub fn execute(program: &CStr, argv: &[&CStr], environment: &[&CStr]) -> Errno {
    let list = |strings: &[&CStr]| -> Vec<*const c_char> {
        let pointers = strings.iter().map(|text| text.as_ptr());
        pointers.chain([core::ptr::null()]).collect()
    };
    let (argv, environment) = (list(argv), list(environment));
    let args = [
        program.as_ptr() as usize,
        argv.as_ptr() as usize,
        environment.as_ptr() as usize,
    ];
    // SAFETY: a string and two lists of strings, each with a null at its end.
    match unsafe { call(EXECVE, [args[0], args[1], args[2], 0, 0, 0]) } {
        Err(error) => error,
        Ok(_) => Errno(0),
    }
}

// --- memory ---

/// Memory is taken and never given back: soon all of it is replaced by execve.
struct Arena {
    first: UnsafeCell<[u8; Arena::FIRST]>,
    /// Where the free part begins, and its size. At 0 nothing was taken yet.
    free: UnsafeCell<(usize, usize)>,
}

impl Arena {
    /// Enough for almost every start, without a system call.
    const FIRST: usize = 64 << 10;
    const MORE: usize = 1 << 20;

    /// A new piece of memory, which is zero.
    fn more(size: usize) -> Option<(usize, usize)> {
        const PROT_READ_WRITE: usize = 3;
        const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
        let size = size.checked_next_multiple_of(Arena::MORE)?;
        let args = [
            0,
            size,
            PROT_READ_WRITE,
            MAP_PRIVATE_ANONYMOUS,
            usize::MAX,
            0,
        ];
        // SAFETY: new memory, at a place that the kernel chooses.
        let begin = unsafe { call(MMAP, args) }.ok()?;
        Some((begin, size))
    }
}

// SAFETY: there is one thread.
unsafe impl Sync for Arena {}

// SAFETY: each piece that is handed out lies in memory of the arena's own, in front of the free
// part, which only gets smaller.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no call out of here comes back to the arena.
        let free = unsafe { &mut *self.free.get() };
        if free.0 == 0 {
            *free = (self.first.get() as usize, Arena::FIRST);
        }
        loop {
            let padding = free.0.wrapping_neg() & (layout.align() - 1);
            let Some(size) = layout.size().checked_add(padding) else {
                return null_mut();
            };
            if size <= free.1 {
                let piece = free.0 + padding;
                *free = (free.0 + size, free.1 - size);
                return piece as *mut u8;
            }
            match Arena::more(size) {
                Some(piece) => *free = piece,
                None => return null_mut(),
            }
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ARENA: Arena = Arena {
    first: UnsafeCell::new([0; Arena::FIRST]),
    free: UnsafeCell::new((0, 0)),
};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    complain(b"qusr: internal error in the launcher, or no memory\n");
    exit(crate::CANNOT)
}

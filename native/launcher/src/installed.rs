//! Where the package and its Python are, seen from a command's own place.
//!
//! Nothing is written down when a wheel is installed, so that a virtual environment may be moved;
//! the way from a command to its package is the same wherever pip puts the two.

use alloc::ffi::CString;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ffi::CStr;

use crate::kernel::{self, File};

/// The extension, in a folder of `sys.path`.
const EXTENSION: &[u8] = b"/qusr/_native.abi3.so";

/// The package as pip has installed it.
pub struct Package {
    /// The folder of other packages (`site-packages`), and the one that `qusr` is in: another
    /// one if the installation is editable.
    pub site: Vec<u8>,
    pub parent: Vec<u8>,
    /// The name of the Python that it was installed for: `python3.11`.
    python: Vec<u8>,
}

impl Package {
    /// The path of the extension.
    pub fn extension(&self) -> CString {
        path(&[&self.parent, EXTENSION])
    }

    /// Whether its Python's library is in one of these folders, as where environment modules are
    /// in use: that Python would not start without them.
    pub fn library_is_in(&self, folders: &[u8]) -> bool {
        let mut folders = folders.split(|&byte| byte == b':');
        let library = |folder| path(&[folder, b"/lib", &self.python, b".so.1.0"]);
        folders.any(|folder| folder.starts_with(b"/") && kernel::exists(&library(folder)))
    }
}

pub fn path(parts: &[&[u8]]) -> CString {
    CString::new(parts.concat()).unwrap_or_default()
}

fn has_extension(folder: &[u8]) -> bool {
    kernel::exists(&path(&[folder, EXTENSION]))
}

/// The package that belongs to the commands in `PREFIX/bin`.
pub fn package(prefix: &[u8]) -> Option<Package> {
    // `lib64` is Fedora's place for packages with extensions; where /usr/local is Debian's pip's
    // own, `local` stands between.
    let libraries: [&[u8]; 3] = [b"/lib", b"/lib64", b"/local/lib"];
    for library in libraries {
        let library = [prefix, library].concat();
        let Ok(folder) = File::open(&path(&[&library])) else {
            continue;
        };
        let mut names = folder.names(b"python3");
        names.sort_by_key(|name| Reverse(minor_version(name)));
        for python in names {
            for kind in [b"/site-packages", b"/dist-packages"] {
                let site = [&library, b"/".as_slice(), &python, kind].concat();
                if let Some(parent) = parent(&site) {
                    return Some(Package {
                        site,
                        parent,
                        python,
                    });
                }
            }
        }
    }
    // pip install --target
    has_extension(prefix).then(|| Package {
        site: prefix.to_vec(),
        parent: prefix.to_vec(),
        python: b"python3".to_vec(),
    })
}

/// The folder with `qusr` that a folder of packages has, or names.
fn parent(site: &[u8]) -> Option<Vec<u8>> {
    if has_extension(site) {
        return Some(site.to_vec());
    }
    // What maturin writes for an editable installation.
    let file = File::open(&path(&[site, b"/qusr.pth"])).ok()?;
    let mut bytes = [0; 4096];
    let count = file.read(&mut bytes).ok()?;
    let line = bytes[..count].split(|&byte| byte == b'\n').next()?;
    (line.starts_with(b"/") && has_extension(line)).then(|| line.to_vec())
}

/// 11 of `python3.11`.
fn minor_version(name: &[u8]) -> Option<u32> {
    let text = name.strip_prefix(b"python3.")?;
    str::from_utf8(text).ok()?.parse().ok()
}

/// The Python for a package (any, for None): beside the command, else Debian's (pip install
/// --user), else one in PATH.
pub fn python(package: Option<&Package>, commands: &[u8], search: &[u8]) -> Option<CString> {
    let any: &[u8] = b"python3";
    let exact = package.map_or(any, |package| &package.python);
    let listed = search
        .split(|&byte| byte == b':')
        .filter(|folder| folder.starts_with(b"/"));
    let folders: Vec<&[u8]> = [commands, b"/usr/bin"].into_iter().chain(listed).collect();
    for name in [exact, any] {
        for folder in &folders {
            let candidate = path(&[folder, b"/", name]);
            if kernel::is_executable(&candidate) {
                return Some(candidate);
            }
        }
    }
    None
}

/// The library that a Python is, but for its `main`; None: it is one executable, as Debian's.
pub fn library(python: &CStr) -> Option<CString> {
    let real = File::open(python).ok()?.path()?;
    let (commands, name) = split(&real);
    let (prefix, _) = split(commands);
    // Where Python's own `make install` has it, Fedora, and Debian (package libpython3.*).
    let folders: [&[u8]; 3] = [b"/lib", b"/lib64", b"/lib/x86_64-linux-gnu"];
    let mut all = folders
        .into_iter()
        .map(|folder| path(&[prefix, folder, b"/lib", name, b".so.1.0"]));
    // Of python3 alone the version is not known.
    minor_version(name)?;
    all.find(|library| kernel::exists(library))
}

/// What stands before a path's last slash, and behind it.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// Whether a file is a program of this machine.
pub fn is_native(program: &CStr) -> bool {
    // An ELF header as far as e_machine (elf(5)); class and byte order stand in e_ident.
    const EM_X86_64: u16 = 62;
    let mut header = [0; 20];
    match File::open(program).and_then(|file| file.read(&mut header)) {
        Ok(_) => header.starts_with(b"\x7fELF\x02\x01") && header[18..] == EM_X86_64.to_le_bytes(),
        // May be executable only.
        Err(error) => error == kernel::EACCES,
    }
}

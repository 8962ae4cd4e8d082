//! What Python needs of its files, taken before a call behind which they may be out of reach. So the call is made without
//! a Python, and one that is needed later begins without a file (`native/python/src/kept.rs`).
//!
//! An earlier Python has put it into the store (`qusr/preload.py`): "boot" is what one begins with before it can
//! import by itself, "modules" all that it can import.

use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Launch;
use crate::store::{self, Mapped};

/// The kinds of the store's entries.
pub const BOOT: &str = "boot";
pub const MODULES: &str = "modules";

/// What is taken along.
pub struct Kept {
    pub boot: Boot,
    pub modules: Mapped,
    /// The path of this library, as Python would have found it.
    pub extension: Vec<u8>,
    /// And Unicorn's library; empty: there is none.
    pub unicorn: PathBuf,
}

/// What Python begins with.
#[derive(Debug, PartialEq, Eq)]
pub struct Boot {
    /// The size of Python's `struct _frozen`, which is not the same in all versions.
    pub stride: usize,
    pub modules: Vec<Module>,
    pub libraries: Vec<Library>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    pub name: CString,
    pub is_package: bool,
    /// Marshalled.
    pub code: Vec<u8>,
}

/// A module that is a shared object, which stays loaded.
#[derive(Debug, PartialEq, Eq)]
pub struct Library {
    pub name: CString,
    pub path: CString,
}

static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// Whether the guest may have taken Python's files out of reach.
static CONFINED: AtomicBool = AtomicBool::new(false);

/// Memory that children share with this process, in which they tell that it is worth taking along; null: it has none.
static WANTED: AtomicPtr<AtomicBool> = AtomicPtr::new(null_mut());

/// What is kept, for a Python that now begins and cannot have its files.
pub fn take() -> Option<Kept> {
    is_confined().then(|| lock().take())?
}

pub fn is_confined() -> bool {
    CONFINED.load(Ordering::Relaxed)
}

fn lock() -> MutexGuard<'static, Option<Kept>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The key of both entries: our sources, and the Python that has compiled them. `python` is the file that it is
/// in, `package` the folder of our modules.
pub fn key(package: &[u8], python: &[u8]) -> Option<Vec<u8>> {
    let stamp = store::stamp_packages(package).ok()?;
    let identity = store::file_identity(&store::stat(&CString::new(python).ok()?)?);
    Some([package, b"\0", &stamp.to_le_bytes(), &identity].concat())
}

/// Takes it along, since the call comes. False: some part of it is not there, and Python has to begin while its files are.
pub fn keep(launch: &Launch) -> bool {
    let had = has(launch);
    if had {
        CONFINED.store(true, Ordering::Relaxed);
        if let Some(wanted) = wanted() {
            wanted.store(true, Ordering::Relaxed);
        }
    }
    had
}

/// Before a child is made: most of the work is loading libraries, and is done once by who has made a child that
/// needed it.
pub fn before_fork(launch: &Launch) {
    match wanted() {
        Some(wanted) if wanted.swap(false, Ordering::Relaxed) => {
            has(launch);
        }
        Some(_) => (),
        None => share(),
    }
}

fn wanted() -> Option<&'static AtomicBool> {
    // SAFETY: null, or a page that is never unmapped.
    unsafe { WANTED.load(Ordering::Relaxed).as_ref() }
}

fn share() {
    let (prot, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_SHARED | libc::MAP_ANONYMOUS,
    );
    // SAFETY: a new mapping.
    let page = unsafe { libc::mmap(null_mut(), size_of::<AtomicBool>(), prot, flags, -1, 0) };
    if page != libc::MAP_FAILED {
        WANTED.store(page.cast(), Ordering::Relaxed);
    }
}

fn has(launch: &Launch) -> bool {
    let mut kept = lock();
    if kept.is_none() {
        *kept = find(launch);
    }
    kept.is_some()
}

fn find(launch: &Launch) -> Option<Kept> {
    // Python has its file opened while it is there.
    if launch.log.as_ref().is_some_and(|file| !file.is_empty()) {
        return None;
    }
    let place = launch.settings.store.as_deref()?;
    let end = launch.extension.iter().rposition(|&byte| byte == b'/')?;
    let python = match &launch.library[..] {
        b"" => &launch.python,
        library => library,
    };
    let key = key(&launch.extension[..end], python)?;
    let boot = Boot::read(&store::get(place, BOOT, &key)?)?;
    let modules = store::map(place, MODULES, &key)?;
    if !launch.library.is_empty() {
        load(&CString::new(&launch.library[..]).ok()?, libc::RTLD_GLOBAL)?;
    }
    for library in &boot.libraries {
        load(&library.path, libc::RTLD_LOCAL)?;
    }
    Some(Kept {
        boot,
        modules,
        extension: launch.extension.clone(),
        unicorn: launch.settings.library.clone(),
    })
}

/// Loads a library; whoever loads one of this name again gets the same (dlopen(3)).
fn load(path: &CStr, scope: i32) -> Option<()> {
    // SAFETY: Python's own libraries, whose constructors do nothing that needs Python.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | scope) };
    (!handle.is_null()).then_some(())
}

impl Boot {
    /// Reads what `qusr/preload.py` has written: the stride, and records of kind (0 a module, 1 a package, 2 a shared
    /// object), the sizes of its name and its content, and these. None: it is something else.
    fn read(data: &[u8]) -> Option<Self> {
        let mut rest = data;
        let number = |rest: &mut &[u8]| -> Option<usize> {
            let (word, behind) = rest.split_first_chunk()?;
            *rest = behind;
            usize::try_from(u32::from_le_bytes(*word)).ok()
        };
        let stride = number(&mut rest)?;
        let mut boot = Self {
            stride,
            modules: Vec::new(),
            libraries: Vec::new(),
        };
        while !rest.is_empty() {
            let kind = number(&mut rest)?;
            let (name, content) = (number(&mut rest)?, number(&mut rest)?);
            let (name, behind) = rest.split_at_checked(name)?;
            let (content, behind) = behind.split_at_checked(content)?;
            rest = behind;
            let name = CString::new(name).ok()?;
            match kind {
                0 | 1 => boot.modules.push(Module {
                    name,
                    is_package: kind == 1,
                    code: content.to_vec(),
                }),
                2 => boot.libraries.push(Library {
                    name,
                    path: CString::new(content).ok()?,
                }),
                _ => return None,
            }
        }
        (stride >= size_of::<[usize; 3]>() && !boot.modules.is_empty()).then_some(boot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u32, name: &[u8], content: &[u8]) -> Vec<u8> {
        let size = |bytes: &[u8]| (bytes.len() as u32).to_le_bytes();
        [
            &kind.to_le_bytes()[..],
            &size(name),
            &size(content),
            name,
            content,
        ]
        .concat()
    }

    #[test]
    fn reads_what_is_whole() {
        let stride = 32u32.to_le_bytes();
        let records = [
            record(1, b"encodings", b"code"),
            record(0, b"encodings.utf_8", b""),
            record(2, b"_struct", b"/lib/_struct.so"),
        ];
        let whole = [&stride[..], &records.concat()].concat();
        let boot = Boot::read(&whole).unwrap();
        assert_eq!(boot.stride, 32);
        assert_eq!(boot.modules.len(), 2);
        assert!(boot.modules[0].is_package && boot.modules[0].code == b"code");
        assert_eq!(boot.libraries[0].path.as_c_str(), c"/lib/_struct.so");
        // A part is not taken for the whole, unless it ends with a record.
        let ends = [whole.len() - records[2].len(), 4 + records[0].len()];
        for cut in (0..whole.len()).filter(|cut| !ends.contains(cut)) {
            assert_eq!(Boot::read(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(
            Boot::read(&[&stride[..], &record(3, b"x", b"")].concat()),
            None
        );
        assert_eq!(
            Boot::read(&[&stride[..], &record(0, b"x\0", b"")].concat()),
            None
        );
    }
}

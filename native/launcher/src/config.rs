//! What `qusr-binfmt` writes into the executable: ways to start Python with `qusr.interp`.
//!
//! In a chroot there is no other file to look at. The space is empty in the commands.

use alloc::vec::Vec;
use core::ffi::CStr;

/// Space for the configuration; `qusr/binfmt/launcher.py` finds it by the mark.
const SIZE: usize = 16384;
#[repr(C)]
struct Config {
    mark: [u8; 16],
    text: [u8; SIZE],
}
#[used]
static CONFIG: Config = Config {
    mark: *b"qusr-interp:conf",
    text: [0; SIZE],
};

/// One way to get at qusr.
pub struct Way {
    pub command: Vec<&'static CStr>,
    /// Files that must be there for it to work.
    pub needs: Vec<&'static CStr>,
    /// The extension, if it is to be loaded by `LD_PRELOAD`.
    pub preload: Option<&'static CStr>,
}

/// The ways, in the order in which they are to be tried. None: this is a command.
pub fn ways() -> Option<Vec<Way>> {
    // The contents are changed in the file, so the compiler must not know them. (A volatile read
    // of the whole would do, too, but LLVM takes minutes for one of 16 KiB.)
    let config = core::hint::black_box(&CONFIG);
    let mut words = config
        .text
        .split_inclusive(|&byte| byte == 0)
        .map(|word| CStr::from_bytes_with_nul(word).unwrap_or_default());
    let mut list = || -> Option<Vec<&CStr>> {
        let count: usize = words.next()?.to_str().ok()?.parse().ok()?;
        (0..count).map(|_| words.next()).collect()
    };
    let count: usize = list()?.first()?.to_str().ok()?.parse().ok()?;
    let way = |_| {
        let (command, needs, preload) = (list()?, list()?, list()?);
        let preload = preload.first().copied();
        (!command.is_empty()).then_some(Way {
            command,
            needs,
            preload,
        })
    };
    (0..count).map(way).collect()
}

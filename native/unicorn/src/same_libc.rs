//! A static executable can load a library only where the machine's C library is the one that it was linked
//! with: the loaded one and ours work on the same thread-local data (glibc's manual, "Static linking").

use std::ffi::{CStr, c_char};

unsafe extern "C" {
    fn gnu_get_libc_version() -> *const c_char;
}

/// Where x86-64's dynamic linker finds it: Debian's place, Fedora's and Arch's.
const PLACES: [&str; 3] = [
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/libc.so.6",
    "/usr/lib/libc.so.6",
];

/// Why no library can be loaded here; None if this is no static executable, or it can.
pub fn refusal() -> Option<String> {
    if !cfg!(target_feature = "crt-static") {
        return None;
    }
    // SAFETY: a string that is always there.
    let own = unsafe { CStr::from_ptr(gnu_get_libc_version()) };
    let own = own.to_string_lossy();
    let found = PLACES.iter().find_map(|path| std::fs::read(path).ok());
    let has =
        |text: &str, data: &[u8]| data.windows(text.len()).any(|part| part == text.as_bytes());
    match found {
        Some(data) if has(&format!("stable release version {own}."), &data) => None,
        Some(_) => Some(format!(
            "this machine has another C library than glibc {own}"
        )),
        None => Some(format!("this machine has no glibc {own}")),
    }
}

//! Why a program cannot be loaded.

use std::fmt::Display;

/// What a shell's user sees as the exit status: 127 when something does not exist,
/// 126 when it exists and cannot be run (POSIX, Shell Command Language, 2.8.2).
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// A program cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// One line for the user; paths are in it as they are.
    pub message: Vec<u8>,
    /// What execve(2) returns to a guest that asked for the program.
    pub errno: i32,
}

impl LoadError {
    #[must_use]
    pub fn new(message: impl Into<Vec<u8>>, errno: i32) -> Self {
        Self {
            message: message.into(),
            errno,
        }
    }

    /// Says `what` of the file `path`.
    #[must_use]
    pub fn of(path: &[u8], what: impl Display, errno: i32) -> Self {
        Self::new([path, b": ", what.to_string().as_bytes()].concat(), errno)
    }

    /// A system call on `path` has failed.
    #[must_use]
    pub fn of_errno(path: &[u8], errno: i32) -> Self {
        Self::of(path, text(errno), errno)
    }

    /// The exit status a shell would give.
    #[must_use]
    pub fn status(&self) -> i32 {
        if self.errno == libc::ENOENT {
            NOT_FOUND
        } else {
            NOT_EXECUTABLE
        }
    }

    /// With `words` before the message.
    #[must_use]
    pub fn behind(mut self, words: &[&[u8]]) -> Self {
        self.message = [&words.concat()[..], &self.message].concat();
        self
    }
}

/// What strerror(3) says of an errno.
#[must_use]
pub fn text(errno: i32) -> String {
    let mut buffer = [0u8; 256];
    // SAFETY: at most so many bytes are written, the last of them 0 (strerror_r(3), XSI).
    unsafe { libc::strerror_r(errno, buffer.as_mut_ptr().cast(), buffer.len()) };
    let end = buffer.iter().position(|&byte| byte == 0).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..end]).into_owned()
}

//! The launcher for binfmt_misc, an executable of its own (`native/launcher`, built by `build.rs`).

/// The executable's bytes; `qusr/binfmt/launcher.py` writes the configuration into a copy.
pub static EXECUTABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/qusr-interp"));

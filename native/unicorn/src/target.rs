//! What is one target's in the library: it has QEMU once for each, with the target's name behind that of every
//! function.
//!
//! Functions of ours that the library is made to call have nothing but their address to tell for which target
//! they were called. So there is one of each for every *slot*, and a target that is used gets a slot.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use libloading::os::unix::Library;

use crate::stops::{self, Image};
use crate::{raised, rescue, stops::CheckExitRequest};

/// As many as the library has targets.
pub const SLOTS: usize = 16;

/// `[f::<0>, f::<1>, …]` for all slots.
macro_rules! for_each_slot {
    ($function:ident) => {
        [
            $function::<0>,
            $function::<1>,
            $function::<2>,
            $function::<3>,
            $function::<4>,
            $function::<5>,
            $function::<6>,
            $function::<7>,
            $function::<8>,
            $function::<9>,
            $function::<10>,
            $function::<11>,
            $function::<12>,
            $function::<13>,
            $function::<14>,
            $function::<15>,
        ]
    };
}
pub(crate) use for_each_slot;

/// One target of one library.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Host faults in its code can be taken back, see [`rescue`].
    pub slot: Option<usize>,
    /// It tells where exceptions are raised, see [`raised`].
    pub raised: Option<usize>,
    /// Stops may be asked for at any moment, see [`stops`].
    pub stops_between_blocks: bool,
}

struct Known {
    library: PathBuf,
    name: &'static str,
    target: Target,
}

static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// The target of this name in a library, prepared when it is asked for the first time.
///
/// # Safety
/// `image` is the loaded `library`, which stays loaded and is what `path` names.
pub unsafe fn prepare(
    path: &Path,
    library: &Library,
    image: Option<&Image>,
    name: &'static str,
) -> Target {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known
        .iter()
        .find(|known| known.library == path && known.name == name)
    {
        return found.target;
    }
    let slot = known.len();
    let target = match image {
        // SAFETY: the caller's promise.
        Some(image) if slot < SLOTS => unsafe { set_up(library, image, name, slot) },
        _ => Target {
            slot: None,
            raised: None,
            stops_between_blocks: false,
        },
    };
    known.push(Known {
        library: path.to_owned(),
        name,
        target,
    });
    target
}

/// # Safety
/// As [`prepare`].
unsafe fn set_up(library: &Library, image: &Image, name: &str, slot: usize) -> Target {
    let symbol = |function: &str| CString::new(format!("{function}_{name}")).unwrap_or_default();
    let (restore, exit) = (symbol("cpu_restore_state"), symbol("cpu_loop_exit"));
    let check = symbol("check_exit_request");
    // SAFETY: the types of these functions in exec-all.h and tcg-op.h.
    let (restore_fn, exit_fn, check_fn) = unsafe {
        (
            library
                .get::<rescue::Restore>(restore.as_bytes_with_nul())
                .map(|f| *f),
            library
                .get::<rescue::LoopExit>(exit.as_bytes_with_nul())
                .map(|f| *f),
            library
                .get::<CheckExitRequest>(check.as_bytes_with_nul())
                .map(|f| *f),
        )
    };
    let rescued = match (restore_fn, exit_fn) {
        (Ok(restore_fn), Ok(exit_fn)) => rescue::set_up(image, slot, &restore, restore_fn, exit_fn),
        _ => false,
    };
    // SAFETY: the caller's promise.
    let raised = unsafe { raised::set_up(library, image, name, slot) };
    Target {
        slot: rescued.then_some(slot),
        raised: raised.then_some(slot),
        stops_between_blocks: check_fn
            .is_ok_and(|found| stops::only_between_blocks(image, slot, &check, found)),
    }
}

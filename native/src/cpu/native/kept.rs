//! What outlives an `execve`: the translations, for the cores of the next program.

use super::{NativeConfig, Options, Shared};
use crate::cache::Cache;
use crate::memory::{AddressSpace, NoticeReader};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Those to be told of changes.
pub(super) type Cores = Arc<Mutex<Vec<Weak<Shared>>>>;

/// What the cores of an address space share, whatever program runs there.
pub(super) struct Kept {
    pub cache: Cache,
    pub notices: NoticeReader,
    pub cores: Cores,
}

/// All that makes a difference to translations but for the guest's memory.
#[derive(PartialEq, Eq)]
struct Terms {
    guest: String,
    options: Options,
    check: bool,
    cache_size: usize,
}

struct Known {
    space: Weak<AddressSpace>,
    terms: Terms,
    /// Weak, so that translations go with the last core of a space.
    kept: Weak<Kept>,
}

static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// What the last core opened over `space` in the same way left behind, with its translations parked,
/// or `fresh`.
///
/// # Errors
/// Those of `fresh`.
pub(super) fn of(
    config: &NativeConfig,
    space: &Arc<AddressSpace>,
    fresh: impl FnOnce() -> Result<Kept, String>,
) -> Result<Arc<Kept>, String> {
    let terms = Terms {
        guest: config.guest.clone(),
        options: config.options,
        check: config.check,
        cache_size: config.cache_size,
    };
    let mut list = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    list.retain(|k| k.kept.strong_count() > 0);
    let found = list
        .iter()
        .find(|k| Weak::as_ptr(&k.space) == Arc::as_ptr(space) && k.terms == terms)
        .and_then(|k| k.kept.upgrade());
    if let Some(kept) = found {
        // Whatever was said so far is looked at anyway.
        let _ = kept.notices.take();
        kept.cache.park();
        super::kick_all(&kept.cores);
        return Ok(kept);
    }
    let kept = Arc::new(fresh()?);
    list.push(Known {
        space: Arc::downgrade(space),
        terms,
        kept: Arc::downgrade(&kept),
    });
    Ok(kept)
}

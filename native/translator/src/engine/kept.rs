//! What outlives an `execve`: the translations, for the cores of the next program.

use super::stock::Stock;
use super::{NativeConfig, Options, Shared};
use crate::cache::{Cache, Key};
use crate::cpu::Stops;
use crate::guest::Guest;
use crate::memory::{AddressSpace, NoticeReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

/// Those to be told of changes.
pub(super) type Cores = Arc<Mutex<Vec<Weak<Shared>>>>;

/// What the cores of an address space share, whatever program runs there.
pub(super) struct Kept {
    pub cache: Cache,
    pub notices: NoticeReader,
    pub cores: Cores,
    pub stock: Stock,
    stops: Debugged,
}

/// What a debugger wants.
#[derive(Default)]
struct Debugged {
    /// There are stops.
    any: AtomicBool,
    /// There once were: what was translated meanwhile is not for others.
    once: AtomicBool,
    stops: RwLock<Arc<Stops>>,
}

impl Kept {
    pub(super) fn new(cache: Cache, notices: NoticeReader, cores: Cores) -> Self {
        Self {
            cache,
            notices,
            cores,
            stock: Stock::default(),
            stops: Debugged::default(),
        }
    }

    /// Whether a debugger wants the guest to stop anywhere.
    pub(super) fn has_stops(&self) -> bool {
        self.stops.any.load(Ordering::Relaxed)
    }

    /// Where a debugger wants the guest to stop; None: nowhere. Only within the gate: a fork meanwhile would leave the
    /// child with a lock that is held.
    pub(super) fn stops(&self) -> Option<Arc<Stops>> {
        if !self.has_stops() {
            return None;
        }
        let stops = self.stops.stops.read();
        Some(Arc::clone(&stops.unwrap_or_else(PoisonError::into_inner)))
    }

    /// Whether there are translations that stop for a debugger.
    pub(super) fn was_debugged(&self) -> bool {
        self.stops.once.load(Ordering::Relaxed)
    }

    /// Replaces the stops. The ranges of code that are to be translated anew.
    pub(super) fn set_stops(&self, new: &Arc<Stops>) -> Vec<(u64, u64)> {
        let mut stops = self
            .stops
            .stops
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *stops, Arc::clone(new));
        self.stops.any.store(!new.is_empty(), Ordering::Relaxed);
        if (!new.is_empty() || new.count || new.blocks)
            && !self.stops.once.swap(true, Ordering::Relaxed)
        {
            self.stock.forget();
            return vec![(0, u64::MAX)];
        }
        if old.data == new.data {
            let changed = old.changed_code(new);
            changed.into_iter().map(|at| (at, at + 1)).collect()
        } else {
            vec![(0, u64::MAX)]
        }
    }

    /// Another program runs. What is logged or compared is to be translated.
    fn begin(&self, guest: &dyn Guest, config: &NativeConfig) {
        let plain = config.options.stock && config.log.is_none() && !config.check;
        let place = config.stock.clone().filter(|_| plain);
        self.stock.begin(place, guest.name(), config.options);
    }
}

/// The process ends: what it has translated is kept for the next one that runs its program.
pub fn keep_stocks() {
    let list = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    for known in &*list {
        if let (Some(kept), Some(space)) = (known.kept.upgrade(), known.space.upgrade()) {
            let records = |most, wanted: &dyn Fn(Key) -> bool| kept.cache.records(most, wanted);
            kept.stock.keep(records, |pc| space.is_file_at(pc));
        }
    }
}

/// The store is not to be touched any more: translations are neither taken from it nor put there.
pub fn forget_stocks() {
    let list = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    for kept in list.iter().filter_map(|known| known.kept.upgrade()) {
        kept.stock.forget();
    }
}

/// All that makes a difference to translations but for the guest's memory.
#[derive(PartialEq, Eq)]
struct Terms {
    guest: &'static str,
    options: Options,
    check: bool,
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
    guest: &dyn Guest,
    config: &NativeConfig,
    space: &Arc<AddressSpace>,
    fresh: impl FnOnce() -> Result<Kept, String>,
) -> Result<Arc<Kept>, String> {
    let terms = Terms {
        guest: guest.name(),
        options: config.options,
        check: config.check,
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
        kept.begin(guest, config);
        return Ok(kept);
    }
    let kept = Arc::new(fresh()?);
    kept.begin(guest, config);
    list.push(Known {
        space: Arc::downgrade(space),
        terms,
        kept: Arc::downgrade(&kept),
    });
    Ok(kept)
}

//! How [`IrBuilder`] makes instructions conditional: by selecting, or by a jump over them.
//!
//! Instructions that follow each other under one condition share a jump. Behind it what they have set or read is
//! to be read anew.

use super::build::{IrBuilder, LANES};
use super::flags::Cc;
use super::layout::Layout;
use super::sem::{Guard, Sem};
use super::{NONE, Op, Val};

/// What is known of the guest's registers: the values that they hold, or [`NONE`].
#[derive(Clone, Default)]
pub struct Known {
    pub general: Vec<Val>,
    pub wide: Vec<Val>,
    pub flags: Val,
    /// The flags that the block began with.
    pub first_f: Val,
}

impl Known {
    /// Forgets all, of a guest with this layout.
    pub fn clear(&mut self, layout: Layout) {
        let clear = |list: &mut Vec<Val>, count: usize| {
            list.clear();
            list.resize(count, NONE);
        };
        clear(&mut self.general, layout.general.into());
        clear(&mut self.wide, layout.units());
        self.flags = NONE;
        self.first_f = NONE;
    }

    /// Keeps what is the same in `other`.
    fn join(&mut self, other: &Self) {
        let join = |a: &mut Val, b: Val| *a = if *a == b { b } else { NONE };
        for (a, &b) in self.general.iter_mut().zip(&other.general) {
            join(a, b);
        }
        for (a, &b) in self.wide.iter_mut().zip(&other.wide) {
            join(a, b);
        }
        // Nothing sets flags in between; they may have been read for the first time.
        self.flags = other.flags;
        self.first_f = other.first_f;
    }
}

impl IrBuilder {
    pub(super) fn begin_guard(&mut self, cond: Option<Cc>, how: Guard) {
        let Some(cond) = cond else {
            self.close();
            return;
        };
        // Nothing sets flags behind a jump, so the same condition is so of the same flags.
        if let Some((open, _)) = &self.open
            && how != Guard::Select
            && *open == Some(cond)
        {
            return;
        }
        // What the condition is computed of must not be jumped over.
        self.close();
        let f = self.get_f();
        let c = self.cc(cond, f);
        if how == Guard::Jump {
            self.skip_unless(c, Some(cond));
        } else {
            self.selecting = Some(c);
        }
    }

    fn skip_unless(&mut self, cond: Val, of_flags: Option<Cc>) {
        self.aligned = (NONE, 0);
        self.lanes = [NONE; LANES];
        self.push(Op::Skip, 0, [cond, NONE, NONE], 0);
        self.open = Some((of_flags, Box::new(self.cur.clone())));
    }

    pub(super) fn begin_when(&mut self, cond: Val) {
        self.close();
        self.skip_unless(cond, None);
    }

    pub(super) fn end_guard(&mut self) {
        self.selecting = None;
        let by_value = matches!(self.open, Some((None, _)));
        if by_value {
            self.close();
        }
        if self.ended {
            // An exit: what follows is where the condition does not hold.
            self.close();
            self.ended = false;
        }
    }

    /// Ends the part that is jumped over, if there is one.
    pub fn close(&mut self) {
        if let Some((_, before)) = self.open.take() {
            self.push(Op::Label, 0, [NONE; 3], 0);
            self.aligned = (NONE, 0);
            self.lanes = [NONE; LANES];
            self.cur.join(&before);
        }
    }
}

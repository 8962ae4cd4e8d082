//! Parts of a thunk table that are read when they are first used.

use once_cell::race::OnceBox;

use super::reader::Reader;

/// Numbered parts, by place. Two threads may read the same one at the same time, of which one's is kept: a lock
/// would stay locked in the child of a fork.
#[derive(Debug)]
pub(super) struct Lazy<T> {
    parts: Box<[Part<T>]>,
}

#[derive(Debug)]
struct Part<T> {
    /// In the table's bytes.
    at: u32,
    value: OnceBox<T>,
}

impl<T> Lazy<T> {
    /// Reads where the parts are, and goes behind them. Also gives the number of each.
    pub(super) fn index<'a>(
        reader: &mut Reader<'a>,
    ) -> Result<(Self, impl Iterator<Item = u32> + use<'a, T>), String> {
        let count = usize::from(reader.u16()?);
        let size = reader.u32()?;
        let index = reader.take(count * 8)?.chunks_exact(8);
        let start = reader.at();
        reader.take(size as usize)?;
        let word = |at: &[u8]| u32::from_le_bytes([at[0], at[1], at[2], at[3]]);
        let part = |entry: &[u8]| Part {
            at: start.saturating_add(word(&entry[4..])),
            value: OnceBox::new(),
        };
        let parts = index.clone().map(part).collect();
        Ok((Self { parts }, index.map(word)))
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The part at a place, which `parse` reads from the table's bytes if nobody has.
    pub(super) fn read(
        &self,
        bytes: &[u8],
        place: usize,
        parse: impl Fn(&mut Reader<'_>) -> Result<T, String>,
    ) -> Result<&T, String> {
        let part = &self.parts[place];
        part.value
            .get_or_try_init(|| parse(&mut Reader::new(bytes, part.at as usize)).map(Box::new))
    }

    /// The same of a table that is as the compiler made it.
    ///
    /// # Panics
    /// It is not: nobody has called [`super::table::Table::check`].
    pub(super) fn get(
        &self,
        bytes: &[u8],
        place: usize,
        parse: impl Fn(&mut Reader<'_>) -> Result<T, String>,
    ) -> &T {
        self.read(bytes, place, parse)
            .unwrap_or_else(|why| panic!("damaged thunk table: {why}"))
    }
}

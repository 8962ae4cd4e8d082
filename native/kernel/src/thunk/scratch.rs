//! Memory for converted arguments, valid until the call is over.

/// A bump allocator whose allocations do not move; reset before each call.
#[derive(Default)]
pub struct Scratch {
    chunks: Vec<Box<[u64]>>,
    /// The chunk in use, and how many words of it are taken.
    current: usize,
    used: usize,
}

/// Words of an ordinary chunk: 16 KiB.
const CHUNK: usize = 2048;

impl Scratch {
    /// Forgets all allocations, keeping one chunk for the next call.
    pub fn reset(&mut self) {
        self.chunks.truncate(1);
        self.current = 0;
        self.used = 0;
    }

    /// `size` zeroed bytes, aligned to 8.
    pub fn alloc(&mut self, size: usize) -> *mut u8 {
        let words = size.div_ceil(8).max(1);
        let fits = self
            .chunks
            .get(self.current)
            .is_some_and(|chunk| self.used + words <= chunk.len());
        if !fits {
            self.chunks
                .push(vec![0; words.max(CHUNK)].into_boxed_slice());
            self.current = self.chunks.len() - 1;
            self.used = 0;
        }
        let part = &mut self.chunks[self.current][self.used..self.used + words];
        part.fill(0);
        self.used += words;
        part.as_mut_ptr().cast()
    }

    /// Like [`Scratch::alloc`], as a slice.
    #[must_use]
    pub fn slice<'a>(&mut self, size: usize) -> &'a mut [u8] {
        let pointer = self.alloc(size);
        // SAFETY: alloc returned `size` initialised bytes that nothing else refers to;
        // chunks do not move, and callers drop the slice before the next reset.
        unsafe { std::slice::from_raw_parts_mut(pointer, size) }
    }
}

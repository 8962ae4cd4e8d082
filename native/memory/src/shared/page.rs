//! A page that parent and forked children share.

/// Memory for one `T`, at first all zeros; children forked later see the same.
pub struct SharedPage<T>(*mut T);

// SAFETY: only a pointer to shared memory goes from thread to thread; what is done with the
// memory is the business of who dereferences it.
unsafe impl<T> Send for SharedPage<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for SharedPage<T> {}

impl<T> SharedPage<T> {
    const SIZE: usize = 4096;

    /// # Errors
    /// That of mmap(2).
    pub fn new() -> std::io::Result<Self> {
        const { assert!(size_of::<T>() <= Self::SIZE) };
        // SAFETY: a new anonymous mapping.
        let page = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                Self::SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        Ok(Self(page.cast()))
    }

    /// Where it is, as long as this lives.
    #[must_use]
    pub fn get(&self) -> *mut T {
        self.0
    }
}

impl<T> Drop for SharedPage<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is this page's own.
        unsafe { libc::munmap(self.0.cast(), Self::SIZE) };
    }
}

//! How much a call may allocate: work that grows with the square of a text shows in what it copies, and unlike time this
//! is the same on every machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize) {
    // A thread that ends may allocate after its counter is gone.
    let _ = ALLOCATED.try_with(|allocated| allocated.set(allocated.get().saturating_add(bytes as u64)));
}

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the promises of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // It may have to copy the whole.
        count(size);
        // SAFETY: the caller keeps the promises of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What every call may allocate, whatever it is given.
const FREE: u64 = 1 << 20;

/// Calls `work`, which was given `length` bytes and may allocate `per_byte` for each.
pub(crate) fn within<T>(what: &str, length: usize, per_byte: u64, work: impl FnOnce() -> T) -> T {
    let before = ALLOCATED.get();
    let result = work();
    let used = ALLOCATED.get() - before;
    let allowed = FREE + per_byte * length as u64;
    assert!(used <= allowed, "{what} allocated {used} bytes for {length}, more than {allowed}");
    result
}

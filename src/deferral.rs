//! Wakes of other threads, put off until all that they are woken for is there.
//!
//! A thread that has several things for another, one after the other, would wake it by the first; the
//! other would act on that one and sleep again before the next one came. Each wake costs a system call
//! here and a round of the loop there.
//!
//! Invariant: no wake is lost: what is put off is done when the [`Deferral`] ends, however it ends.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::task::{Wake, Waker};

thread_local! {
    static DEFERRING: Cell<bool> = const { Cell::new(false) };
    static PUT_OFF: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, [`deferrable`] wakes on this thread are put off. There is one at a time.
#[derive(Debug)]
pub(crate) struct Deferral(());

impl Deferral {
    /// From now on.
    pub(crate) fn begin() -> Self {
        DEFERRING.set(true);
        Self(())
    }
}

impl Drop for Deferral {
    fn drop(&mut self) {
        DEFERRING.set(false);
        // Each is out before it wakes, which may run anything.
        while let Some(waker) = PUT_OFF.with_borrow_mut(Vec::pop) {
            waker.wake();
        }
    }
}

/// What wakes as `waker` does, later where a [`Deferral`] is under way.
pub(crate) fn deferrable(waker: &Waker) -> Waker {
    Waker::from(Arc::new(Deferrable(waker.clone())))
}

struct Deferrable(Waker);

impl Wake for Deferrable {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if DEFERRING.get() {
            PUT_OFF.with_borrow_mut(|put_off| put_off.push(self.0.clone()));
        } else {
            self.0.wake_by_ref();
        }
    }
}

/// Counts how often it is woken.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct WakeCount(std::sync::atomic::AtomicUsize);

#[cfg(test)]
impl WakeCount {
    /// How often it was.
    pub(crate) fn get(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    fn counted() -> (Arc<WakeCount>, Waker) {
        let count = Arc::<WakeCount>::default();
        let waker = deferrable(&Waker::from(Arc::clone(&count)));
        (count, waker)
    }

    #[test]
    fn a_wake_is_put_off_until_the_deferral_ends_and_never_without_one() {
        let (count, waker) = counted();
        waker.wake_by_ref();
        assert_eq!(count.get(), 1);
        for ended in 1..=2 {
            let deferral = Deferral::begin();
            waker.wake_by_ref();
            assert_eq!(count.get(), ended);
            drop(deferral);
            assert_eq!(count.get(), ended + 1);
        }
    }

    #[test]
    fn a_deferral_that_panics_wakes_all_the_same() {
        let (count, waker) = counted();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _deferral = Deferral::begin();
            waker.wake_by_ref();
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn other_threads_put_nothing_off() {
        let (count, waker) = counted();
        let _deferral = Deferral::begin();
        thread::spawn(move || waker.wake()).join().expect("no panic");
        assert_eq!(count.get(), 1);
    }
}

//! What a worker waits on: its sockets, its orders, and the next moment.
//!
//! One epoll set, edge-triggered, each socket registered once. The moment is a timer of the kernel in
//! the same set, since a timeout of epoll has whole milliseconds and messages are due between them.

use crate::clock::SECOND;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use std::os::fd::{AsFd, OwnedFd};

/// Events taken at a time.
const EVENTS_MAX: usize = 1024;

const TIMER: u64 = u64::MAX;
const ORDERS: u64 = u64::MAX - 1;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A socket can be read or written, or is broken.
    Seat {
        /// Whose.
        index: u32,
        /// Whether it can be read.
        readable: bool,
        /// Whether it can be written.
        writable: bool,
    },
    /// There may be orders.
    Orders,
}

/// The set.
pub(super) struct Reactor {
    set: OwnedFd,
    timer: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Reactor {
    /// A set with `orders` in it.
    pub(super) fn new(orders: impl AsFd) -> Result<Self, Errno> {
        let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let once = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&set, &timer, epoll::EventData::new_u64(TIMER), once)?;
        epoll::add(&set, orders, epoll::EventData::new_u64(ORDERS), epoll::EventFlags::IN)?;
        Ok(Self { set, timer, events: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Adds a socket; closing it removes it.
    pub(super) fn add(&self, socket: impl AsFd, index: u32) -> Result<(), Errno> {
        let interest = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        epoll::add(&self.set, socket, epoll::EventData::new_u64(u64::from(index)), interest)
    }

    /// Waits until something happens or a moment has come.
    pub(super) fn wait(&mut self, now: u64, moment: u64) -> Result<(), Errno> {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let timeout = if moment <= now {
            Some(&at_once)
        } else {
            let part = |nanos: u64| i64::try_from(nanos).unwrap_or(i64::MAX);
            let when = Timespec { tv_sec: part(moment / SECOND), tv_nsec: part(moment % SECOND) };
            let it_value = Itimerspec { it_interval: at_once, it_value: when };
            timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &it_value)?;
            None
        };
        self.events.clear();
        match epoll::wait(&self.set, spare_capacity(&mut self.events), timeout) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What has happened while it waited.
    pub(super) fn events(&self) -> impl Iterator<Item = Event> + '_ {
        let broken = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        self.events.iter().filter_map(move |event| {
            let (data, flags) = (event.data, event.flags);
            match data.u64() {
                TIMER => None,
                ORDERS => Some(Event::Orders),
                token => Some(Event::Seat {
                    index: u32::try_from(token).ok()?,
                    readable: flags.intersects(epoll::EventFlags::IN | broken),
                    writable: flags.intersects(epoll::EventFlags::OUT | broken),
                }),
            }
        })
    }
}

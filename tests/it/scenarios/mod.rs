//! What is tried, by what it shows. Each file says what it sets up.

mod accounts;
mod admission;
mod backpressure;
mod bad_input;
mod chats;
mod damage;
mod disk;
mod goaway;
mod healthcheck;
mod long_poll;
mod metrics;
mod pages;
mod parity;
mod resume;
mod shutdown;
mod smoke;
mod statements;
mod sync;
mod tls;

//! Opening the store, which may be a database that starts later than its servers: until it is there,
//! whoever asks is told why.

use super::shards::{Doors, listener_settings};
use super::{ServerError, end_at_once};
use crate::cli::output;
use crate::config::Config;
use crate::gateway::listener::{self, Course};
use crate::gateway::rest;
use crate::store::Backend;
use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// Opens the store. While it is waited for, the sockets of all shards are served from here: the
/// process lives, is not ready, and says why. `announcement` is printed when that begins.
pub(super) async fn open_store(
    config: &Config,
    places: &[Vec<TcpListener>],
    doors: &Doors,
    announcement: &str,
) -> Result<Backend, ServerError> {
    let options = config.store_options()?;
    let (course, told) = watch::channel(Course::Starting);
    let (tell, why) = watch::channel(Arc::<str>::default());
    let waiting = |error: &dyn Error| {
        let text = output::chain(error);
        tracing::warn!(why = text, "waiting for the store");
        tell.send_replace(format!("waiting for the store: {text}").into());
    };
    let mut opening = pin!(Backend::open(&options, waiting, end_at_once));
    let tasks = LocalSet::new();
    let mut answering =
        pin!(tasks.run_until(answer((config, places, doors), announcement, why, told)));
    let store = tokio::select! {
        store = &mut opening => store?,
        answered = &mut answering => {
            answered?;
            opening.await?
        }
    };
    course.send_replace(Course::Ending);
    answering.await?;
    Ok(store)
}

/// Answers on all sockets, once there is something to tell.
async fn answer(
    (config, places, doors): (&Config, &[Vec<TcpListener>], &Doors),
    announcement: &str,
    mut why: watch::Receiver<Arc<str>>,
    mut course: watch::Receiver<Course>,
) -> io::Result<()> {
    tokio::select! {
        told = why.changed() => if told.is_err() { return Ok(()) },
        _ = course.wait_for(|course| *course == Course::Ending) => return Ok(()),
    }
    let sockets = places.iter().flatten();
    let sockets = sockets.map(|socket| tokio::net::TcpListener::from_std(socket.try_clone()?));
    let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
    output::print(announcement)?;
    let settings = listener_settings(config, doors, Arc::default());
    listener::wait(sockets, rest::waiting(why), settings, course).await;
    Ok(())
}

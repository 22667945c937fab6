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
    let opening = async {
        let opened = Backend::open(&options, waiting, end_at_once).await;
        course.send_replace(Course::Ending);
        opened.map_err(ServerError::from)
    };
    let settings = listener_settings(config, doors, Arc::default());
    let tasks = LocalSet::new();
    let answering = tasks.run_until(answer(places, settings, announcement, why, told));
    let (store, ()) = tokio::try_join!(opening, answering)?;
    Ok(store)
}

/// Answers on all sockets, from when there is something to tell until the store is open.
async fn answer(
    places: &[Vec<TcpListener>],
    settings: listener::Settings,
    announcement: &str,
    mut why: watch::Receiver<Arc<str>>,
    mut course: watch::Receiver<Course>,
) -> Result<(), ServerError> {
    // Either fails only when its sender is gone, which outlives this.
    tokio::select! {
        _ = why.changed() => {}
        _ = course.wait_for(|course| *course == Course::Ending) => return Ok(()),
    }
    let sockets = places.iter().flatten();
    let sockets = sockets.map(|socket| tokio::net::TcpListener::from_std(socket.try_clone()?));
    let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
    output::print(announcement)?;
    listener::wait(sockets, rest::waiting(why), settings, course).await;
    Ok(())
}

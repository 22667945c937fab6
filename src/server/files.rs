//! How many files the process may open, and so how many connections it can hold.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are no connections: the store's, listeners, epoll sets, standard streams, and
/// connections that are refused.
const RESERVE: u64 = 256;

/// Raises the limit of open files as far as this process may.
pub(super) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, ?current, "the limit of open files cannot be raised");
    }
}

/// How many connections there may be where `wanted` are configured, 0 for as many as possible.
/// Returns 0 where nothing limits them.
pub(super) fn connections_max(wanted: usize) -> usize {
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let possible = possible(files);
    if wanted > possible {
        tracing::warn!(
            wanted,
            possible,
            files,
            "fewer connections than wanted: too few open files"
        );
    }
    if wanted == 0 { possible } else { wanted.min(possible) }
}

/// How many connections so many open files allow: at least a quarter of them.
fn possible(files: u64) -> usize {
    let possible = files.saturating_sub(RESERVE).max(files / 4).max(1);
    usize::try_from(possible).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        assert_eq!([20_000, 1_024, 256, 0].map(possible), [19_744, 768, 64, 1]);
    }

    #[test]
    fn the_smaller_of_what_is_wanted_and_what_is_possible_holds() {
        let possible = connections_max(0);
        assert!(possible > 0);
        assert_eq!(connections_max(1), 1);
        assert_eq!(connections_max(usize::MAX), possible);
    }
}

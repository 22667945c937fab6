//! The listening sockets: for each address one a shard, between which the kernel spreads connections.

use super::ServerError;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// How many finished handshakes may wait to be accepted, a shard.
const BACKLOG: i32 = 4_096;

/// How much of a connection may wait in the kernel to be sent. Without a bound the kernel takes some
/// megabytes from a connection whose reader is slow before its outbox is found full. What is under
/// way does not count, so it slows no connection down.
const UNSENT_BYTES_MAX: u32 = 64 * 1024;

/// Gives each of `shards` a socket on every address; also the addresses, with the ports that 0 stood
/// for.
pub(super) fn bind(
    addresses: &[SocketAddr],
    shards: usize,
) -> Result<(Vec<Vec<TcpListener>>, Vec<SocketAddr>), ServerError> {
    let mut places: Vec<Vec<TcpListener>> = Vec::new();
    places.resize_with(shards, Vec::new);
    let mut bound = Vec::with_capacity(addresses.len());
    for &asked in addresses {
        let refused = |source| ServerError::Listen { address: asked, source };
        let mut address = asked;
        for listeners in &mut places {
            let listener = bind_one(address).map_err(refused)?;
            address = listener.local_addr().map_err(refused)?;
            listeners.push(listener);
        }
        bound.push(address);
    }
    Ok((places, bound))
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit it; a system that does not know it goes without.
    drop(socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX));
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    #[test]
    fn every_shard_has_a_socket_on_every_address_with_the_port_that_was_given_out() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (places, addresses) = bind(&[any, any], 3).expect("bound");
        assert_eq!((places.len(), addresses.len()), (3, 2));
        assert!(addresses.iter().all(|address| address.port() != 0));
        assert_ne!(addresses[0], addresses[1]);
        for listeners in &places {
            let at = listeners.iter().map(|listener| listener.local_addr().expect("bound"));
            assert!(at.eq(addresses.iter().copied()));
        }
    }

    /// Writes until nothing has been taken for a while; how much was taken.
    async fn fill(stream: &TcpStream) -> usize {
        let mut taken = 0;
        while tokio::time::timeout(Duration::from_millis(200), stream.writable()).await.is_ok() {
            while let Ok(count) = stream.try_write(&[0; 16 * 1024]) {
                taken += count;
            }
        }
        taken
    }

    #[tokio::test]
    async fn the_kernel_takes_little_for_a_peer_that_does_not_read_and_more_once_it_does() {
        const WINDOW: usize = 64 * 1024;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (mut places, addresses) = bind(&[any], 1).expect("bound");
        let listener = tokio::net::TcpListener::from_std(places.remove(0).remove(0));
        let listener = listener.expect("a runtime");
        let peer = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        peer.set_recv_buffer_size(WINDOW).expect("a size");
        peer.connect(&addresses[0].into()).expect("it listens");
        peer.set_nonblocking(true).expect("set");
        let mut peer = TcpStream::from_std(peer.into()).expect("a runtime");
        let (accepted, _) = listener.accept().await.expect("a connection");
        let inherited = socket2::SockRef::from(&accepted).tcp_notsent_lowat();
        assert_eq!(inherited.expect("known"), UNSENT_BYTES_MAX);

        let unsent = usize::try_from(UNSENT_BYTES_MAX).expect("small");
        let taken = fill(&accepted).await;
        // Besides: what the peer has taken, and one last piece that the kernel does not cut.
        assert!(taken <= 2 * WINDOW + 2 * unsent, "{taken}");
        // Readiness is told by its edge, from unsent bytes alone.
        let mut read = vec![0; taken];
        let (exact, ()) = tokio::join!(peer.read_exact(&mut read), async {
            accepted.writable().await.expect("a socket");
        });
        assert_eq!(exact.expect("all that was taken"), taken);
        assert!(accepted.try_write(&[0]).is_ok());
    }

    #[test]
    fn the_address_that_cannot_be_had_is_named() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let nobodys = SocketAddr::from(([192, 0, 2, 1], 0));
        let refused = bind(&[any, nobodys], 1).expect_err("not an address of this machine");
        assert_eq!(refused.to_string(), "cannot listen on 192.0.2.1:0");
    }
}

//! The listening sockets: for each address one a shard, between which the kernel spreads connections.

use super::ServerError;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// How many finished handshakes may wait to be accepted, a shard.
const BACKLOG: i32 = 4_096;

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
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_address_that_cannot_be_had_is_named() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let nobodys = SocketAddr::from(([192, 0, 2, 1], 0));
        let refused = bind(&[any, nobodys], 1).expect_err("not an address of this machine");
        assert_eq!(refused.to_string(), "cannot listen on 192.0.2.1:0");
    }
}

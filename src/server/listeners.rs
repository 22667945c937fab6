//! The listening sockets: one a shard on one port, between which the kernel spreads connections.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// How many finished handshakes may wait to be accepted, a shard.
const BACKLOG: i32 = 4_096;

/// Binds `count` sockets to one address; also the address, with the port that 0 stood for.
pub(super) fn bind(
    address: SocketAddr,
    count: usize,
) -> io::Result<(Vec<TcpListener>, SocketAddr)> {
    let first = bind_one(address)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    while listeners.len() < count {
        listeners.push(bind_one(address)?);
    }
    Ok((listeners, address))
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
    fn all_sockets_share_the_port_that_was_given_out() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (listeners, address) = bind(any, 3).expect("bound");
        assert_ne!(address.port(), 0);
        for listener in &listeners {
            assert_eq!(listener.local_addr().expect("bound"), address);
        }
        assert_eq!(listeners.len(), 3);
    }
}

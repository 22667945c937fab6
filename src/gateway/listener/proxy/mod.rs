//! The PROXY protocol: the line (version 1) or block (version 2) in which a balancer says whose
//! connection it passes on.
//!
//! Owns the reading of that header; from whom one is expected is the listener's to know. The header
//! is all that is read: every read asks only for bytes that surely belong to it, so what the client
//! sent right behind it stays in the socket. Extensions of version 2 are skipped.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use tokio::net::TcpStream;

/// What every header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// What every header of version 1 begins with.
const LINE_BEGIN: &[u8] = b"PROXY ";
/// The longest header of version 1, its line end included.
const LINE_BYTES_MAX: usize = 107;
/// The most bytes that version 2 may have behind its 16 fixed ones.
const BLOCK_BYTES_MAX: usize = 4096;

/// Why a header was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    /// The connection was closed without a byte, as simple health checks do.
    #[error("closed at once")]
    Silent,
    /// Something else was sent.
    #[error("there is no PROXY header")]
    Absent,
    /// It begins like a header and is none.
    #[error("the PROXY header is malformed")]
    Malformed,
    /// It has more extensions than anybody sends.
    #[error("the PROXY header is longer than {BLOCK_BYTES_MAX} bytes")]
    TooLong,
    /// The connection ended inside it.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// What the beginning of a connection amounts to.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// At least so many further bytes belong to the header.
    More(usize),
    /// That was all of it: the client, if the proxy speaks for one and knows which.
    Whole(Option<SocketAddr>),
}

/// Reads a header, and nothing behind it: the client, if the proxy speaks for one and knows which.
pub(super) async fn read(stream: &TcpStream) -> Result<Option<SocketAddr>, HeaderError> {
    let mut header = Vec::new();
    loop {
        let have = header.len();
        match examine(&header)? {
            Progress::Whole(client) => return Ok(client),
            Progress::More(count) => header.resize(have + count, 0),
        }
        let mut filled = have;
        while let Some(rest) = header.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            stream.readable().await?;
            match stream.try_read(rest) {
                Ok(0) if filled == 0 => return Err(HeaderError::Silent),
                Ok(0) => return Err(HeaderError::Broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Looks at all that was read so far.
fn examine(header: &[u8]) -> Result<Progress, HeaderError> {
    // Shorter than the shortest header of either version.
    let Some(begin) = header.first_chunk::<{ SIGNATURE.len() }>() else {
        return Ok(Progress::More(SIGNATURE.len() - header.len()));
    };
    if begin == SIGNATURE {
        examine_block(header)
    } else if begin.starts_with(LINE_BEGIN) {
        examine_line(header)
    } else {
        Err(HeaderError::Absent)
    }
}

fn examine_line(header: &[u8]) -> Result<Progress, HeaderError> {
    let Some(line) = header.strip_suffix(b"\r\n") else {
        let may_go_on = header.len() < LINE_BYTES_MAX && header.last() != Some(&b'\n');
        return if may_go_on { Ok(Progress::More(1)) } else { Err(HeaderError::Malformed) };
    };
    let line = str::from_utf8(line).map_err(|_invalid| HeaderError::Malformed)?;
    let words: Vec<&str> = line.split(' ').collect();
    let client = match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => return Ok(Progress::Whole(None)),
        ["PROXY", "TCP4", addresses @ ..] => line_source::<Ipv4Addr>(addresses),
        ["PROXY", "TCP6", addresses @ ..] => line_source::<Ipv6Addr>(addresses),
        _ => None,
    };
    client.map(|client| Progress::Whole(Some(client))).ok_or(HeaderError::Malformed)
}

/// The source among the addresses of a line, all of which must be valid.
fn line_source<A: FromStr + Into<IpAddr>>(addresses: &[&str]) -> Option<SocketAddr> {
    let [source, destination, source_port, destination_port] = addresses else { return None };
    destination.parse::<A>().ok()?;
    port(destination_port)?;
    Some(canonical(source.parse::<A>().ok()?.into(), port(source_port)?))
}

/// A port in its one canonical form.
fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port: &u16| port.to_string() == text)
}

fn examine_block(header: &[u8]) -> Result<Progress, HeaderError> {
    const FIXED: usize = SIGNATURE.len() + 4;
    let Some((fixed, block)) = header.split_first_chunk::<FIXED>() else {
        return Ok(Progress::More(FIXED - header.len()));
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > BLOCK_BYTES_MAX {
        return Err(HeaderError::TooLong);
    }
    if block.len() < length {
        return Ok(Progress::More(length - block.len()));
    }
    let client = match (command, family) {
        // LOCAL: the proxy itself. Unspecified and Unix: no address that means anything here.
        (0x20, _) | (0x21, 0x00 | 0x31) => Some(None),
        (0x21, 0x11) => block_source::<4>(block).map(Some),
        (0x21, 0x21) => block_source::<16>(block).map(Some),
        _ => None,
    };
    client.map(Progress::Whole).ok_or(HeaderError::Malformed)
}

/// The source in a block that begins with two addresses of `WIDTH` bytes and two ports.
fn block_source<const WIDTH: usize>(block: &[u8]) -> Option<SocketAddr>
where
    [u8; WIDTH]: Into<IpAddr>,
{
    let (source, rest) = block.split_first_chunk::<WIDTH>()?;
    let (_destination, rest) = rest.split_first_chunk::<WIDTH>()?;
    let [high, low, _, _] = *rest.first_chunk()?;
    Some(canonical((*source).into(), u16::from_be_bytes([high, low])))
}

fn canonical(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

#[cfg(test)]
mod tests;

//! Making chats by REST before a run begins, over a few connections that are kept.

use super::Account;
use crate::Failure;
use crate::tls::Tls;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

/// Connections that make chats at the same time.
const CONNECTIONS: usize = 8;

/// A chat of the first account with the others: a direct one if there is one other.
pub(crate) type Founders<'a> = &'a [Account];

/// Makes a chat for each of `groups`; their ids, in order.
pub(crate) fn make_chats(
    address: SocketAddr,
    tls: Option<&Tls>,
    groups: &[Founders<'_>],
) -> Result<Vec<u64>, Failure> {
    let share = groups.len().div_ceil(CONNECTIONS).max(1);
    thread::scope(|scope| {
        let making: Vec<_> = groups
            .chunks(share)
            .map(|part| scope.spawn(move || make_some(address, tls, part)))
            .collect();
        let mut made = Vec::with_capacity(groups.len());
        for part in making {
            made.extend(part.join().unwrap_or_else(|_| Err("a thread has panicked".into()))?);
        }
        Ok(made)
    })
}

fn make_some(
    address: SocketAddr,
    tls: Option<&Tls>,
    groups: &[Founders<'_>],
) -> Result<Vec<u64>, Failure> {
    let mut door = Door::open(address, tls)?;
    groups.iter().map(|founders| door.make_chat(founders)).collect()
}

/// A connection to the REST door.
struct Door {
    address: SocketAddr,
    stream: BufReader<Box<dyn Stream>>,
}

/// Bytes both ways.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

impl Door {
    fn open(address: SocketAddr, tls: Option<&Tls>) -> Result<Self, Failure> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(socket),
            Some(tls) => Box::new(tls.over(socket)?),
        };
        Ok(Self { address, stream: BufReader::new(stream) })
    }

    fn make_chat(&mut self, founders: &[Account]) -> Result<u64, Failure> {
        let [creator, others @ ..] = founders else { return Err("a chat of nobody".into()) };
        let body = match others {
            [peer] => serde_json::json!({"kind": "direct", "user": peer.user}),
            others => {
                let members: Vec<u64> = others.iter().map(|account| account.user).collect();
                let client_id = (getrandom::u64()? >> 11) | 1;
                serde_json::json!({
                    "kind": "group", "title": "swarm", "members": members, "client_id": client_id
                })
            }
        };
        let answer = self.post("/chats", &creator.access_token, &body.to_string())?;
        let chat: serde_json::Value = serde_json::from_str(&answer)?;
        let id = chat.get("chat").and_then(serde_json::Value::as_u64);
        id.ok_or_else(|| format!("no chat: {answer}").into())
    }

    fn post(&mut self, path: &str, token: &str, body: &str) -> Result<String, Failure> {
        let (address, length) = (self.address, body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        read_answer(&mut self.stream)
    }
}

/// The body of an answer whose length is told.
pub(crate) fn read_answer(stream: &mut impl BufRead) -> Result<String, Failure> {
    let (mut length, mut line) = (None, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err("the server closed the connection".into());
        }
        let Some((name, value)) = line.split_once(':') else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>()?);
        }
    }
    let mut body = vec![0; length.ok_or("an answer without a length")?];
    stream.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}

/// The body at a path of a server that asks for no token.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<String, Failure> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    read_answer(&mut BufReader::new(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_on_a_kept_connection_are_told_apart() {
        let bytes =
            b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\nx: y\r\n\r\nokHTTP/1.1 200 OK\r\n\
                      Content-Length: 0\r\n\r\n";
        let mut stream = &bytes[..];
        assert_eq!(read_answer(&mut stream).expect("the first"), "ok");
        assert_eq!(read_answer(&mut stream).expect("the second"), "");
        assert!(read_answer(&mut stream).is_err());
    }
}

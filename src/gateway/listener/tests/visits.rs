//! What comes and goes on one connection: requests, handshakes, and the socket that leaves HTTP.

use super::*;

#[test]
fn requests_are_answered_one_after_the_other_on_one_connection() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut stream = served.say(PING).await;
        let answer = read_until(&mut stream, "pong").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        stream.write_all(format!("{PING}{PING}").as_bytes()).await.expect("sent");
        read_until(&mut stream, "pong").await;
        read_until(&mut stream, "pong").await;
    });
}

#[test]
fn bytes_behind_the_handshake_go_with_the_socket() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut stream = served.say(&format!("{HANDSHAKE}early")).await;
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
        let (socket, early, door, _) = served.adopted().await;
        assert_eq!((early.as_slice(), door), (b"early".as_slice(), Door::Chat));

        // Nothing that comes later is lost on the way either, in whichever direction.
        let mut socket = TcpStream::from_std(socket).expect("registered anew");
        stream.write_all(b"late").await.expect("sent");
        let mut late = [0; 4];
        socket.read_exact(&mut late).await.expect("read");
        assert_eq!(&late, b"late");
        socket.write_all(b"back").await.expect("sent");
        assert_eq!(read_until(&mut stream, "back").await, "back");
    });
}

#[test]
fn a_handshake_may_come_in_pieces_and_behind_other_requests() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let whole = format!("{PING}{HANDSHAKE}early");
        for at in (1..whole.len()).step_by(7) {
            let (one, other) = whole.split_at(at);
            let mut stream = served.say(one).await;
            stream.set_nodelay(true).expect("set");
            tokio::task::yield_now().await;
            stream.write_all(other.as_bytes()).await.expect("sent");
            read_until(&mut stream, "pong").await;
            let (socket, mut early, ..) = served.adopted().await;
            let mut socket = TcpStream::from_std(socket).expect("registered anew");
            stream.shutdown().await.expect("no more to send");
            socket.read_to_end(&mut early).await.expect("read");
            assert_eq!(early, b"early", "cut at {at}");
        }
    });
}

#[test]
fn the_echo_door_is_told_from_the_chat_door() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let echo = HANDSHAKE.replace("/ws", "/echo").replace("chasqui.v1", "none");
        let _stream = served.say(&echo).await;
        assert_eq!(served.adopted().await.2, Door::Echo);
    });
}

#[test]
fn a_refused_handshake_leaves_the_connection_usable() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let refused = HANDSHAKE.replace("chasqui.v1", "chat");
        let mut stream = served.say(&format!("{refused}{PING}")).await;
        let answers = read_until(&mut stream, "pong").await;
        assert!(answers.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answers}");
        assert!(answers.contains("application/problem+json"), "{answers}");
    });
}

#[test]
fn an_answer_survives_a_body_that_nobody_reads() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut stream = served.connect().await;
        let head = "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(&vec![b'x'; 1_000_000]).await.expect("taken to the end");
        stream.shutdown().await.expect("no more to send");
        let mut answer = String::new();
        // A reset here would be what some systems throw the unread answer away for.
        stream.read_to_string(&mut answer).await.expect("closed in order");
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    });
}

//! What black-box tests are made of: a real server process, clients for both doors, and waiting with a
//! deadline. Nothing here reaches into the server.

pub(crate) mod chat_client;
pub(crate) mod dice;
pub(crate) mod door;
pub(crate) mod eventually;
pub(crate) mod history;
pub(crate) mod peer;
pub(crate) mod people;
pub(crate) mod rest;
pub(crate) mod server;
pub(crate) mod websocket;

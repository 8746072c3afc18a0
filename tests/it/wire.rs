//! A wire between the shop and PostgreSQL that a test can cut: at a statement, before the server sees it or after it was done.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Where the wire is cut, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never sees the statement.
    Before(&'static str),
    /// The server does it, and its answer is lost.
    After(&'static str),
}

#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    cut: Arc<Mutex<Option<Cut>>>,
    clients: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// Leads to `server`.
    pub(crate) fn to(server: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire { address: listener.local_addr().unwrap(), cut: Arc::default(), clients: Arc::default() };
        let (cut, clients) = (wire.cut.clone(), wire.clients.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else { continue };
                clients.lock().unwrap().push(client.try_clone().unwrap());
                let cut = cut.clone();
                std::thread::spawn(move || forward(client, server, &cut));
            }
        });
        wire
    }

    /// Cuts the connection on which this comes next.
    pub(crate) fn cut(&self, at: Cut) {
        *self.cut.lock().unwrap() = Some(at);
    }

    /// Cuts all connections that there are.
    pub(crate) fn hang_up(&self) {
        for client in self.clients.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// Was it cut since then?
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.lock().unwrap().is_none()
    }
}

fn forward(mut client: TcpStream, mut server: TcpStream, cut: &Mutex<Option<Cut>>) {
    let (mut answers, mut asker) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut asker);
        let _ = asker.shutdown(Shutdown::Both);
    });
    let mut bytes = [0; 16_384];
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        let text = &bytes[..count];
        let is_there = |words: &str| text.windows(words.len()).any(|window| window == words.as_bytes());
        let now = cut.lock().unwrap().take_if(|at| match at {
            Cut::Before(words) | Cut::After(words) => is_there(words),
        });
        match now {
            Some(Cut::Before(_)) => break,
            Some(Cut::After(_)) => {
                // Nothing goes back any more; the server gets the statement and has time to do it.
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.write_all(text);
                std::thread::sleep(std::time::Duration::from_millis(300));
                break;
            }
            None if server.write_all(text).is_err() => break,
            None => {}
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

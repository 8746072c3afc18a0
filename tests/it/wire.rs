//! A wire between the shop and PostgreSQL that a test can cut: at a statement, before the server sees it or after it was done.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    /// Nobody gets through; and that is so after the next cut.
    down: Arc<AtomicBool>,
    goes_down: Arc<AtomicBool>,
    /// Who connects waits so long for the first answer.
    delay: Arc<Mutex<Duration>>,
}

impl Wire {
    /// Leads to `server`.
    pub(crate) fn to(server: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire {
            address: listener.local_addr().unwrap(),
            cut: Arc::default(),
            clients: Arc::default(),
            down: Arc::default(),
            goes_down: Arc::default(),
            delay: Arc::default(),
        };
        let this = wire.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                if this.down.load(SeqCst) {
                    continue;
                }
                this.clients.lock().unwrap().push(client.try_clone().unwrap());
                let wire = this.clone();
                std::thread::spawn(move || wire.forward(client, server));
            }
        });
        wire
    }

    /// Cuts the connection on which this comes next.
    pub(crate) fn cut(&self, at: Cut) {
        *self.cut.lock().unwrap() = Some(at);
    }

    /// The same, and lets nobody through from then on until [`Wire::up`].
    pub(crate) fn cut_for_good(&self, at: Cut) {
        self.goes_down.store(true, SeqCst);
        self.cut(at);
    }

    pub(crate) fn up(&self) {
        self.goes_down.store(false, SeqCst);
        self.down.store(false, SeqCst);
    }

    pub(crate) fn slow_down(&self, by: Duration) {
        *self.delay.lock().unwrap() = by;
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

    fn forward(&self, mut client: TcpStream, mut server: TcpStream) {
        let delay = *self.delay.lock().unwrap();
        std::thread::sleep(delay);
        let (mut answers, mut asker) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut answers, &mut asker);
            let _ = asker.shutdown(Shutdown::Both);
        });
        let mut bytes = [0; 16_384];
        while let Ok(count @ 1..) = client.read(&mut bytes) {
            let text = &bytes[..count];
            let is_there = |words: &str| text.windows(words.len()).any(|window| window == words.as_bytes());
            let now = self.cut.lock().unwrap().take_if(|at| match at {
                Cut::Before(words) | Cut::After(words) => is_there(words),
            });
            if now.is_some() {
                self.down.store(self.goes_down.load(SeqCst), SeqCst);
            }
            match now {
                Some(Cut::Before(_)) => break,
                Some(Cut::After(_)) => {
                    // Nothing goes back any more; the server gets the statement and has time to do it.
                    let _ = client.shutdown(Shutdown::Both);
                    let _ = server.write_all(text);
                    std::thread::sleep(Duration::from_millis(300));
                    break;
                }
                None if server.write_all(text).is_err() => break,
                None => {}
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }
}

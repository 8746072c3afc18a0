//! TLS to PostgreSQL: only the right server is spoken to, and what is wrong with another one is said.

use std::path::Path;
use std::process::Command;

use emporium::app;
use emporium::config::Tls;
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::process::text;
use crate::servers::{Server, at, give};
use crate::testapp::{Backend, test_config};

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", text(&output.stderr));
}

/// An authority `NAME.pem`.
fn authority(folder: &Path, name: &str) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(folder, &format!("req -x509 {key} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"));
}

/// A server that takes the role `secure` with TLS alone, as `localhost`, by a certificate of the authority `ours`.
fn secure_server(folder: &Path) -> Server {
    let mut server = Server::start();
    server.execute("CREATE ROLE secure LOGIN");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(folder, &format!("req {key} -subj /CN=localhost -keyout server.key -out server.csr"));
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    let signed = "-CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -extfile names -out server.crt";
    openssl(folder, &format!("x509 -req -in server.csr {signed}"));
    for name in ["server.key", "server.crt"] {
        let there = server.data().join(name);
        std::fs::copy(folder.join(name), &there).unwrap();
        give(&there);
    }
    let rules = "host all emporium 127.0.0.1/32 trust\nhostssl all secure 127.0.0.1/32 trust\n";
    std::fs::write(server.data().join("pg_hba.conf"), rules).unwrap();
    server.restart_with("ssl=on");
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_the_server_of_the_certificate_is_spoken_to() {
    let folder = TempDir::new().unwrap();
    for name in ["ours", "theirs"] {
        authority(folder.path(), name);
    }
    let (secure, plain) = (secure_server(folder.path()), Server::start());
    let connect = |host: &str, server: &Server, tls: Tls, authority: &str| {
        let mut config = test_config(Backend::Sqlite, &folder);
        let role = if server.port == secure.port { "secure" } else { "emporium" };
        at(&mut config, &format!("postgres://{role}@{host}:{}/shop", server.port));
        for database in [&mut config.inventory.database, &mut config.user.database] {
            (database.tls, database.connect_timeout_seconds) = (tls, 2);
            database.tls_root_cert = Some(folder.path().join(authority).to_string_lossy().into_owned());
        }
        let [inventory, _] = app::databases(&config).unwrap();
        async move { inventory.connections_max().await.map_err(|error| error.to_string()) }
    };
    let good = [
        connect("localhost", &secure, Tls::VerifyFull, "ours.pem"),
        connect("127.0.0.1", &secure, Tls::VerifyCa, "ours.pem"),
        connect("127.0.0.1", &secure, Tls::Require, "nowhere.pem"),
        connect("127.0.0.1", &plain, Tls::Prefer, "nowhere.pem"),
    ];
    for connected in join_all(good).await {
        assert_eq!(connected, Ok(Some(57)));
    }
    let refused = [
        (connect("127.0.0.1", &secure, Tls::VerifyFull, "ours.pem"), "does not match host name \"127.0.0.1\""),
        (connect("localhost", &secure, Tls::VerifyFull, "theirs.pem"), "certificate verify failed"),
        (connect("localhost", &secure, Tls::VerifyCa, "theirs.pem"), "certificate verify failed"),
        (connect("localhost", &plain, Tls::VerifyFull, "ours.pem"), "server does not support SSL"),
        (connect("localhost", &plain, Tls::Require, "nowhere.pem"), "server does not support SSL"),
        (connect("127.0.0.1", &secure, Tls::Disable, "ours.pem"), "it may want TLS: see database.tls"),
    ];
    let (refused, words): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
    for (told, words) in join_all(refused).await.into_iter().zip(words) {
        let told = told.unwrap_err();
        assert!(told.contains("cannot be reached") && told.contains(words), "{words}: {told}");
    }
}

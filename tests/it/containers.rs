//! What `compose.yaml`, `Dockerfile` and `config/emporium.service` say fits the stages' files. `scripts/stage.sh` runs them.

use std::path::Path;

use emporium::config::{Config, DEFAULT};

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A stage's file, without the secrets that it names: they are not on this machine.
fn stage(path: &str) -> Config {
    let text = file(path).replace("tls = \"verify-full\"", "tls = \"require\"");
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("password_file")).collect();
    Config::parse(&text.join("\n"), Default::default()).unwrap()
}

/// The number that stands right behind these words.
fn number(text: &str, words: &str) -> u32 {
    let rest = text.split_once(words).unwrap_or_else(|| panic!("no {words:?}")).1;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn who_stops_the_shop_waits_longer_than_that_takes() {
    let server = stage("config/3-balanced.toml").server;
    let takes = server.drain_ms / 1_000 + server.shutdown_timeout_seconds;
    assert!(number(&file("config/emporium.service"), "TimeoutStopSec=") > takes);
    let compose = file("compose.yaml");
    let (_, shop) = compose.split_once("x-shop: &shop").unwrap();
    assert!(number(shop, "stop_grace_period: ") > takes);
}

#[test]
fn the_balancer_sees_that_a_node_stops_before_it_has() {
    let balancer = file("config/haproxy.cfg");
    let server = stage("config/3-balanced.toml").server;
    let seen_ms = 2 * (number(&balancer, "inter ") * 1_000);
    assert!(server.drain_ms >= 5_000 && server.drain_ms >= seen_ms);
    // What the shop gives up by itself is told by the shop.
    assert!(number(&balancer, "timeout server ") * 1_000 > server.request_timeout_ms);
    assert!(number(&balancer, "timeout queue ") < number(&balancer, "timeout client "));
    // A connection that the balancer keeps is not closed by the node first: HAProxy keeps it for 5 s.
    assert!(server.keep_alive_seconds > 5);
}

#[test]
fn three_processes_leave_the_database_some_connections() {
    const MAX_CONNECTIONS: u32 = 100;
    const OF_SUPERUSERS: u32 = 3;
    for path in ["config/2-cluster.toml", "config/3-balanced.toml"] {
        let config = stage(path);
        let one = config.inventory.database.pool_size + config.user.database.pool_size;
        // A command of the operator has pools, too.
        assert!(4 * one <= MAX_CONNECTIONS - OF_SUPERUSERS, "{path}: {one} connections each");
    }
}

#[test]
fn each_stage_has_its_profile_and_its_file() {
    let compose = file("compose.yaml");
    for (profile, path) in
        [("1", "config/1-separate-db.toml"), ("2", "config/2-cluster.toml"), ("3", "config/3-balanced.toml")]
    {
        assert!(compose.contains(&format!("profiles: [\"{profile}\"]")), "no profile {profile}");
        assert!(compose.contains(&format!("./{path}:/etc/emporium/emporium.toml:ro")), "{path} is not mounted");
    }
    // Stage 0's is in the image.
    assert!(compose.contains("profiles: [\"0\"]"));
    assert!(file("Dockerfile").contains("cp /etc/emporium/0-single-box.toml /etc/emporium/emporium.toml"));
    // The folder that is kept is the one that stage 0's file means.
    assert!(DEFAULT.contains("url = \"sqlite:data/emporium.db\""));
    assert!(file("Dockerfile").contains("WORKDIR /var/lib/emporium\nVOLUME /var/lib/emporium/data"));
    assert!(file("config/emporium.service").contains("WorkingDirectory=/var/lib/emporium\n"));
}

//! Which stage of the ladder a configuration is, told by what it says and not by its file's name.

use super::{Config, DatabaseUrl};

/// A stage, and the file under `config/` that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    pub number: i64,
    pub file: &'static str,
}

impl Config {
    /// The lowest stage that has all of what this configuration uses.
    pub fn stage(&self) -> Stage {
        let is_shared = |url: &DatabaseUrl| matches!(url, DatabaseUrl::Postgres(_));
        let (number, file) = match &self.server {
            server if server.nodes > 1 && !server.trusted_proxies.is_empty() => (3, "3-balanced.toml"),
            server if server.nodes > 1 => (2, "2-cluster.toml"),
            _ if is_shared(&self.inventory.database.url) || is_shared(&self.user.database.url) => {
                (1, "1-separate-db.toml")
            }
            _ => (0, "0-single-box.toml"),
        };
        Stage { number, file }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stages_file_is_known_as_that_stage() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        for number in [0, 1, 2, 3] {
            let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
            let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
            let path = files.into_iter().find(|path| name(path).starts_with(&format!("{number}-"))).unwrap();
            // The secrets that the file names are not on this machine.
            let text = std::fs::read_to_string(&path).unwrap();
            let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("password_file")).collect();
            let text = text.join("\n").replace("tls = \"verify-full\"", "tls = \"require\"");
            let stage = Config::parse(&text, Default::default()).unwrap().stage();
            assert_eq!((stage.number, stage.file), (number, &*name(&path)));
        }
    }
}

//! What people forget: who may name whom, how long things get, and that the README's tree is true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Which room may name which. A line `use crate::X` (or `crate::X::` in the text) in a room that does not list X is a fault.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "src/app.rs",
        &["call", "clock", "config", "db", "error", "http", "inventory", "kept", "telemetry", "user", "web"],
    ),
    ("src/config.rs", &[]),
    ("src/call.rs", &["call", "clock"]),
    ("src/clock.rs", &["db"]),
    ("src/db", &["clock", "config", "error"]),
    ("src/error.rs", &[]),
    ("src/kept.rs", &["clock"]),
    ("src/money.rs", &[]),
    ("src/page.rs", &["error"]),
    ("src/telemetry.rs", &["config"]),
    ("src/texts.rs", &["config", "error"]),
    ("src/http", &["call", "clock", "config", "db", "error", "http", "user"]),
    ("src/sample.rs", &["inventory"]),
    ("src/inventory/routes", &["call", "clock", "config", "error", "http", "inventory", "page"]),
    ("src/inventory/service", &["call", "clock", "config", "db", "error", "inventory", "page"]),
    ("src/inventory/store", &["call", "clock", "db", "inventory", "page"]),
    ("src/inventory/door", &["call", "clock", "error", "inventory", "page"]),
    ("src/inventory", &["call", "clock", "config", "db", "error", "http", "inventory", "money", "page"]),
    (
        "src/web",
        &["call", "clock", "config", "error", "http", "inventory", "kept", "money", "page", "texts", "user", "web"],
    ),
    ("src/user/routes", &["call", "clock", "config", "error", "http", "page", "user"]),
    ("src/user/mail", &["clock", "config", "error", "texts", "user"]),
    ("src/user/service", &["call", "clock", "config", "db", "error", "page", "user"]),
    ("src/user/store", &["call", "clock", "db", "page", "user"]),
    ("src/user/door", &["call", "clock", "config", "page", "user"]),
    ("src/user", &["call", "clock", "config", "db", "error", "http", "page", "user"]),
];

/// Words that a layer may not say at all.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("src/inventory/routes", &["diesel", "inventory::store", "inventory::service", "inventory::schema"]),
    ("src/user/routes", &["diesel", "user::store", "user::service", "user::schema"]),
    ("src/inventory/service", &["actix_web", "utoipa"]),
    ("src/user/service", &["actix_web", "utoipa"]),
    ("src/web", &["diesel", "inventory::store", "inventory::service", "user::store", "user::service"]),
    ("src/inventory/store", &["actix_web", "utoipa", ".transaction("]),
    ("src/user/store", &["actix_web", "utoipa", ".transaction("]),
    ("src", &["todo!(", "unimplemented!(", "allow(dead_code)", "allow(unused"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The most special room that a file is in.
fn room(file: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    let inside = |room: &str| {
        file == room || file == format!("{room}.rs") || file.starts_with(&format!("{}/", room.trim_end_matches(".rs")))
    };
    ARROWS.iter().filter(|(room, _)| inside(room)).max_by_key(|(room, _)| room.len())
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, line)| (n + 1, line.trim_start())).filter(|(_, line)| !line.starts_with("//"))
}

#[test]
fn rooms_name_only_what_they_may() {
    let mut faults = Vec::new();
    for (file, text) in files("src", ".rs") {
        if file == "src/main.rs" || file == "src/lib.rs" || file.starts_with("src/commands") {
            continue;
        }
        let Some((room, allowed)) = room(&file) else {
            faults.push(format!("{file} is in no room of ARROWS"));
            continue;
        };
        for (n, line) in code_lines(&text) {
            for target in line.split("crate::").skip(1) {
                let names = match target.strip_prefix('{') {
                    Some(list) => list.split(['{', '}', ',']).map(|part| part.trim().to_owned()).collect(),
                    None => vec![target.to_owned()],
                };
                for name in names {
                    let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if !name.is_empty() && !allowed.contains(&name.as_str()) {
                        faults.push(format!("{file}:{n}: {room} may not name {name}"));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn layers_do_not_say_what_is_not_theirs() {
    let mut faults = Vec::new();
    for (file, text) in files("src", ".rs") {
        for (_, words) in FORBIDDEN.iter().filter(|(room, _)| file.starts_with(room)) {
            for (n, line) in code_lines(&text) {
                faults.extend(
                    words.iter().filter(|word| line.contains(**word)).map(|word| format!("{file}:{n}: {word}")),
                );
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_query_crosses_the_modules() {
    let tables = |module: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(root().join(format!("src/{module}/schema.rs"))).unwrap();
        let names =
            text.lines().filter_map(|line| line.trim().strip_suffix('{')?.split_once(" (").map(|(name, _)| name));
        names.map(str::to_owned).collect()
    };
    let (inventory, user) = (tables("inventory"), tables("user"));
    assert!(inventory.contains("stock") && user.contains("sessions"), "the tables are not read right");
    assert!(inventory.is_disjoint(&user));
    for (own, others) in [("src/inventory", &user), ("src/user", &inventory)] {
        for (file, text) in files(own, ".rs") {
            for (n, line) in code_lines(&text) {
                for table in others {
                    for word in ["FROM ", "JOIN ", "INTO ", "UPDATE "] {
                        let words = format!("{word}{table}");
                        let hit = line.find(&words).map(|at| &line[at + words.len()..]);
                        let whole =
                            hit.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
                        assert!(!whole, "{file}:{n} queries {table} of the other module");
                    }
                }
            }
        }
    }
}

#[test]
fn files_and_functions_stay_short() {
    let mut faults = Vec::new();
    for (file, text) in files("src", ".rs").into_iter().chain(files("tests", ".rs")) {
        let lines: Vec<&str> = text.lines().collect();
        let length = lines.iter().position(|line| line.starts_with("mod tests {")).unwrap_or(lines.len());
        if length > FILE_LINES_MAX {
            faults.push(format!("{file}: {length} lines, at most {FILE_LINES_MAX}: make it a folder, divided by noun"));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{file}: does not begin by saying its one job (//!)"));
        }
        for (start, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let indent = &line[..line.len() - code.len()];
            let is_function = ["fn ", "async fn ", "const fn "].iter().any(|word| {
                code.strip_prefix("pub ")
                    .or_else(|| {
                        code.split_once(") ").filter(|(head, _)| head.starts_with("pub(")).map(|(_, rest)| rest)
                    })
                    .unwrap_or(code)
                    .starts_with(word)
            });
            if !is_function || code.ends_with(';') {
                continue;
            }
            let end = lines[start..].iter().position(|line| *line == format!("{indent}}}"));
            if let Some(length) = end.filter(|length| *length + 1 > FUNCTION_LINES_MAX) {
                faults.push(format!(
                    "{file}:{}: a function of {} lines, at most {FUNCTION_LINES_MAX}",
                    start + 1,
                    length + 1
                ));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_readmes_tree_is_true() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let tree = readme.split("<!-- tree -->").nth(1).expect("README.md has no tree between <!-- tree --> marks");
    let mut named = BTreeSet::new();
    for line in tree
        .lines()
        .filter(|line| line.starts_with("src/") || line.starts_with("tests/") || line.starts_with("config/"))
    {
        let path = line.split_whitespace().next().unwrap();
        assert!(root().join(path).exists(), "the README names {path}, which is not there");
        named.insert(path.trim_end_matches('/').to_owned());
    }
    for entry in ["src", "src/app", "src/inventory", "src/user", "src/http", "src/web", "config"] {
        for found in std::fs::read_dir(root().join(entry)).unwrap() {
            let path = found.unwrap().path();
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            // A folder is named by its file or by what is named of it.
            let of_file = named.contains(&format!("{name}.rs"));
            let of_parts = named.iter().any(|part| part.starts_with(&format!("{name}/")));
            assert!(named.contains(&name) || of_file || of_parts, "the README's tree does not name {name}");
        }
    }
}

/// Fields of these names have several labels: a code is a SKU's or a location's; and nothing is told of what is looked for.
const CALLED_OTHERWISE: [&str; 2] = ["code", "q"];

#[test]
fn fields_are_called_the_same_above_a_form_and_in_it() {
    let files_of_texts = files("src/texts/en", ".ftl");
    let lines = files_of_texts.iter().flat_map(|(_, text)| text.lines());
    let texts: BTreeMap<&str, &str> = lines.filter_map(|line| line.split_once(" = ")).collect();
    let (mut faults, mut seen) = (Vec::new(), 0);
    for (file, text) in files("src/web/templates", ".html") {
        for part in text.split("input(\"").skip(1) {
            let Some((name, rest)) = part.split_once("\", shell.t(\"") else { continue };
            let name = name.rsplit('.').next().unwrap_or_default();
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || CALLED_OTHERWISE.contains(&name) {
                continue;
            }
            let key = rest.split('"').next().unwrap_or_default();
            let above = texts.get(&*format!("label-{}", name.replace('_', "-")));
            let Some((at, above)) = texts.get(key).zip(above) else { continue };
            seen += 1;
            let [low, short] = [at.to_lowercase(), above.to_lowercase()];
            if !low.contains(&short) && !short.contains(&low) {
                faults.push(format!("{file}: {name} is {at:?} on its page and {above:?} above it"));
            }
        }
    }
    assert!(seen > 30, "only {seen} fields are read");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn nothing_is_ignored_and_no_test_is_empty() {
    for (file, text) in files("tests", ".rs") {
        let word = format!("#[{}", "ignore");
        assert!(!text.contains(&word), "{file} ignores a test");
    }
    assert!(Path::new(&root().join(".ci/run")).exists());
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.contains("exec scripts/test.sh"), "CI runs something else than scripts/test.sh");
}

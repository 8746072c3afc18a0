//! What a device is called, by what its browser says of itself. Browsers pose as one another, so the order of the lists counts; what
//! is in none of them is shown as it is.

use crate::web::Shell;

/// What a browser's text holds, and whose text that is.
const BROWSERS: [(&str, &str); 11] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// As `Firefox on Windows`.
pub(in crate::web) fn device(shell: &Shell, user_agent: &str) -> String {
    match read(user_agent) {
        Some((browser, system)) => shell.t2("device-on", "browser", browser, "system", system),
        None if user_agent.trim().is_empty() => shell.t("device-unknown"),
        None => user_agent.to_owned(),
    }
}

fn read(user_agent: &str) -> Option<(&'static str, &'static str)> {
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(part, _)| user_agent.contains(part)).map(|(_, name)| *name)
    };
    find(&BROWSERS).zip(find(&SYSTEMS))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn browsers_are_told_from_those_they_pose_as() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let texts = [
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox", "Windows"),
            (&format!("Mozilla/5.0 (X11; Linux x86_64) {webkit} Chrome/131.0.0.0 Safari/537.36"), "Chrome", "Linux"),
            (
                &format!(
                    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0"
                ),
                "Edge",
                "Windows",
            ),
            (
                &format!(
                    "Mozilla/5.0 (Linux; Android 10; K) {webkit} SamsungBrowser/27.0 Chrome/125.0 Mobile Safari/537.36"
                ),
                "Samsung Internet",
                "Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.1 Mobile/15E148 Safari/604.1",
                "Safari",
                "iPhone",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.1 Safari/605.1.15",
                "Safari",
                "macOS",
            ),
        ];
        for (text, browser, system) in texts {
            assert_eq!(read(text), Some((browser, system)), "{text}");
        }
        for other in ["", "curl/8.5.0", "Googlebot/2.1", "Firefox/133.0"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}

//! A real browser: Debian's Chromium, driven over WebDriver. One `chromedriver` serves the whole run and ends with it.

#![expect(clippy::disallowed_methods, reason = "tests read their switches from the environment")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;
use tempfile::TempDir;

use crate::testapp::TestApp;

/// The port of the run's `chromedriver`, started at its first use.
fn driver() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        // A shell between us and the driver: it stops the driver when our end of its input closes, however we end.
        let mut guard = Command::new("sh")
            .args(["-c", "chromedriver --port=0 & read -r _; kill $!; wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(guard.stdout.take().unwrap()).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("started successfully on port"));
        let line = line.expect("chromedriver is not installed; scripts/test.sh installs it");
        // Somebody must read what else it says.
        std::thread::spawn(move || lines.for_each(drop));
        std::mem::forget(guard);
        line.trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap()
    })
}

/// What an audit asks the page: the rules of axe-core; its width; and what moved by itself (the Layout Instability API;
/// a list whose rows come in two pieces may move by a few pixels, a wide
/// table of the admin pages by what Core Web Vitals call good).
const AUDIT: &str = "
    const moved = [];
    const parts = entry => entry.sources.map(source => source.node?.outerHTML ?? '').join();
    const watch = entry => entry.hadRecentInput || entry.value < (location.pathname.startsWith('/admin') ? 0.1 : 0.005) || moved.push(entry.value + ': ' + parts(entry));
    new PerformanceObserver(list => list.getEntries().forEach(watch)).observe({ type: 'layout-shift', buffered: true });
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    axe.run({ runOnly: tags }).then(found => setTimeout(() => done({
        faults: found.violations.map(fault => fault.id + ': ' + fault.nodes.map(node => node.html).join(' | ')),
        width: innerWidth, dark: matchMedia('(prefers-color-scheme: dark)').matches,
        wide: document.documentElement.scrollWidth - document.body.offsetWidth,
        moved,
    }), 50));
";

/// How a browser is set up.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) scripts: bool,
    pub(crate) width: u32,
    pub(crate) dark: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Setup { scripts: true, width: 1_280, dark: false }
    }
}

pub(crate) struct Browser {
    pub(crate) client: Client,
    base: String,
    setup: Setup,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn open(app: &TestApp) -> Browser {
        Browser::open_with(app, Setup::default()).await
    }

    pub(crate) async fn open_with(app: &TestApp, setup: Setup) -> Browser {
        let profile = TempDir::new().unwrap();
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--force-prefers-reduced-motion",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.push(format!("--window-size={},900", setup.width));
        if setup.dark {
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let javascript = if setup.scripts { 1 } else { 2 };
        let mut options = json!({ "args": arguments, "prefs": { "profile.managed_default_content_settings.javascript": javascript } });
        // A window has at least 500 px; a phone has fewer.
        if setup.width < 500 {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": setup.width, "height": 740, "pixelRatio": 1.0 } });
        }
        let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": options });
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities.as_object().unwrap().clone());
        let client = builder.connect(&format!("http://127.0.0.1:{}", driver())).await.unwrap();
        Browser { client, base: format!("http://{}", app.address), setup, _profile: profile }
    }

    pub(crate) async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    /// The path that is shown, with its query.
    pub(crate) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.as_str().strip_prefix(&self.base).unwrap_or(url.as_str()).to_owned()
    }

    pub(crate) async fn find(&self, css: &str) -> Element {
        let found = self.client.wait().at_most(Duration::from_secs(10)).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("{css}: {error}\n{}", self.text().await),
        }
    }

    pub(crate) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Clicks the link or the button that says this.
    pub(crate) async fn press(&self, text: &str) {
        let path = format!(
            "//main//a[contains(., '{text}')] | //main//button[contains(., '{text}')] | //main//summary[contains(., '{text}')]"
        );
        let found = self.client.wait().at_most(Duration::from_secs(10)).for_element(Locator::XPath(&path)).await;
        match found {
            Ok(element) => element.click().await.unwrap(),
            Err(error) => panic!("{text}: {error}\n{}", self.text().await),
        }
    }

    /// Types into the field of this name, in the place of what is there.
    pub(crate) async fn fill(&self, name: &str, value: &str) {
        let field = self.find(&format!("main [name=\"{name}\"]")).await;
        field.clear().await.unwrap();
        field.send_keys(value).await.unwrap();
    }

    pub(crate) async fn choose(&self, name: &str, value: &str) {
        self.find(&format!("main select[name=\"{name}\"]")).await.select_by_value(value).await.unwrap();
    }

    /// Presses a key where the focus is.
    pub(crate) async fn key(&self, key: Key) {
        self.client.active_element().await.unwrap().send_keys(&char::from(key).to_string()).await.unwrap();
    }

    /// Goes on by the tabulator key until the focus is on what says this, as somebody without a mouse does.
    pub(crate) async fn tab_to(&self, wanted: &str) -> Element {
        for _ in 0..80 {
            self.key(Key::Tab).await;
            let element = self.client.active_element().await.unwrap();
            let mut says = vec![element.text().await.unwrap()];
            for attribute in ["name", "value", "aria-label", "href"] {
                says.extend(element.attr(attribute).await.unwrap());
            }
            if says.iter().any(|text| text.contains(wanted)) {
                return element;
            }
        }
        panic!("the tabulator key does not lead to {wanted:?}:\n{}", self.text().await);
    }

    /// All that is to be read on the page.
    pub(crate) async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    pub(crate) async fn shows(&self, text: &str) {
        self.shows_one(&[text]).await;
    }

    /// Waits until one of these is to be read; gives which.
    pub(crate) async fn shows_one(&self, texts: &[&str]) -> usize {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let shown = self.text().await;
            if let Some(found) = texts.iter().position(|text| shown.contains(text)) {
                return found;
            }
            assert!(Instant::now() < end, "{texts:?} is not on {}:\n{shown}", self.path().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Fills in the page for logging in; returns when its answer is shown.
    pub(crate) async fn login(&self, email: &str, password: &str) {
        if !self.path().await.starts_with("/login") {
            self.go("/login").await;
        }
        self.fill("email", email).await;
        self.fill("password", password).await;
        let button = self.find("main form button").await;
        button.click().await.unwrap();
        // The answer takes as long as a password's check; until it is there, it would take the place of where one goes next.
        let end = Instant::now() + Duration::from_secs(30);
        while button.is_displayed().await.is_ok() {
            assert!(Instant::now() < end, "nothing came of the login:\n{}", self.text().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Holds the page against WCAG 2.2 AA and good practice (axe-core); nothing may be found, nothing may stand out at the side,
    /// and nothing may have moved while it was loaded.
    pub(crate) async fn audit(&self) {
        if !self.setup.scripts {
            return;
        }
        static AXE: OnceLock<String> = OnceLock::new();
        let axe = AXE.get_or_init(|| {
            let path = std::env::var("AXE").expect("AXE must name axe-core's axe.min.js; scripts/test.sh installs it");
            std::fs::read_to_string(path).unwrap()
        });
        let script = format!("{axe}; const done = arguments[arguments.length - 1]; {AUDIT}");
        let found = self.client.execute_async(&script, vec![]).await.unwrap();
        let faults: Vec<&str> = found["faults"].as_array().unwrap().iter().filter_map(|fault| fault.as_str()).collect();
        let page = self.path().await;
        assert_eq!((&found["width"], &found["dark"]), (&json!(self.setup.width), &json!(self.setup.dark)));
        assert!(faults.is_empty(), "{page}:\n{}", faults.join("\n"));
        assert_eq!(found["wide"], 0, "{page} is wider than a screen of {} px", self.setup.width);
        assert_eq!(found["moved"], json!([]), "{page}: its parts move while it is loaded");
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }
}

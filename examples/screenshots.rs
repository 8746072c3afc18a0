//! Takes pictures of the main pages of a running demo: `scripts/screenshots.sh` starts what this needs.
//!
//! Arguments: the shop's address, chromedriver's address, the demo's folder, the folder for the pictures.

use std::path::Path;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

/// Each picture: its name, the page, the width, dark or not.
const GUEST: [(&str, &str, u32, bool); 5] = [
    ("home", "/", 1280, false),
    ("category", "/categories/kitchen", 1280, false),
    ("product", "/products/everyday-stoneware-mug?option1=12+oz&option2=Celadon", 1280, false),
    ("product-dark", "/products/everyday-stoneware-mug?option1=12+oz&option2=Celadon", 1280, true),
    ("product-phone", "/products/everyday-stoneware-mug?option1=12+oz&option2=Celadon", 360, false),
];
const ADMIN: [(&str, &str, u32, bool); 6] = [
    ("admin", "/admin", 1280, false),
    ("admin-dark", "/admin", 1280, true),
    ("admin-products", "/admin/products", 1280, false),
    ("admin-product", "/admin/products/everyday-stoneware-mug", 1280, false),
    ("admin-stock", "/admin/stock", 1280, false),
    ("admin-system", "/admin/system", 1280, false),
];

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shop, driver, demo, out] = &arguments[..] else {
        return Err("give the shop's address, chromedriver's, the demo's folder and the folder for the pictures".into());
    };
    let accounts = std::fs::read_to_string(Path::new(demo).join("accounts.txt"))?;
    let line = accounts.lines().find(|line| line.contains("admin@")).ok_or("the demo has no admin")?;
    let password = line.split_whitespace().last().ok_or("the admin has no password")?;
    for (name, path, width, dark) in GUEST {
        let client = open(driver, width, dark).await?;
        picture(&client, &format!("{shop}{path}"), &Path::new(out).join(format!("{name}.png"))).await?;
        client.close().await?;
    }
    for (name, path, width, dark) in ADMIN {
        let client = open(driver, width, dark).await?;
        client.goto(&format!("{shop}/login")).await?;
        client.find(Locator::Css("[name=email]")).await?.send_keys("admin@demo.example").await?;
        client.find(Locator::Css("[name=password]")).await?.send_keys(password).await?;
        client.find(Locator::Css("main form button")).await?.click().await?;
        client.wait().at_most(Duration::from_secs(10)).for_element(Locator::Css("a[href='/account']")).await?;
        picture(&client, &format!("{shop}{path}"), &Path::new(out).join(format!("{name}.png"))).await?;
        client.close().await?;
    }
    Ok(())
}

async fn open(driver: &str, width: u32, dark: bool) -> Result<Client, Failure> {
    let mut arguments = vec![
        "--headless".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--hide-scrollbars".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        format!("--window-size={width},900"),
    ];
    if dark {
        arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
    }
    let mut options = json!({ "args": arguments });
    // A window has at least 500 px; a phone has fewer.
    if width < 500 {
        options["mobileEmulation"] = json!({ "deviceMetrics": { "width": width, "height": 800, "pixelRatio": 1.0 } });
    }
    let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": options });
    let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
    builder.capabilities(capabilities.as_object().cloned().unwrap_or_default());
    Ok(builder.connect(driver).await?)
}

async fn picture(client: &Client, url: &str, file: &Path) -> Result<(), Failure> {
    client.goto(url).await?;
    // Pictures further down are fetched when they come near.
    let loaded =
        "return [...document.images].filter(i => i.getBoundingClientRect().top < innerHeight).every(i => i.complete)";
    for _ in 0..100 {
        if client.execute(loaded, vec![]).await? == json!(true) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(file, client.screenshot().await?)?;
    println!("{}", file.display());
    Ok(())
}

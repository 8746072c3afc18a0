//! What the mails say: in the shop's language, with links to its pages.

use crate::config::WebConfig;
use crate::texts::Texts;

/// A mail's text.
pub(in crate::user) struct Letter {
    pub subject: String,
    pub body: String,
}

/// Writes letters. In ASCII they arrive as they are.
pub(in crate::user) struct Letters {
    texts: Texts,
    /// Links begin with it.
    public_url: String,
    shop_name: String,
}

impl Letters {
    pub(in crate::user) fn new(web: &WebConfig, public_url: &str) -> Letters {
        Letters { texts: Texts::load(web.locale), public_url: public_url.to_owned(), shop_name: web.shop_name.clone() }
    }

    /// To somebody who has just registered. All links with a token hold for so many seconds.
    pub(in crate::user) fn verify(&self, token: &str, seconds: u32) -> Letter {
        self.with_link("mail-verify", "verify", token, seconds)
    }

    /// To somebody who registers again with an address that is not confirmed yet.
    pub(in crate::user) fn verify_again(&self, token: &str, seconds: u32) -> Letter {
        self.with_link("mail-verify-again", "verify", token, seconds)
    }

    /// To somebody who has an account already.
    pub(in crate::user) fn already_registered(&self) -> Letter {
        self.write("mail-already-registered", vec![])
    }

    /// To somebody who forgot the password.
    pub(in crate::user) fn reset(&self, token: &str, seconds: u32) -> Letter {
        self.with_link("mail-reset", "reset", token, seconds)
    }

    /// After the password was changed or reset.
    pub(in crate::user) fn password_changed(&self) -> Letter {
        self.write("mail-password-changed", vec![])
    }

    /// To the new address of somebody who changes it.
    pub(in crate::user) fn change_email(&self, token: &str, seconds: u32) -> Letter {
        self.with_link("mail-change-email", "verify", token, seconds)
    }

    /// To an address that somebody else wanted for an account.
    pub(in crate::user) fn address_taken(&self) -> Letter {
        self.write("mail-address-taken", vec![])
    }

    /// To the old address of somebody who changes it.
    pub(in crate::user) fn email_change_asked(&self) -> Letter {
        self.write("mail-email-change-asked", vec![])
    }

    fn with_link(&self, key: &str, page: &str, token: &str, seconds: u32) -> Letter {
        let span = match seconds {
            7_200.. => self.texts.say("mail-hours", &[("n", (seconds / 3_600).into())]),
            _ => self.texts.say("mail-minutes", &[("n", (seconds / 60).into())]),
        };
        self.write(key, vec![("link", format!("{}/{page}?token={token}", self.public_url)), ("span", span)])
    }

    fn write(&self, key: &str, fill: Vec<(&str, String)>) -> Letter {
        let pages = ["login", "forgot"].map(|page| (page, format!("{}/{page}", self.public_url)));
        let fill: Vec<_> = fill.into_iter().chain(pages).map(|(name, value)| (name, value.into())).collect();
        let (hello, text) = (self.texts.say("mail-hello", &[]), self.texts.say(key, &fill));
        let body = format!("{hello}\n\n{text}\n\n{}\n", self.shop_name);
        Letter { subject: self.texts.say(&format!("{key}-subject"), &[]), body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, DEFAULT, Locale};

    #[test]
    fn letters_are_filled_in_and_have_no_long_lines_but_links() {
        for locale in [Locale::EnUs, Locale::EnGb] {
            let web = WebConfig { locale, ..Config::parse(DEFAULT, Default::default()).unwrap().web };
            let letters = Letters::new(&web, "https://shop.example");
            for (letter, link) in [
                (letters.verify("TOKEN", 86_400), "https://shop.example/verify?token=TOKEN"),
                (letters.verify_again("TOKEN", 86_400), "https://shop.example/verify?token=TOKEN"),
                (letters.already_registered(), "https://shop.example/login"),
                (letters.reset("TOKEN", 3_600), "https://shop.example/reset?token=TOKEN"),
                (letters.password_changed(), "https://shop.example/forgot"),
                (letters.change_email("TOKEN", 86_400), "https://shop.example/verify?token=TOKEN"),
                (letters.address_taken(), "https://shop.example/login"),
                (letters.email_change_asked(), "https://shop.example/forgot"),
            ] {
                assert!(!letter.subject.starts_with("mail-"), "{}", letter.subject);
                let is_whole = letter.body.starts_with("Hello,\n\n") && letter.body.ends_with("\n\nemporium\n");
                assert!(is_whole, "{}", letter.body);
                assert!(letter.body.lines().any(|line| line == link), "{link} is not in\n{}", letter.body);
                assert!(
                    letter.body.lines().all(|line| line.len() < 80 && !line.contains(['{', '$'])),
                    "{}",
                    letter.body
                );
            }
            assert!(letters.verify("TOKEN", 86_400).body.contains("The link works once, within 24 hours."));
            assert!(letters.reset("TOKEN", 3_600).body.contains("The link works once, within 60 minutes."));
        }
    }
}

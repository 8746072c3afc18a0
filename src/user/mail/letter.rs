//! What the mails say: all texts in one place. Lines stay below 80 characters and in ASCII, so that they arrive as they are.

/// A mail's text.
pub(in crate::user) struct Letter {
    pub subject: &'static str,
    pub body: String,
}

impl Letter {
    fn new(subject: &'static str, lines: &[&str]) -> Letter {
        Letter { subject, body: format!("Hello,\n\n{}\n", lines.join("\n")) }
    }

    /// To somebody who has just registered.
    pub(in crate::user) fn verify(public_url: &str, token: &str, seconds: u32) -> Letter {
        Letter::new(
            "Please confirm your address",
            &[
                "welcome to our shop! Please confirm that this address is yours:",
                "",
                &link(public_url, "verify", token),
                "",
                &format!("The link works once, within {}.", span(seconds)),
                "If you did not register with us, please ignore this mail.",
            ],
        )
    }

    /// To somebody who registers again with an address that is not confirmed yet.
    pub(in crate::user) fn verify_again(public_url: &str, token: &str, seconds: u32) -> Letter {
        Letter::new(
            "Please confirm your address",
            &[
                "somebody, probably you, registered once more with this address, which is",
                "not confirmed yet. Please confirm that it is yours:",
                "",
                &link(public_url, "verify", token),
                "",
                &format!("The link works once, within {}; older links do not.", span(seconds)),
                "The password is still the one of the first registration. If you do not",
                "know it, or somebody else chose it, please set a new one at",
                "",
                &forgot(public_url),
                "",
                "If you did not register with us, please ignore this mail.",
            ],
        )
    }

    /// To somebody who has an account already.
    pub(in crate::user) fn already_registered(public_url: &str) -> Letter {
        Letter::new(
            "You have an account already",
            &[
                "somebody, probably you, tried to register with this address.",
                "You have an account with us already. Please log in at",
                "",
                &login(public_url),
                "",
                "or, if you do not know the password, set a new one at",
                "",
                &forgot(public_url),
                "",
                "If it was not you, there is nothing to do: your account is unchanged.",
            ],
        )
    }

    /// To somebody who forgot the password.
    pub(in crate::user) fn reset(public_url: &str, token: &str, seconds: u32) -> Letter {
        Letter::new(
            "Set a new password",
            &[
                "you asked to set a new password. Here you can:",
                "",
                &link(public_url, "reset", token),
                "",
                &format!("The link works once, within {}.", span(seconds)),
                "If you did not ask for it, please ignore this mail: your password stays.",
            ],
        )
    }

    /// After the password was changed or reset.
    pub(in crate::user) fn password_changed(public_url: &str) -> Letter {
        Letter::new(
            "Your password was changed",
            &[
                "the password of your account was changed, and your other devices were",
                "logged out. If it was not you, please set a new one at once at",
                "",
                &forgot(public_url),
            ],
        )
    }

    /// To the new address of somebody who changes it.
    pub(in crate::user) fn change_email(public_url: &str, token: &str, seconds: u32) -> Letter {
        Letter::new(
            "Please confirm your new address",
            &[
                "you asked to use this address for your account. Please confirm it:",
                "",
                &link(public_url, "verify", token),
                "",
                &format!("The link works once, within {}.", span(seconds)),
                "If you did not ask for it, please ignore this mail.",
            ],
        )
    }

    /// To an address that somebody else wanted for an account.
    pub(in crate::user) fn address_taken(public_url: &str) -> Letter {
        Letter::new(
            "You have an account already",
            &[
                "somebody, probably you, tried to use this address for another account.",
                "It belongs to the account that you have already. Please log in at",
                "",
                &login(public_url),
                "",
                "If it was not you, there is nothing to do: your account is unchanged.",
            ],
        )
    }

    /// To the old address of somebody who changes it.
    pub(in crate::user) fn email_change_asked(public_url: &str) -> Letter {
        Letter::new(
            "Your address is about to change",
            &[
                "somebody, probably you, asked to use another address for your account.",
                "It counts once it is confirmed from there.",
                "If it was not you, please set a new password at once at",
                "",
                &forgot(public_url),
            ],
        )
    }
}

fn login(public_url: &str) -> String {
    format!("{public_url}/login")
}

/// Where a new password is asked for.
fn forgot(public_url: &str) -> String {
    format!("{public_url}/forgot")
}

fn link(public_url: &str, page: &str, token: &str) -> String {
    format!("{public_url}/{page}?token={token}")
}

fn span(seconds: u32) -> String {
    match seconds {
        7_200.. => format!("{} hours", seconds / 3_600),
        _ => format!("{} minutes", seconds / 60),
    }
}

//! Passwords: which are taken, and their hashes, on a bounded number of threads.

use std::sync::Arc;

use argon2::password_hash::SaltString;
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{UserError, token};
use crate::config::{Secret, UserConfig};
use crate::error::Fault;

/// Longer ones are refused before anything is done with them.
pub(super) const LENGTH_MAX: usize = 128;

/// Fewer guesses than this, by zxcvbn's count, and a password is refused; its authors call less than 10^8 too weak. Its lists hold
/// tens of thousands of common passwords, names and words: what stands there, also repeated, reversed, spelt l33t or lengthened by
/// a year or some digits, needs 10^2 to 10^7 guesses; three common words need 10^11 or more, eight random characters just above 10^8.
const GUESSES_MIN: u64 = 100_000_000;

/// zxcvbn's work grows with the square of the length, and much faster where characters can be read as l33t: a second for a hundred
/// of those. What is weak shows in the beginning.
const ESTIMATED_LENGTH_MAX: usize = 32;

/// Makes and checks hashes. Only so many at a time, as each takes a core and its memory, and only so many may wait.
pub(super) struct Passwords {
    argon2: Argon2<'static>,
    length_min: usize,
    threads: Arc<Semaphore>,
    queue: Semaphore,
    /// Checked where there is no account, so that this takes as long as where there is one.
    dummy: Arc<str>,
}

/// What checking a password gave.
pub(super) struct Checked {
    pub matches: bool,
    /// A stronger hash of the same password, where it matches and the settings have risen since it was made.
    pub stronger: Option<String>,
}

impl Passwords {
    pub(super) fn new(config: &UserConfig) -> Self {
        let params = Params::new(config.argon2_memory_kib, config.argon2_iterations, config.argon2_lanes, None)
            .expect("the configuration's limits are narrower than Argon2's");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if config.hash_threads == 0 { cores } else { config.hash_threads as usize };
        let dummy = hash(&argon2, &token::token(""));
        Passwords {
            argon2,
            length_min: config.password_length_min as usize,
            threads: Arc::new(Semaphore::new(threads)),
            queue: Semaphore::new(config.hash_queue_max as usize),
            dummy: dummy.into(),
        }
    }

    /// Looks whether a new password is taken; `Err` of the text says why not. Hashes nothing. `own` is what an attacker would try
    /// first: the person's address and name.
    pub(super) async fn check_new(&self, password: &Secret, own: Vec<String>) -> Result<Result<(), Fault>, UserError> {
        if let Err(fault) = self.check_length(password.expose()) {
            return Ok(Err(fault));
        }
        let password = password.clone();
        self.run(move || {
            let own: Vec<&str> = own.iter().map(String::as_str).collect();
            match is_weak(password.expose(), &own) {
                true => Err(Fault::PasswordTooWeak),
                false => Ok(()),
            }
        })
        .await
    }

    /// Hashes a password that [`Passwords::check_new`] takes.
    pub(super) async fn hash(&self, password: &Secret) -> Result<String, UserError> {
        let (argon2, password) = (self.argon2.clone(), password.clone());
        self.run(move || hash(&argon2, password.expose())).await
    }

    /// Checks a password against a hash; without one it takes as long and matches nothing. A wrong password takes as long whatever
    /// lower parameters the hash was made with.
    pub(super) async fn check(&self, password: &Secret, stored: Option<&str>) -> Result<Checked, UserError> {
        let known = stored.is_some();
        let stored: Arc<str> = stored.map_or_else(|| self.dummy.clone(), Arc::from);
        let (argon2, password) = (self.argon2.clone(), password.clone());
        self.run(move || {
            let parsed = PasswordHash::new(&stored).map_err(|error| broken(&error.to_string()))?;
            let matches = argon2.verify_password(password.expose().as_bytes(), &parsed).is_ok() && known;
            let params = Params::try_from(&parsed).map_err(|error| broken(&error.to_string()))?;
            let stronger = (matches && is_weaker(&params, argon2.params())).then(|| hash(&argon2, password.expose()));
            if let Some(missing) = missing_work(&params, argon2.params()).filter(|_| !matches) {
                hash(&Argon2::new(Algorithm::Argon2id, Version::V0x13, missing), password.expose());
            }
            Ok(Checked { matches, stronger })
        })
        .await?
    }

    fn check_length(&self, password: &str) -> Result<(), Fault> {
        // A character has at least one byte and at most four, so a huge text is not counted to its end.
        if password.len() > LENGTH_MAX * 4 || password.chars().count() > LENGTH_MAX {
            return Err(Fault::PasswordTooLong { max: LENGTH_MAX });
        }
        match password.chars().count() < self.length_min {
            true => Err(Fault::PasswordTooShort { min: self.length_min as u32 }),
            false => Ok(()),
        }
    }

    /// Runs `work` on a thread for hashes. `Busy` at once when too many wait already.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, UserError> {
        let permit = self.admit().await?;
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        match task.await {
            Ok(value) => Ok(value),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(UserError::Busy),
            },
        }
    }

    async fn admit(&self) -> Result<OwnedSemaphorePermit, UserError> {
        if let Ok(permit) = self.threads.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.queue.try_acquire().map_err(|_| UserError::Busy)?;
        self.threads.clone().acquire_owned().await.map_err(|_| UserError::Busy)
    }
}

/// Is this text too long to be anybody's password? Then it is not looked at further.
pub(super) fn is_too_long(password: &Secret) -> bool {
    password.expose().chars().nth(LENGTH_MAX).is_some()
}

fn hash(argon2: &Argon2, password: &str) -> String {
    let salt = SaltString::encode_b64(&token::random()[..16]).expect("16 bytes make a salt");
    argon2
        .hash_password(password.as_bytes(), &salt)
        .expect("the parameters were checked when they were made")
        .to_string()
}

fn is_weaker(stored: &Params, wanted: &Params) -> bool {
    stored.m_cost() < wanted.m_cost() || stored.t_cost() < wanted.t_cost() || stored.p_cost() < wanted.p_cost()
}

/// What a check against a hash of the parameters `stored` lacks in work to one of `wanted`: a hash of these parameters takes as long
/// as it lacks. `None` where that is next to nothing.
fn missing_work(stored: &Params, wanted: &Params) -> Option<Params> {
    // Argon2 writes all of its memory so many times.
    let work = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
    let memory = work(wanted).saturating_sub(work(stored)) / u64::from(wanted.t_cost());
    Params::new(u32::try_from(memory).ok()?, wanted.t_cost(), 1, None).ok()
}

/// Is this password among the first that somebody would try?
fn is_weak(password: &str, own: &[&str]) -> bool {
    let beginning: String = password.chars().take(ESTIMATED_LENGTH_MAX).collect();
    zxcvbn::zxcvbn(&beginning, own).guesses() < GUESSES_MIN
}

/// Somebody else has written to the table.
fn broken(cause: &str) -> UserError {
    diesel::result::Error::DeserializationError(format!("credentials.password_hash: {cause}").into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, DEFAULT};

    fn passwords(change: impl FnOnce(&mut UserConfig)) -> Passwords {
        let mut config = Config::parse(DEFAULT, Default::default()).unwrap().user;
        change(&mut config);
        Passwords::new(&config)
    }

    #[tokio::test]
    async fn common_passwords_are_refused_and_no_rules_of_composition_are_made() {
        let passwords = passwords(|config| config.hash_threads = 1);
        let own = || ["alice.smith@example.com", "alice.smith", "alicesmith"].map(str::to_owned).to_vec();
        let check = async |text: &str| passwords.check_new(&Secret::new(text), own()).await.unwrap();
        for text in [
            "password1234",
            "P@ssw0rd2024",
            "qwertyuiop12",
            "aaaaaaaaaaaa",
            "123456789012",
            "iloveyou1234",
            "alice.smith@example.com",
            "Alice.Smith2026",
            "alicesmith12",
            "elevenchars",
            &"\u{1F600}".repeat(129),
            &"x".repeat(1_000_000),
        ] {
            assert!(check(text).await.is_err(), "{text:.40}");
        }
        for text in [
            "correct horse battery staple",
            "kfqzrmwptdhv",
            "\u{6a5f}\u{68b0}\u{3068}\u{9d28}\u{306f}\u{6c60}\u{306e}\u{4e2d}\u{306b}\u{3044}\u{308b}\0",
        ] {
            check(text).await.unwrap();
            let hash = passwords.hash(&Secret::new(text)).await.unwrap();
            assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
            assert!(passwords.check(&Secret::new(text), Some(&hash)).await.unwrap().matches);
            assert!(!passwords.check(&Secret::new(format!("{text} ")), Some(&hash)).await.unwrap().matches);
        }
    }

    #[tokio::test]
    async fn a_hash_of_lower_parameters_is_made_anew() {
        let text = Secret::new("correct horse battery staple");
        let old = passwords(|_| ()).hash(&text).await.unwrap();
        let raised = passwords(|config| config.argon2_iterations = 3);
        let new = raised.check(&text, Some(&old)).await.unwrap().stronger.unwrap();
        assert!(new.contains("t=3"), "{new}");
        assert!(raised.check(&text, Some(&new)).await.unwrap().stronger.is_none());
        assert!(raised.check(&Secret::new("something else"), Some(&old)).await.unwrap().stronger.is_none());
    }

    #[test]
    fn what_an_older_hash_lacks_in_work_is_known() {
        let params = |memory, iterations| Params::new(memory, iterations, 1, None).unwrap();
        let work = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
        let old = params(19_456, 2);
        for wanted in [params(19_456, 3), params(19_456, 40), params(65_536, 2), params(46_080, 1), params(47_104, 7)] {
            let missing = missing_work(&old, &wanted).unwrap();
            let short = work(&wanted) - work(&old) - work(&missing);
            assert!(short < u64::from(wanted.t_cost()), "{wanted:?}: {missing:?} is short of {short}");
        }
        assert!(missing_work(&old, &old).is_none());
        assert!(missing_work(&old, &params(19_456, 1)).is_none());
    }

    /// Twenty times the work, so that a machine that is busy with something else does not matter.
    #[tokio::test]
    async fn a_wrong_password_takes_as_long_for_an_old_hash_as_for_none() {
        let old = passwords(|_| ()).hash(&Secret::new("correct horse battery staple")).await.unwrap();
        let raised = passwords(|config| config.argon2_iterations = 40);
        let took = async |stored: Option<&str>| {
            let start = std::time::Instant::now();
            assert!(!raised.check(&Secret::new("something else"), stored).await.unwrap().matches);
            start.elapsed()
        };
        let (mut known, mut unknown) = (std::time::Duration::MAX, std::time::Duration::MAX);
        for _ in 0..5 {
            known = known.min(took(Some(&old)).await);
            unknown = unknown.min(took(None).await);
        }
        assert!(known < unknown * 2 && unknown < known * 2, "{known:?} {unknown:?}");
    }

    #[tokio::test]
    async fn more_than_can_wait_are_refused_at_once() {
        let passwords = passwords(|config| (config.hash_threads, config.hash_queue_max) = (1, 2));
        let text = Secret::new("correct horse battery staple");
        let results = futures_util::future::join_all((0..10).map(|_| passwords.check(&text, None))).await;
        let done = results.iter().filter(|result| matches!(result, Ok(checked) if !checked.matches)).count();
        let busy = results.iter().filter(|result| matches!(result, Err(UserError::Busy))).count();
        assert_eq!((done, busy), (3, 7));
    }
}

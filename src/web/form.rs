//! Forms: what was sent, what of it is not allowed, and the fields as they are shown, as GOV.UK's design system has them.

use std::collections::HashMap;
use std::fmt::Display;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use askama::Template;
use futures_util::future::LocalBoxFuture;
use sha2::{Digest, Sha256};

use super::{Shell, Site, again};
use crate::call::{Call, Caller, IdempotencyKey, Version};
use crate::clock::Id;
use crate::error::{ErrorCode, Fault, FieldError, Problem};
use crate::http::{ApiError, ApiResult, body_bytes};
use crate::money;

/// The name of the hidden field with a session's token.
pub(in crate::web) const TOKEN: &str = "form_token";
/// What a program is told whose form lacks the session's token.
pub(in crate::web) const OUTDATED: &str =
    "The page of this form was opened before you logged in, or with another session: nothing was done.";
/// A form has no more fields: the largest, a product with all its pictures, has fewer.
const FIELDS_MAX: usize = 5_000;
/// So many faults are told above a form; each stands at its field too.
const FAULTS_TOLD: usize = 20;

/// The values of a form by their names, and what is wrong with them.
#[derive(Clone, Default)]
pub(in crate::web) struct Form {
    values: Vec<(String, String)>,
    /// Where the first value of each name is.
    first: HashMap<String, usize>,
    faults: Vec<Told>,
    /// In whose words faults are told; a form that nobody sent has none.
    site: Option<web::Data<Site>>,
    /// Why it was refused, where it was.
    problem: Option<Problem>,
}

/// A value that is not allowed, in words for the person.
#[derive(Clone)]
struct Told {
    field: String,
    text: String,
    /// It reads well away from its field.
    is_whole: bool,
}

/// A form that was sent. Where somebody is logged in, it must carry the session's token: without it nothing is done, and the person
/// is asked whether to send it again.
impl FromRequest for Form {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let bytes = body_bytes(&request, payload);
        Box::pin(async move {
            let bytes = bytes.await?;
            if !request.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                let problem = Problem::new(ErrorCode::UnsupportedMediaType, "This address takes forms.");
                return Err(ApiError(problem).into());
            }
            if url::form_urlencoded::parse(&bytes).nth(FIELDS_MAX).is_some() {
                let detail = format!("A form has at most {FIELDS_MAX} fields: send less at a time.");
                return Err(ApiError(Problem::new(ErrorCode::PayloadTooLarge, detail)).into());
            }
            let mut form = Form::of(url::form_urlencoded::parse(&bytes).into_owned());
            form.site = request.app_data::<web::Data<Site>>().cloned();
            match form.has_token(&request).await? {
                true => Ok(form),
                false => Err(again::ask(&request, form).await),
            }
        })
    }
}

impl Form {
    pub(in crate::web) fn of(values: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Form {
        let values: Vec<(String, String)> =
            values.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut first = HashMap::with_capacity(values.len());
        for (n, (name, _)) in values.iter().enumerate() {
            first.entry(name.clone()).or_insert(n);
        }
        Form { values, first, ..Form::default() }
    }

    /// The parameters of an address.
    pub(in crate::web) fn of_query(request: &HttpRequest) -> Form {
        let site = request.app_data::<web::Data<Site>>().cloned();
        Form { site, ..Form::of(url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned()) }
    }

    /// Does it carry the token of the session that sends it? Of a guest's form nothing is asked.
    pub(in crate::web) async fn has_token(&self, request: &HttpRequest) -> ApiResult<bool> {
        let session = match request.extensions().get::<Caller>() {
            Some(Caller::Person { session_id, .. }) => *session_id,
            _ => return Ok(true),
        };
        let missing = || Problem::new(ErrorCode::Internal, "There is no site.");
        let site = request.app_data::<web::Data<Site>>().ok_or_else(missing)?;
        Ok(site.keys().await?.is_form_token(session, self.get(TOKEN)))
    }

    /// Notes that it came from an older page, so that nothing is done.
    pub(in crate::web) fn refuse_outdated(&mut self) {
        self.problem = Some(Problem::new(ErrorCode::FormOutdated, OUTDATED));
    }

    /// The value of a field without blanks around it; empty where there is none.
    pub(in crate::web) fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// As it was typed, for passwords.
    pub(in crate::web) fn raw(&self, name: &str) -> &str {
        self.first.get(name).map_or("", |n| &self.values[*n].1)
    }

    /// Puts another value into a field.
    pub(in crate::web) fn set(&mut self, name: &str, value: String) {
        match self.first.get(name) {
            Some(n) => self.values[*n].1 = value,
            None => {
                self.first.insert(name.to_owned(), self.values.len());
                self.values.push((name.to_owned(), value));
            }
        }
    }

    pub(in crate::web) fn text(&self, name: &str) -> String {
        self.get(name).to_owned()
    }

    /// `None` for a field that is empty.
    pub(in crate::web) fn optional(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    pub(in crate::web) fn is_checked(&self, name: &str) -> bool {
        self.first.contains_key(name)
    }

    /// All names and values, as they were sent.
    pub(in crate::web) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (&**name, &**value))
    }

    /// All values of fields whose names begin so, with the rest of the name: of `quantity.MUG-1` that is `MUG-1`.
    pub(in crate::web) fn all<'a>(&'a self, beginning: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.values.iter().filter_map(move |(key, value)| key.strip_prefix(beginning).map(|rest| (rest, value.trim())))
    }

    /// A whole number; an empty or a wrong one is a fault, and 0.
    pub(in crate::web) fn integer(&mut self, name: &str) -> i64 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| {
            self.fault_of(name, Fault::NotInteger);
            0
        })
    }

    /// An amount in minor units; `None` for an empty field, a wrong one is a fault.
    pub(in crate::web) fn amount(&mut self, name: &str, currency: &str) -> Option<i64> {
        let text = self.optional(name)?;
        let amount = ungrouped(&text).and_then(|text| money::parse(&text, money::decimals(currency)));
        if amount.is_none() {
            self.fault_of(name, Fault::NotAmount { currency: currency.to_owned() });
        }
        amount
    }

    /// Notes that a value is not allowed, in the page's own words.
    pub(in crate::web) fn fault(&mut self, name: &str, text: impl Into<String>) {
        let text = text.into();
        let is_whole = !text.starts_with(char::is_lowercase);
        self.faults.push(Told { field: name.to_owned(), text, is_whole });
        self.problem.get_or_insert_with(|| Problem::validation(vec![]));
    }

    fn fault_of(&mut self, name: &str, fault: Fault) {
        self.tell(&FieldError::new(name, fault));
        self.problem.get_or_insert_with(|| Problem::validation(vec![]));
    }

    /// Notes a fault that a module has found.
    fn tell(&mut self, fault: &FieldError) {
        let field = fault.pointer.trim_start_matches('/').replace('/', ".");
        let text = self.site.as_ref().map_or_else(|| fault.message.clone(), |site| site.texts.fault(fault));
        self.faults.push(Told { field, text, is_whole: false });
    }

    /// Tells at each field what somebody else has put there meanwhile: its name, its value now, and how that is shown.
    pub(in crate::web) fn tell_now(
        &mut self,
        shell: &Shell,
        now: impl IntoIterator<Item = (&'static str, String, String)>,
    ) {
        for (name, value, shown) in now {
            if self.get(name) != value {
                let text = match value.as_str() {
                    "" => shell.t("form-now-empty"),
                    _ => shell.t1("form-now", "value", shown),
                };
                self.faults.push(Told { field: name.to_owned(), text, is_whole: false });
            }
        }
    }

    /// What is wrong with a value that is shown in several fields.
    pub(in crate::web) fn fault_at(&self, name: &str) -> Option<&str> {
        self.faults.iter().find(|fault| fault.field == name).map(|fault| &*fault.text)
    }

    pub(in crate::web) fn is_good(&self) -> bool {
        self.problem.is_none()
    }

    /// Takes in why the form was refused, so that it can be shown again. What the person cannot mend there is given back as an error.
    pub(in crate::web) fn refuse(&mut self, error: impl Into<Problem>) -> ApiResult<()> {
        let problem: Problem = error.into();
        if problem.code.status() >= 500 || matches!(problem.code, ErrorCode::NotFound | ErrorCode::Forbidden) {
            return Err(problem.into());
        }
        problem.errors.iter().for_each(|fault| self.tell(fault));
        self.problem = Some(problem);
        Ok(())
    }

    /// The call of a form that is done once, however often it is sent. Its page has a hidden `key`, made anew each time that it is
    /// shown; gone back to, the page can do another thing.
    pub(in crate::web) fn once(&self, shell: &Shell) -> Result<Call, Problem> {
        let missing = |_| Problem::new(ErrorCode::BadRequest, "The form is not whole: load its page again.");
        let page: Id = self.get("key").parse().map_err(missing)?;
        let mut hash = Sha256::new_with_prefix(&shell.address);
        for (name, value) in self.values.iter().filter(|(name, _)| name != TOKEN) {
            hash.update(format!("\0{name}\0{value}"));
        }
        let request_hash = hash.finalize().to_vec();
        let what: String = request_hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Call { key: Some(IdempotencyKey { key: format!("{page}-{what}"), request_hash }), ..shell.call().clone() })
    }

    /// The version that the form was made from. Whoever sends none has not got the form from us.
    pub(in crate::web) fn version(&self) -> ApiResult<Version> {
        let missing = || Problem::new(ErrorCode::BadRequest, "The form is not whole: load its page again.");
        Ok(Version::read(self.get("version")).ok_or_else(missing)?)
    }

    /// Was it refused because somebody else was quicker?
    pub(in crate::web) fn is_outdated(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.code == ErrorCode::VersionMismatch)
    }

    pub(in crate::web) fn status(&self) -> StatusCode {
        let status = self.problem.as_ref().map_or(200, |problem| problem.code.status());
        StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
    }

    pub(in crate::web) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// What stands above a form that was refused: why, with a link to each field in question.
    pub(in crate::web) fn summary(&self, shell: &Shell) -> String {
        let Some(problem) = &self.problem else { return String::new() };
        let seconds = problem.retry_after_seconds.unwrap_or(0);
        let known = shell.site.texts.problem(problem.code.code(), &problem.extra, seconds);
        let text = known.unwrap_or_else(|| match problem.code {
            // The page's own words.
            ErrorCode::Conflict => problem.detail.clone(),
            _ => shell.t("error-other"),
        });
        let told = self.faults.iter().take(FAULTS_TOLD);
        let faults = told.map(|fault| (id(&fault.field), named(shell, fault))).collect();
        let left = self.faults.len().saturating_sub(FAULTS_TOLD);
        let more = (left > 0).then(|| shell.t1("form-more-faults", "n", left));
        Summary { title: &shell.t("form-problem"), text, faults, more }.render().unwrap_or_default()
    }

    /// A field that shows what was sent before.
    pub(in crate::web) fn input(&self, name: &str, label: impl Display) -> Input {
        Input {
            id: id(name),
            name: name.to_owned(),
            label: label.to_string(),
            value: self.text(name),
            fault: self.fault_at(name).map(str::to_owned),
            kind: "text",
            ..Input::default()
        }
    }

    /// A box to tick.
    pub(in crate::web) fn check(&self, name: &str, label: impl Display) -> Input {
        Input { kind: "checkbox", checked: self.is_checked(name), ..self.input(name, label) }
    }
}

/// A fault as it reads away from its field: `Password: Please use at least 12 characters.`
fn named(shell: &Shell, fault: &Told) -> String {
    match fault.is_whole {
        true => fault.text.clone(),
        false => format!("{}: {}", label(shell, &fault.field), fault.text),
    }
}

/// What a field is called where its page does not say it: by the last word of its name that is not a number.
pub(in crate::web) fn label(shell: &Shell, field: &str) -> String {
    let is_word = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphabetic());
    let name = field.rsplit('.').find(is_word).unwrap_or(field);
    let key = format!("label-{}", name.replace('_', "-"));
    shell.find1(&key, "n", 0_i64).unwrap_or_else(|| {
        let words = name.replace('_', " ");
        let mut letters = words.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    })
}

/// A number without the commas between its thousands. `None` where a comma stands elsewhere: `9,50` is not 950.
pub(in crate::web) fn ungrouped(text: &str) -> Option<String> {
    let whole = text.split('.').next().unwrap_or_default();
    let mut groups = whole.split(',').skip(1);
    (groups.all(|group| group.len() == 3) && !whole.starts_with(',')).then(|| text.replace(',', ""))
}

fn id(name: &str) -> String {
    format!("f-{}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

#[derive(Template)]
#[template(path = "summary.html")]
struct Summary<'a> {
    title: &'a str,
    text: String,
    faults: Vec<(String, String)>,
    /// That there are more.
    more: Option<String>,
}

/// A field with its label, its hint and what is wrong with its value.
#[derive(Default, Template)]
#[template(path = "field.html")]
pub(in crate::web) struct Input {
    id: String,
    name: String,
    label: String,
    value: String,
    fault: Option<String>,
    kind: &'static str,
    hint: String,
    autocomplete: &'static str,
    inputmode: &'static str,
    required: bool,
    checked: bool,
    rows: u32,
    size: &'static str,
    range: Option<(i64, i64)>,
    about: String,
    /// Of a choice: each value and its name.
    options: Vec<(String, String)>,
}

impl askama::filters::HtmlSafe for Input {}

impl Input {
    /// `email`, `password`, `tel`, `number`, `date` and so on.
    pub(in crate::web) fn kind(mut self, kind: &'static str) -> Self {
        if kind == "password" {
            self.value.clear();
        }
        self.kind = kind;
        self
    }

    pub(in crate::web) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = hint.to_string();
        self
    }

    /// What a browser may fill in (HTML's autofill detail tokens).
    pub(in crate::web) fn auto(mut self, autocomplete: &'static str) -> Self {
        self.autocomplete = autocomplete;
        self
    }

    /// Which keys a phone shows: `numeric`, `decimal`.
    pub(in crate::web) fn keys(mut self, inputmode: &'static str) -> Self {
        self.inputmode = inputmode;
        self
    }

    pub(in crate::web) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The smallest and the largest number that it takes.
    pub(in crate::web) fn range(mut self, min: i64, max: i64) -> Self {
        self.range = Some((min, max));
        self
    }

    /// What it belongs to, where several fields have one label: for those who do not see that.
    pub(in crate::web) fn about(mut self, about: impl Display) -> Self {
        self.about = about.to_string();
        self
    }

    /// The value that it shows.
    pub(in crate::web) fn holds(mut self, value: impl Display) -> Self {
        self.value = value.to_string();
        self
    }

    /// A text of several lines.
    pub(in crate::web) fn rows(mut self, rows: u32) -> Self {
        self.rows = rows;
        self
    }

    /// `short` or `medium`: no wider than what it takes.
    pub(in crate::web) fn size(mut self, size: &'static str) -> Self {
        self.size = size;
        self
    }

    /// A choice of these values, each with its name.
    pub(in crate::web) fn options(mut self, options: &[(String, String)]) -> Self {
        self.options = options.to_vec();
        self
    }

    fn described_by(&self) -> String {
        let mut ids = Vec::new();
        if !self.hint.is_empty() {
            ids.push(format!("{}-hint", self.id));
        }
        if self.fault.is_some() {
            ids.push(format!("{}-fault", self.id));
        }
        ids.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn of_a_name_that_is_there_twice_the_first_value_counts() {
        let form = Form::of([("a", " 1 "), ("b", "2"), ("a", "3")]);
        assert_eq!((form.get("a"), form.raw("a"), form.get("b"), form.get("c")), ("1", " 1 ", "2", ""));
        assert_eq!((form.is_checked("a"), form.is_checked("c")), (true, false));
        assert_eq!(form.all("").map(|(_, value)| value).collect::<Vec<_>>(), ["1", "2", "3"]);
    }

    #[test]
    fn an_amount_is_read_as_it_is_meant_or_not_at_all() {
        for (text, amount) in [
            ("12.50", Some(1_250)),
            ("1,234.50", Some(123_450)),
            ("1,234,567", Some(123_456_700)),
            ("9,50", None),
            ("9,5", None),
            (",500", None),
            ("1,2345", None),
            ("12.345", None),
            ("-1", None),
            ("ten", None),
        ] {
            let mut form = Form::of([("price", text)]);
            assert_eq!((form.amount("price", "USD"), form.is_good()), (amount, amount.is_some()), "{text}");
        }
        assert_eq!(Form::of([("price", " ")]).amount("price", "USD"), None);
    }
}

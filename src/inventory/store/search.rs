//! Full-text search: how text becomes words, and the index of them in both databases.
//!
//! PostgreSQL's parser and FTS5's tokenizers cut text differently, so the app cuts and stems, and both databases only keep finished
//! words: the same query finds the same products on either.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use diesel::pg::sql_types::Uuid as PgUuid;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Text};
use diesel::sqlite::Sqlite;
use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use crate::clock::Id;
use crate::db::{Connection, sql};
use crate::inventory::store::statement::Statement;

/// At most so many different words of a product are indexed, those of its description last.
const WORDS_MAX: usize = 4_000;
/// Longer words are cut off here, when indexed and when searched for.
const WORD_BYTES_MAX: usize = 100;
/// Products of one statement.
const CHUNK: usize = 500;

diesel::table! {
    /// SQLite's index.
    product_index (rowid) {
        rowid -> BigInt,
        title -> Text,
        facts -> Text,
        body -> Text,
    }
}

/// The different words of a product with their stems, separated by blanks. Each word stands once, where it weighs most.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::inventory) struct Words {
    title: String,
    /// Of vendor, type, tags and codes.
    facts: String,
    /// Of the description.
    body: String,
}

impl Words {
    /// Cuts a product's texts. `codes` are those of its SKUs; `description_html` is sanitised.
    pub(in crate::inventory) fn of<'a>(
        title: &str,
        vendor: &'a str,
        product_type: &'a str,
        tags: impl IntoIterator<Item = &'a str>,
        codes: impl IntoIterator<Item = &'a str>,
        description_html: &str,
    ) -> Self {
        let mut facts = String::new();
        for text in [vendor, product_type].into_iter().chain(tags).chain(codes) {
            cut(text, &mut facts);
        }
        let [mut title_words, mut body] = [String::new(), String::new()];
        cut(title, &mut title_words);
        cut(&text_of_html(description_html), &mut body);
        STEMS.with_borrow_mut(|stems| {
            let parts = [title_words, facts, body];
            stems.learn(parts.iter().flat_map(|words| words.split_ascii_whitespace()));
            let mut seen = HashSet::new();
            let [title, facts, body] = parts.each_ref().map(|words| with_stems(words, stems, &mut seen));
            Words { title, facts, body }
        })
    }

    /// A tsvector's text, as `'jacket':1A 'wool':2D`: title A, facts B, description D.
    fn tsvector(&self) -> String {
        let mut text = String::new();
        let mut position = 0;
        for (words, weight) in [(&self.title, 'A'), (&self.facts, 'B'), (&self.body, 'D')] {
            for word in words.split_ascii_whitespace() {
                position += 1;
                // Writing to a String cannot fail.
                let _ = write!(text, "'{word}':{position}{weight} ");
            }
        }
        text
    }
}

/// What somebody looks for.
#[derive(Debug, PartialEq)]
pub(in crate::inventory) struct Terms(Vec<Term>);

#[derive(Debug, PartialEq)]
struct Term {
    word: String,
    stem: String,
}

impl Terms {
    /// Cuts a query as the products were cut: whatever is not a letter or a digit only separates words.
    pub(in crate::inventory) fn of(query: &str) -> Self {
        let mut words = String::new();
        cut(query, &mut words);
        let stemmer = Stemmer::create(Algorithm::English);
        let term = |word: &str| Term { word: word.to_owned(), stem: stemmer.stem(word).into_owned() };
        Terms(words.split_ascii_whitespace().map(term).collect())
    }

    /// The number of words; without any, nothing is found.
    pub(in crate::inventory) fn len(&self) -> usize {
        self.0.len()
    }

    /// As FTS5 takes it. Words are letters and digits alone, so none can be an operator between its quotes.
    fn fts5(&self) -> String {
        self.join(" AND ", |term, is_last| {
            let prefix = if is_last { "*" } else { "" };
            format!("(\"{}\"{prefix} OR \"{}\")", term.word, term.stem)
        })
    }

    /// As the text of a tsquery.
    fn tsquery(&self) -> String {
        self.join(" & ", |term, is_last| {
            let prefix = if is_last { ":*" } else { "" };
            format!("('{}'{prefix} | '{}')", term.word, term.stem)
        })
    }

    fn join(&self, joint: &str, write: impl Fn(&Term, bool) -> String) -> String {
        let last = self.0.len().saturating_sub(1);
        let parts: Vec<_> = self.0.iter().enumerate().map(|(index, term)| write(term, index == last)).collect();
        parts.join(joint)
    }
}

/// The table of the products that have all the words: `product_id`, and a `rank` that is higher the better it matches.
pub(in crate::inventory) fn found(conn: &Connection, terms: &Terms) -> Statement {
    let mut found = Statement::default();
    match conn {
        // bm25 falls below 0 the better the match; its weights are those of title, facts and body.
        Connection::Sqlite(_) => found.add(
            "SELECT w.product_id, CAST(-1e9 * bm25(product_index, 8.0, 3.0, 1.0) AS INTEGER) AS rank
             FROM product_index JOIN product_words w ON w.seq = product_index.rowid WHERE product_index MATCH ?",
            [terms.fts5().into()],
        ),
        Connection::Postgres(_) => found.add(
            "SELECT w.product_id, (1e6 * ts_rank_cd(w.words, ?::tsquery))::bigint AS rank
             FROM product_words w WHERE w.words @@ ?::tsquery",
            [terms.tsquery().into(), terms.tsquery().into()],
        ),
    }
    found
}

/// Indexes products whose words may be indexed already. Each product at most once.
pub(in crate::inventory) fn words_put(conn: &mut Connection, products: &[(Id, Words)]) -> QueryResult<()> {
    match conn {
        Connection::Sqlite(sqlite) => {
            let ids: Vec<Id> = products.iter().map(|(id, _)| *id).collect();
            delete_sqlite(sqlite, &ids)?;
            insert_sqlite(sqlite, products)
        }
        Connection::Postgres(postgres) => {
            insert_postgres(postgres, products, "ON CONFLICT (product_id) DO UPDATE SET words = excluded.words")
        }
    }
}

/// Indexes products that are new: quicker than [`words_put`], and fails if one is indexed already.
pub(in crate::inventory) fn words_insert(conn: &mut Connection, products: &[(Id, Words)]) -> QueryResult<()> {
    match conn {
        Connection::Sqlite(sqlite) => insert_sqlite(sqlite, products),
        Connection::Postgres(postgres) => insert_postgres(postgres, products, ""),
    }
}

/// Takes products out of the index; to be called before they are deleted.
pub(in crate::inventory) fn words_delete(conn: &mut Connection, products: &[Id]) -> QueryResult<()> {
    match conn {
        Connection::Sqlite(sqlite) => delete_sqlite(sqlite, products),
        Connection::Postgres(postgres) => {
            let ids: Vec<_> = products.iter().map(|id| id.0).collect();
            sql_query("DELETE FROM product_words WHERE product_id = ANY ($1)")
                .bind::<Array<PgUuid>, _>(ids)
                .execute(postgres)?;
            Ok(())
        }
    }
}

fn insert_postgres(conn: &mut PgConnection, products: &[(Id, Words)], on_conflict: &str) -> QueryResult<()> {
    let insert = format!(
        "INSERT INTO product_words (product_id, words)
         SELECT product_id, words::tsvector FROM unnest($1, $2) AS new (product_id, words) {on_conflict}"
    );
    for chunk in products.chunks(CHUNK) {
        let ids: Vec<_> = chunk.iter().map(|(id, _)| id.0).collect();
        let words: Vec<_> = chunk.iter().map(|(_, words)| words.tsvector()).collect();
        sql_query(&insert).bind::<Array<PgUuid>, _>(ids).bind::<Array<Text>, _>(words).execute(conn)?;
    }
    Ok(())
}

fn insert_sqlite(conn: &mut SqliteConnection, products: &[(Id, Words)]) -> QueryResult<()> {
    // Nobody else writes during our transaction, so the numbers after the highest stay free until we take them.
    let mut seq = sql_query("SELECT coalesce(max(seq), 0) AS seq FROM product_words").get_result::<Seq>(conn)?.seq;
    for chunk in products.chunks(CHUNK) {
        let start = "INSERT INTO product_words (seq, product_id) VALUES ";
        let mut places = sql_query(repeated(start, "(?, ?)", chunk.len())).into_boxed::<Sqlite>();
        for ((id, _), seq) in chunk.iter().zip(seq + 1..) {
            places = places.bind::<BigInt, _>(seq).bind::<sql::Id, _>(id);
        }
        places.execute(conn)?;
        // Row by row: after a statement of several rows FTS5 writes out all that it has gathered, which takes three times as long.
        for (_, Words { title, facts, body }) in chunk {
            seq += 1;
            diesel::insert_into(product_index::table)
                .values((
                    product_index::rowid.eq(seq),
                    product_index::title.eq(title),
                    product_index::facts.eq(facts),
                    product_index::body.eq(body),
                ))
                .execute(conn)?;
        }
    }
    Ok(())
}

fn delete_sqlite(conn: &mut SqliteConnection, products: &[Id]) -> QueryResult<()> {
    for chunk in products.chunks(CHUNK) {
        let delete = "DELETE FROM product_words WHERE product_id IN (";
        let mut delete = sql_query(repeated(delete, "?", chunk.len()) + ") RETURNING seq").into_boxed::<Sqlite>();
        for id in chunk {
            delete = delete.bind::<sql::Id, _>(id);
        }
        // Row by row, as above.
        for Seq { seq } in delete.load(conn)? {
            diesel::delete(product_index::table.find(seq)).execute(conn)?;
        }
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Seq {
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

/// `start` and then `value`, `count` times.
fn repeated(start: &str, value: &str, count: usize) -> String {
    format!("{start}{}", vec![value; count].join(", "))
}

/// Appends the words of a text to `words`: lower case, without marks, each with a blank after it.
fn cut(text: &str, words: &mut String) {
    let mut start = words.len();
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() {
            push(letter.to_ascii_lowercase(), start, words);
        } else if letter.is_ascii() || !(letter.is_alphanumeric() || is_combining_mark(letter)) {
            start = end_word(start, words);
        } else {
            decompose_compatible(letter, |part| {
                if part.is_alphanumeric() {
                    part.to_lowercase().for_each(|part| push(part, start, words));
                } else if !is_combining_mark(part) {
                    start = end_word(start, words);
                }
            });
        }
    }
    end_word(start, words);
}

fn push(letter: char, start: usize, words: &mut String) {
    if letter.is_alphanumeric() && words.len() - start + letter.len_utf8() <= WORD_BYTES_MAX {
        words.push(letter);
    }
}

/// Ends the word that began at `start`, if there is one; gives where the next one begins.
fn end_word(start: usize, words: &mut String) -> usize {
    if words.len() > start {
        words.push(' ');
    }
    words.len()
}

/// The words that were not seen yet, each followed by its stem.
fn with_stems<'a>(words: &'a str, stems: &'a Stems, seen: &mut HashSet<&'a str>) -> String {
    let mut kept = String::with_capacity(words.len());
    for word in words.split_ascii_whitespace() {
        if seen.contains(word) {
            continue;
        }
        for form in [word, stems.of(word)] {
            if seen.len() < WORDS_MAX && seen.insert(form) {
                kept.push_str(form);
                kept.push(' ');
            }
        }
    }
    kept.truncate(kept.trim_end().len());
    kept
}

thread_local! {
    static STEMS: RefCell<Stems> = RefCell::new(Stems { stemmer: Stemmer::create(Algorithm::English), known: HashMap::new() });
}

/// Stems of words already met: stemming takes ten times as long as looking one up, and an import meets the same words all the time.
struct Stems {
    stemmer: Stemmer,
    /// Word -> stem, where they differ.
    known: HashMap<String, Option<String>>,
}

impl Stems {
    /// So many words are remembered before all are forgotten.
    const KNOWN_MAX: usize = 50_000;

    fn learn<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        if self.known.len() > Self::KNOWN_MAX {
            self.known.clear();
        }
        for word in words {
            if !self.known.contains_key(word) {
                let stem = self.stemmer.stem(word);
                let stem = (stem != word).then(|| stem.into_owned());
                self.known.insert(word.to_owned(), stem);
            }
        }
    }

    /// The stem of a word that was learned.
    fn of<'a>(&'a self, word: &'a str) -> &'a str {
        self.known.get(word).and_then(Option::as_deref).unwrap_or(word)
    }
}

/// Sanitised HTML without its tags and entities: of those a sanitiser leaves `&amp;`, `&lt;`, `&gt;`, `&quot;` and `&nbsp;` only,
/// none of which is part of a word.
fn text_of_html(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        text.push(' ');
        let length = match rest.as_bytes()[at] {
            b'<' => tag_length(&rest[at..]),
            _ => entity_length(&rest[at..]),
        };
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    text
}

/// The length of the tag at the start of `html`. A `>` within quotes does not end it.
fn tag_length(html: &str) -> usize {
    let mut quote = None;
    for (at, byte) in html.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    html.len()
}

/// The length of the entity at the start of `html`; 1 where it is a mere ampersand.
fn entity_length(html: &str) -> usize {
    let name = html[1..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'#').count();
    if html.as_bytes().get(1 + name) == Some(&b';') { name + 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let mut words = String::new();
        cut(text, &mut words);
        words.trim_end().to_owned()
    }

    #[test]
    fn text_is_cut_at_everything_that_is_not_a_letter_or_digit() {
        assert_eq!(words("Café-Crème, 1/4 Zip!"), "cafe creme 1 4 zip");
        assert_eq!(words("HeatTech™ ½ ﬁne İstanbul cafe\u{301}s"), "heattech 1 2 fine istanbul cafes");
        assert_eq!(words("'x' OR NEAR(\"y\") *:^ \0"), "x or near y");
        assert_eq!(words("—…!"), "");
        assert_eq!(words(&"x".repeat(300)).len(), WORD_BYTES_MAX);
    }

    #[test]
    fn html_leaves_its_text() {
        let text = text_of_html("<p title=\"a > b\">Wool&nbsp;&amp; <b>silk</b></p>R&D 5 > 4");
        assert_eq!(words(&text), "wool silk r d 5 4");
        assert_eq!(words(&text_of_html("torn <a href=\"x")), "torn");
    }

    #[test]
    fn each_word_stands_once_with_its_stem() {
        let found = Words::of("Running Shoes", "Acme", "Shoes", ["running"], ["AB-1"], "<p>Shoes to run in. Wool</p>");
        assert_eq!(found.title, "running run shoes shoe");
        assert_eq!(found.facts, "acme acm ab 1");
        assert_eq!(found.body, "to in wool");
        assert!(found.tsvector().starts_with("'running':1A 'run':2A"));
    }

    #[test]
    fn words_have_a_limit() {
        let many: String = (0..10_000).map(|number| format!("w{number} ")).collect();
        let found = Words::of("title", "", "", [], [], &many);
        assert_eq!(found.tsvector().split_whitespace().count(), WORDS_MAX);
    }

    #[test]
    fn terms_quote_every_word() {
        let terms = Terms::of("red \"jackets* OR");
        assert_eq!(terms.fts5(), "(\"red\" OR \"red\") AND (\"jackets\" OR \"jacket\") AND (\"or\"* OR \"or\")");
        assert_eq!(terms.tsquery(), "('red' | 'red') & ('jackets' | 'jacket') & ('or':* | 'or')");
        assert_eq!(Terms::of("!?").len(), 0);
    }
}

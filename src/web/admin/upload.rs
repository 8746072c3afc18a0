//! The upload of a file to import: it goes on to the module piece by piece, and nothing of it is kept before the form's token is read.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::imports::show_list;
use crate::clock::Id;
use crate::config::ServerConfig;
use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::http::observe::Deadline;
use crate::http::pace::Pace;
use crate::inventory::{BulkFormat, ImportInput, ImportOptions};
use crate::web::{Form, Shell};

/// Of the fields before the file.
const FIELDS_MAX: usize = 10;
const FIELD_BYTES_MAX: usize = 1_024;

/// A form with a file, as it comes.
struct Upload {
    body: Multipart,
    pace: Pace,
    /// Of the file.
    bytes_max: usize,
}

pub(super) async fn upload(
    shell: Shell,
    request: HttpRequest,
    config: web::Data<ServerConfig>,
    patience: web::Data<Deadline>,
    body: Multipart,
) -> ApiResult {
    let mut upload = Upload { body, pace: Pace::new(patience.0), bytes_max: config.import_max_bytes as usize };
    let (mut form, file) = upload.fields().await?;
    if !form.has_token(&request).await? {
        form.refuse_outdated();
        return show_list(&shell, &form, None).await;
    }
    let options = options(&shell, &mut form, file.as_ref());
    if let (Some(file), Some(options)) = (file, options) {
        match import(&shell, &form, upload, file, options).await {
            Ok(job) => return Ok(shell.go(format!("/admin/imports/{job}"))),
            Err(problem) => form.refuse(problem)?,
        }
    }
    show_list(&shell, &form, None).await
}

/// What the form asks for; what is wrong with it is noted there.
fn options(shell: &Shell, form: &mut Form, file: Option<&Field>) -> Option<ImportOptions> {
    let name = file.and_then(|file| file.content_disposition()?.get_filename()).unwrap_or_default().to_lowercase();
    let format = match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "csv" => BulkFormat::Csv,
        "jsonl" | "ndjson" => BulkFormat::Jsonl,
        _ => {
            form.fault("file", shell.t(if name.is_empty() { "import-file-missing" } else { "import-file-kind" }));
            return None;
        }
    };
    Some(ImportOptions { format, dry_run: form.is_checked("dry_run"), location: form.optional("location") })
}

/// Keeps the file and starts its import; gives the job. What is refused is forgotten, and so is a repetition.
async fn import(
    shell: &Shell,
    form: &Form,
    upload: Upload,
    file: Field,
    options: ImportOptions,
) -> Result<Id, Problem> {
    let inventory = &*shell.site.inventory;
    let mut call = form.once(shell)?;
    let mut hash = Sha256::new();
    let import = inventory.import_begin(&call, options).await?;
    let started = match upload.keep(file, ImportInput::new(inventory, import), &mut hash).await {
        Ok(()) => {
            if let Some(key) = &mut call.key {
                hash.update(&key.request_hash);
                key.request_hash = hash.finalize().to_vec();
            }
            inventory.import_start(&call, import).await.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    if !started.as_ref().is_ok_and(|started| !started.replayed) {
        // What cannot be forgotten now is forgotten by tidying.
        if let Err(error) = inventory.import_forget(import).await {
            tracing::warn!(%import, %error, "a refused import is kept for now");
        }
    }
    Ok(started?.value.id)
}

impl Upload {
    /// The fields before the file, and the file if there is one.
    async fn fields(&mut self) -> Result<(Form, Option<Field>), Problem> {
        let mut values = vec![];
        while let Some(field) = self.pace.wait(self.body.next()).await? {
            let mut field = field.map_err(unreadable)?;
            let name = field.name().unwrap_or_default().to_owned();
            if name == "file" {
                return Ok((Form::of(values), Some(field)));
            }
            if values.len() == FIELDS_MAX {
                return Err(Problem::new(ErrorCode::BadRequest, "The form has too many fields."));
            }
            let mut text = vec![];
            while let Some(bytes) = self.pace.wait(field.next()).await? {
                text.extend_from_slice(&bytes.map_err(unreadable)?);
                if text.len() > FIELD_BYTES_MAX {
                    return Err(Problem::new(ErrorCode::BadRequest, "A field before the file is too long."));
                }
            }
            values.push((name, String::from_utf8_lossy(&text).into_owned()));
        }
        Ok((Form::of(values), None))
    }

    /// Keeps the file, which is the last field; adds it to the hash.
    async fn keep(mut self, mut file: Field, mut input: ImportInput<'_>, hash: &mut Sha256) -> Result<(), Problem> {
        while let Some(bytes) = self.pace.wait(file.next()).await? {
            let bytes = bytes.map_err(unreadable)?;
            self.pace.came(bytes.len());
            if input.size() + bytes.len() > self.bytes_max {
                let detail = format!("An import has at most {} bytes: split the file.", self.bytes_max);
                return Err(Problem::new(ErrorCode::PayloadTooLarge, detail));
            }
            hash.update(&bytes);
            input.add(&bytes).await?;
        }
        drop(file);
        match self.pace.wait(self.body.next()).await? {
            None => Ok(input.end().await?),
            Some(Err(error)) => Err(unreadable(error)),
            Some(Ok(_)) => Err(Problem::new(ErrorCode::BadRequest, "The file must be the form's last field.")),
        }
    }
}

fn unreadable(error: MultipartError) -> Problem {
    let code = match error {
        MultipartError::ContentTypeMissing
        | MultipartError::ContentTypeParse
        | MultipartError::ContentTypeIncompatible => ErrorCode::UnsupportedMediaType,
        _ => ErrorCode::BadRequest,
    };
    Problem::new(code, format!("The form could not be read to its end: {error}"))
}

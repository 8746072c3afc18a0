//! Imports and exports as they flow through the door: in pieces, of which no more than one is in memory.

use std::sync::Arc;

use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt, stream};

use super::{BulkFormat, Inventory, InventoryError, PIECE_BYTES_MAX};
use crate::clock::Id;

/// The input of an import, on its way in.
pub struct ImportInput<'a> {
    inventory: &'a dyn Inventory,
    import: Id,
    piece: Vec<u8>,
    seq: i64,
    size: usize,
}

impl<'a> ImportInput<'a> {
    pub fn new(inventory: &'a dyn Inventory, import: Id) -> Self {
        ImportInput { inventory, import, piece: Vec::new(), seq: 0, size: 0 }
    }

    /// All bytes that were added so far.
    pub fn size(&self) -> usize {
        self.size
    }

    pub async fn add(&mut self, bytes: &[u8]) -> Result<(), InventoryError> {
        self.size += bytes.len();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(PIECE_BYTES_MAX - self.piece.len()));
            self.piece.extend_from_slice(now);
            rest = later;
            if self.piece.len() == PIECE_BYTES_MAX {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Sends what is left.
    pub async fn end(mut self) -> Result<(), InventoryError> {
        match self.piece.is_empty() {
            true => Ok(()),
            false => self.send().await,
        }
    }

    async fn send(&mut self) -> Result<(), InventoryError> {
        self.inventory.import_add(self.import, self.seq, std::mem::take(&mut self.piece)).await?;
        self.seq += 1;
        Ok(())
    }
}

/// All pieces of an export. The first one is made here, so that an error then can be told; a later one ends the stream.
pub async fn export_stream(
    inventory: Arc<dyn Inventory>,
    format: BulkFormat,
) -> Result<impl Stream<Item = Result<Bytes, InventoryError>>, InventoryError> {
    let first = inventory.export_chunk(format, None).await?;
    let rest = stream::try_unfold(first.next, move |after| {
        let inventory = inventory.clone();
        async move {
            let Some(after) = after else { return Ok(None) };
            let chunk = inventory.export_chunk(format, Some(after)).await.inspect_err(|error| {
                tracing::error!(%error, "an export was broken off");
            })?;
            Ok(Some((Bytes::from(chunk.bytes), chunk.next)))
        }
    });
    Ok(stream::once(async move { Ok(Bytes::from(first.bytes)) }).chain(rest))
}

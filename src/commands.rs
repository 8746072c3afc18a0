//! What the commands do, beside serving.

pub(crate) mod bulk;
pub(crate) mod demo;
pub(crate) mod health;
pub(crate) mod moving;
pub(crate) mod operate;

//! What the commands do, beside serving.

pub mod bulk;
pub mod demo;
pub mod operate;

//! Lists of products.

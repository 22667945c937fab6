//! A page of a list: the one shape of every list in the API.

use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items of this page.
    pub(super) items: Vec<T>,
    /// Where to read on: the same request with `cursor` set to this. Null on the last page.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that fits on one page.
    pub(super) fn whole(items: impl IntoIterator<Item = T>) -> Self {
        Self { items: items.into_iter().collect(), next_cursor: None }
    }
}

/// How many items a page holds where the request does not say.
pub(super) const LIMIT_DEFAULT: usize = 50;

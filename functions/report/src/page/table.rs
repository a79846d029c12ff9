//! Tables that stay tables when they are narrow.
//!
//! On a phone every row of a `stack` becomes a small block with its column's name before each value. Browsers forget then
//! that it is a table, so the roles are said aloud.

use maud::{Markup, html};

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Numbers stand on the right.
    pub(super) is_number: bool,
    /// On a phone it takes the whole width.
    pub(super) is_wide: bool,
    /// Its cells are drawings that say nothing new.
    pub(super) is_drawn: bool,
}

impl Column {
    pub(super) const fn text(name: &'static str) -> Self {
        Self { name, is_number: false, is_wide: false, is_drawn: false }
    }

    pub(super) const fn number(name: &'static str) -> Self {
        Self { is_number: true, ..Self::text(name) }
    }

    pub(super) const fn wide(name: &'static str) -> Self {
        Self { is_wide: true, ..Self::text(name) }
    }

    pub(super) const fn drawn(name: &'static str) -> Self {
        Self { is_drawn: true, ..Self::text(name) }
    }
}

/// A table of rows with as many cells as there are columns; the first cell of a row is its head.
pub(super) fn table(caption: &str, columns: &[Column], rows: Vec<Vec<Markup>>) -> Markup {
    html! {
        table.stack role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for column in columns { th role="columnheader" scope="col" .n[column.is_number] { (column.name) } }
                }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (index, (cell, column)) in row.into_iter().zip(columns).enumerate() {
                            @if index == 0 {
                                th role="rowheader" scope="row" data-label=[(!column.is_wide).then_some(column.name)]
                                    .wide[column.is_wide] .n[column.is_number] { (cell) }
                            } @else {
                                td role="cell" data-label=(column.name) .wide[column.is_wide] .n[column.is_number]
                                    .drawn[column.is_drawn] .empty[cell.0.is_empty()] { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

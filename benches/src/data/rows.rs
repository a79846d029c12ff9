//! Rows of CSV: twelve columns, about 170 bytes, three of ten rows with a quoted field.
//!
//! A quoted field holds a comma, doubled quotes or line breaks, as exports of spreadsheets and databases do.

use super::random::Random;
use std::fmt::Write;

/// The first line.
pub(super) const HEADER: &str = "id,at,type,user_id,name,price,ok,path,country,amount,rate,note\n";

const KINDS: [&str; 5] = ["view", "search", "cart", "buy", "return"];
const COUNTRIES: [&str; 5] = ["DE", "FR", "PL", "PT", "US"];
const PLAIN_NOTES: [&str; 4] = [
    "delivered on the second attempt",
    "",
    "paid by invoice within thirty days",
    "customer asked for a call back later",
];
const QUOTED_NOTES: [&str; 4] = [
    "\"left at the door, ring twice\"",
    "\"she said \"\"yes\"\", then \"\"no\"\" and hung up\"",
    "\"first line\nsecond line, with a comma\"",
    "\"two\r\nbreaks\r\nand a \"\"quote\"\"\"",
];

/// Appends the row with a number to `text`, with its line end.
pub(super) fn write_row(number: u64, random: &mut Random, text: &mut String) {
    let note = if random.below(10) < 3 { random.pick(&QUOTED_NOTES) } else { random.pick(&PLAIN_NOTES) };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{id},2026-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z,{kind},{user},customer number {user},{euros}.{cents:02},\
         {ok},/shop/category-{category}/items/{item}/reviews?page={page},{country},{amount},0.{rate:03},{note}",
        id = 9_000_000_000_000_u64 + number,
        month = random.below(12) + 1,
        day = random.below(28) + 1,
        hour = random.below(24),
        minute = random.below(60),
        kind = random.pick(&KINDS),
        user = random.below(1_000_000),
        euros = random.below(100),
        cents = random.below(100),
        ok = random.below(10) != 0,
        category = random.below(40),
        item = random.below(100_000),
        page = random.below(9) + 1,
        country = random.pick(&COUNTRIES),
        amount = random.below(1000),
        rate = random.below(1000),
    );
}

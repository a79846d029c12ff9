//! Events of a web shop: nested JSON objects of about 820 bytes.
//!
//! They have what real events have and what costs a parser time: 64-bit ids, members three levels deep, arrays, escapes
//! and text outside ASCII in some strings, numbers as text. `price` is a text of digits between 0.00 and 99.99, evenly
//! spread, so that a condition on it can keep any share of the records.

use super::random::Random;
use std::fmt::Write;

const KINDS: [&str; 5] = ["view", "search", "cart", "buy", "return"];
const CITIES: [&str; 6] = ["Berlin", "Zürich", "Lisboa", "New York", "São Paulo", "Kraków"];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0",
];
const NOTES: [&str; 5] = [
    "null",
    "null",
    "\"left at the door\"",
    r#""she said \"ring twice\",\nthen wait""#,
    r#""path C:\\data\\new \u2013 na\u00efve""#,
];

/// Appends the event with a number to `text`, without a line end.
pub(super) fn write_event(number: u64, random: &mut Random, text: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{{\"id\":{id},\"at\":\"2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z\",\
         \"type\":\"{kind}\",\"version\":3,\"session\":\"{session:016x}{session_end:016x}\",\
         \"user\":{{\"id\":{user},\"name\":\"user {user}\",\"email\":\"user{user}@example.com\",\"member\":{member},\
         \"address\":{{\"city\":\"{city}\",\"zip\":\"{zip:05}\",\"geo\":[{latitude}.{fraction:04},{longitude}.{fraction:04}]}}}},\
         \"campaign\":\"sale-{campaign:02}\",\"locale\":\"de-DE\",\
         \"price\":\"{euros}.{cents:02}\",\"currency\":\"EUR\",\"items\":[",
        id = 9_000_000_000_000_u64 + number,
        month = random.below(12) + 1,
        day = random.below(28) + 1,
        hour = random.below(24),
        minute = random.below(60),
        second = random.below(60),
        milli = random.below(1000),
        kind = random.pick(&KINDS),
        session = random.next(),
        session_end = random.next(),
        user = random.below(1_000_000),
        member = random.below(2) == 0,
        city = random.pick(&CITIES),
        zip = random.below(100_000),
        latitude = random.below(90),
        longitude = random.below(180),
        fraction = random.below(10_000),
        campaign = random.below(30),
        euros = random.below(100),
        cents = random.below(100),
    );
    for item in 0..random.below(4) + 1 {
        let comma = if item == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{comma}{{\"sku\":\"A-{sku:06}\",\"count\":{count},\"price\":{price}.{cents:02},\"gift\":{gift}}}",
            sku = random.below(1_000_000),
            count = random.below(9) + 1,
            price = random.below(90),
            cents = random.below(100),
            gift = random.below(5) == 0,
        );
    }
    let _ = write!(
        text,
        "],\"ok\":{ok},\"path\":\"/shop/category-{category}/items/{item}/reviews?page={page}&sort=newest\",\
         \"referrer\":\"https://www.example.com/search?q=item+{item}\",\"agent\":\"{agent}\",\
         \"tags\":[\"web\",\"{kind}\",\"level-{level}\"],\"duration\":{duration}.{milli:03},\"note\":{note}}}",
        ok = random.below(10) != 0,
        category = random.below(40),
        item = random.below(100_000),
        page = random.below(9) + 1,
        agent = random.pick(&AGENTS),
        kind = random.pick(&KINDS),
        level = random.below(9),
        duration = random.below(30),
        milli = random.below(1000),
        note = random.pick(&NOTES),
    );
}

//! Pages of lists: how long they are, and the tokens with which the next one is asked for.
//!
//! A token names the list it belongs to and the position to go on from. It is bound to the list, so a token of one
//! state machine is refused for another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::ApiError;
use super::fields::Fields;

/// Entries of a page when the client does not say.
const PAGE_DEFAULT: usize = 100;
/// Most entries of a page.
const PAGE_MAX: u64 = 1_000;

/// What a client asks for.
pub(super) struct Page {
    /// Most entries.
    pub(super) length: usize,
    /// The position to go on from, `None` for the first page.
    pub(super) from: Option<u64>,
    list: String,
}

impl Page {
    /// Reads `maxResults` and `nextToken`; `list` says which list it is, with everything that filters it.
    pub(super) fn read(fields: &mut Fields, list: &str) -> Result<Self, ApiError> {
        let length = match fields.whole("maxResults", PAGE_MAX)? {
            None | Some(0) => PAGE_DEFAULT,
            Some(length) => usize::try_from(length).unwrap_or(PAGE_DEFAULT),
        };
        let from = match fields.text("nextToken")? {
            None => None,
            Some(token) => Some(
                position(&token, list)
                    .ok_or_else(|| ApiError::new("InvalidToken", "Invalid Token: 'the token is none of this list'"))?,
            ),
        };
        Ok(Self { length, from, list: list.to_owned() })
    }

    /// Cuts a page out of the entries from its position on, each with the position after it. Returns the entries and
    /// the token of the next page.
    pub(super) fn cut<T>(&self, entries: impl Iterator<Item = (u64, T)>) -> (Vec<T>, Option<String>) {
        let mut entries = entries.peekable();
        let mut taken = Vec::new();
        let mut last = 0;
        while taken.len() < self.length
            && let Some((next, entry)) = entries.next()
        {
            taken.push(entry);
            last = next;
        }
        let more = entries.peek().is_some();
        (taken, more.then(|| self.token(last)))
    }

    /// The token of the page that begins at a position.
    pub(super) fn token(&self, position: u64) -> String {
        URL_SAFE_NO_PAD.encode(format!("{position} {}", digest(&self.list)))
    }
}

fn position(token: &str, list: &str) -> Option<u64> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (position, digested) = text.split_once(' ')?;
    (digested == digest(list)).then(|| position.parse().ok()).flatten()
}

fn digest(list: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(&Sha256::digest(list)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str, list: &str) -> Result<Page, ApiError> {
        Page::read(&mut Fields::parse(body.as_bytes()).unwrap(), list)
    }

    #[test]
    fn pages_follow_each_other_and_tokens_belong_to_their_list() {
        let list = |page: &Page| {
            let from = page.from.unwrap_or(0);
            page.cut((from..7).map(|number| (number + 1, number)))
        };
        let (entries, token) = list(&page(r#"{"maxResults":3}"#, "a").unwrap());
        assert_eq!(entries, [0, 1, 2]);
        let next = format!(r#"{{"maxResults":4,"nextToken":"{}"}}"#, token.unwrap());
        let (entries, token) = list(&page(&next, "a").unwrap());
        assert_eq!((entries, token), (vec![3, 4, 5, 6], None));
        assert_eq!(page(&next, "b").err().map(|error| error.kind), Some("InvalidToken"));
        assert_eq!(page(r#"{"nextToken":"nonsense"}"#, "a").err().map(|error| error.kind), Some("InvalidToken"));
        assert_eq!(page(r#"{"maxResults":1001}"#, "a").err().map(|error| error.kind), Some("ValidationException"));
        assert_eq!(page(r#"{"maxResults":0}"#, "a").unwrap().length, 100);
    }
}

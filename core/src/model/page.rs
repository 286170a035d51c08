//! Lists that are read a page at a time.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::error::{Error, Result};

/// A place in a list whose order is that of times and ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The time, as text and as exactly as the store knows it.
    pub created_at: String,
    /// The id, as text.
    pub id: String,
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The list begins with its newest entry.
    pub newest_first: bool,
    /// Where the part begins or ends; nothing: it is the list's first.
    pub from: Option<PagingFrom>,
    /// How many entries it has at most.
    pub limit: usize,
}

/// Where a part of a list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PagingFrom {
    /// What comes after this entry in the list.
    After(Place),
    /// What comes before it.
    Before(Place),
}

impl Paging {
    /// Whether entries are looked for from newer to older ones: a part before a place is read backwards.
    pub fn descends(&self) -> bool {
        self.newest_first != matches!(self.from, Some(PagingFrom::Before(_)))
    }

    /// The place that entries are looked for from.
    pub fn place(&self) -> Option<&Place> {
        match &self.from {
            None => None,
            Some(PagingFrom::After(place) | PagingFrom::Before(place)) => Some(place),
        }
    }

    /// What was found, in the order of the list.
    pub fn in_order<T>(&self, mut found: Vec<T>) -> Vec<T> {
        if matches!(self.from, Some(PagingFrom::Before(_))) {
            found.reverse();
        }
        found
    }

    /// Cuts what was found down to the limit, where one entry more was asked for, and says what there is beside it.
    pub fn cut<T>(mut self, mut found: Vec<(T, Place)>) -> (Vec<T>, Beside) {
        self.limit = self.limit.saturating_sub(1);
        let more = found.len() > self.limit;
        let backwards = matches!(self.from, Some(PagingFrom::Before(_)));
        match backwards {
            true if more => drop(found.remove(0)),
            _ => found.truncate(self.limit),
        }
        let has_next_page = if backwards { true } else { more };
        let has_prev_page = if backwards { more } else { self.from.is_some() };
        let cursor =
            |wanted: bool, of: Option<&(T, Place)>| of.filter(|_| wanted).map(|(_, place)| encode_cursor(place));
        let beside = Beside {
            next_cursor: cursor(has_next_page, found.last()),
            prev_cursor: cursor(has_prev_page, found.first()),
        };
        (found.into_iter().map(|(entry, _)| entry).collect(), beside)
    }
}

/// What there is beside a part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// For `cursor`: what comes after it; nothing at the end of the list.
    pub next_cursor: Option<String>,
    /// For `beforeCursor`: what comes before it; nothing at the list's beginning.
    pub prev_cursor: Option<String>,
}

/// The names of a cursor's two fields, in their order.
const FIELDS: [&str; 2] = ["createdAt", "id"];

/// A cursor's alphabet is that of URLs; whether it is padded does not matter.
const ALPHABET: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A place as clients keep it: the list's sort keys as a form, in base64url.
pub fn encode_cursor(place: &Place) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(FIELDS.into_iter().zip([&place.created_at, &place.id]));
    ALPHABET.encode(form.finish())
}

/// The place that a cursor names.
///
/// # Errors
/// `INVALID_INPUT` for `field`.
pub fn decode_cursor(field: &str, cursor: &str) -> Result<Place> {
    let wrong = || Error::invalid(field, "is not a cursor of this list");
    let form = ALPHABET.decode(cursor).map_err(|_| wrong())?;
    let pairs: Vec<_> = form_urlencoded::parse(&form).collect();
    match pairs.as_slice() {
        [(first, created_at), (second, id)] if [first.as_ref(), second.as_ref()] == FIELDS => {
            Ok(Place { created_at: created_at.clone().into_owned(), id: id.clone().into_owned() })
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: u8) -> Place {
        Place { created_at: "2026-06-26T10:00:00.123Z".into(), id: id.to_string() }
    }

    #[test]
    fn cursors_name_their_place_whatever_is_in_it() {
        for id in ["0197d2f0-0000-7000-8000-000000000001", "a b+c&d=é😀", ""] {
            let there = Place { id: id.into(), ..place(0) };
            assert_eq!(decode_cursor("cursor", &encode_cursor(&there)).unwrap(), there);
        }
        let padded = format!("{}==", ALPHABET.encode("createdAt=1&id=2"));
        for cursor in ["", "%", "Y3JlYXRlZEF0PTE", "aWQ9MSZjcmVhdGVkQXQ9Mg", "Y3JlYXRlZEF0PTEmaWQ9MiZ4PTM", "я"] {
            let error = decode_cursor("cursor", cursor).unwrap_err();
            assert_eq!(error.details()["field"], "cursor", "{cursor}");
        }
        assert!(decode_cursor("cursor", padded.trim_end_matches('=')).is_ok());
    }

    /// What is told of five entries by whoever reads them two at a time, forwards and backwards.
    #[test]
    fn pages_tell_what_is_beside_them() {
        let page = |from: Option<PagingFrom>, found: &[u8]| {
            let paging = Paging { newest_first: true, from, limit: 3 };
            let (items, beside) = paging.cut(found.iter().map(|id| (*id, place(*id))).collect());
            let id = |cursor: Option<String>| cursor.map(|cursor| decode_cursor("cursor", &cursor).unwrap().id);
            (items, id(beside.prev_cursor), id(beside.next_cursor))
        };
        let some = |id: u8| Some(id.to_string());
        let (after, before) = (|id| Some(PagingFrom::After(place(id))), |id| Some(PagingFrom::Before(place(id))));
        assert_eq!(page(None, &[5, 4, 3]), (vec![5, 4], None, some(4)));
        assert_eq!(page(after(4), &[3, 2, 1]), (vec![3, 2], some(3), some(2)));
        assert_eq!(page(after(2), &[1]), (vec![1], some(1), None));
        assert_eq!(page(before(1), &[4, 3, 2]), (vec![3, 2], some(3), some(2)));
        assert_eq!(page(before(3), &[5, 4]), (vec![5, 4], None, some(4)));
        assert_eq!(page(before(5), &[]), (vec![], None, None));
        assert_eq!(page(None, &[]), (vec![], None, None));
    }
}

//! What an address of a provider is made of: where it is, and what it takes to be let in there. The second is a secret
//! and goes another way than the first.

use std::borrow::Cow;
use std::ops::Range;

use secrecy::{ExposeSecret, SecretString};

/// Who has chosen the place that a request goes to, and what it takes to be let in there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// `user:password`, as it was in the address.
    pub(crate) login: Option<SecretString>,
    /// The address comes out of a workspace's settings, and not from whoever runs the server.
    pub(crate) by_workspace: bool,
    /// Why no request can be sent there.
    pub(crate) problem: Option<&'static str>,
}

impl Access {
    /// The address without its user and password. What it holds itself comes before what was stored for it.
    pub(crate) fn split<'a>(&self, base_url: &'a str) -> (Cow<'a, str>, Access) {
        let login = login_in(base_url).or_else(|| self.login.clone());
        let is_none = !base_url.is_empty() && reqwest::Url::parse(base_url).is_err();
        let problem = if is_none { Some(NO_URL) } else { problem_of_base(base_url) };
        (without_login(base_url), Access { login, by_workspace: self.by_workspace, problem })
    }

    /// The password.
    pub(crate) fn secret(&self) -> Option<&str> {
        let login = self.login.as_ref()?.expose_secret();
        Some(login.split_once(':').map_or(login, |(_, password)| password)).filter(|password| !password.is_empty())
    }
}

/// Where user and password stand in an address, without what parts them from the host. By the rules that clients read
/// addresses by, also for one that is none in the end.
fn place_of_login(url: &str) -> Option<Range<usize>> {
    let authority = url.find(':')? + 1;
    let is_slash = |character: char| matches!(character, '/' | '\\' | '\t' | '\n' | '\r');
    let rest = url.get(authority..)?;
    let start = authority + (rest.len() - rest.trim_start_matches(is_slash).len());
    let rest = url.get(start..)?;
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let at = rest.get(..end)?.rfind('@')?;
    Some(start..start + at)
}

/// `user:password` of an address, decoded.
pub(crate) fn login_in(url: &str) -> Option<SecretString> {
    let login = url.get(place_of_login(url)?)?;
    let decoded = percent_encoding::percent_decode_str(login).decode_utf8_lossy();
    (!matches!(&*decoded, "" | ":")).then(|| SecretString::from(decoded.into_owned()))
}

/// The address without user and password.
pub(crate) fn without_login(url: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(url);
    // Of what is no address, a part may look like one once another is gone.
    while let Some(place) = place_of_login(&shown) {
        let after = shown.get(place.end + 1..).unwrap_or_default();
        shown = format!("{}{after}", shown.get(..place.start).unwrap_or_default()).into();
    }
    shown
}

/// The address as it may be kept and shown: of a query only the names, of a fragment nothing. Both are refused where a
/// request would be sent, and may hold a key.
pub(crate) fn without_secrets(url: &str) -> String {
    let url = without_login(url);
    let (url, fragment) = match url.split_once('#') {
        Some((url, _)) => (url, "#"),
        None => (&*url, ""),
    };
    let Some((place, query)) = url.split_once('?') else { return format!("{url}{fragment}") };
    let names: Vec<_> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) => format!("{name}="),
            // A value without a name is a value.
            None => String::new(),
        })
        .collect();
    format!("{place}?{}{fragment}", names.join("&"))
}

/// What is said of an address that is none.
pub(crate) const NO_URL: &str = "the base URL is missing or not a URL";

/// What is wrong with an address that paths are appended to.
fn problem_of_base(url: &str) -> Option<&'static str> {
    url.contains(['?', '#']).then_some("the base URL must have no query and no fragment")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(url: &str) -> Option<String> {
        login_in(url).map(|login| login.expose_secret().to_owned())
    }

    #[test]
    fn user_and_password_are_found_however_an_address_is_written() {
        for (url, expected, rest) in [
            ("https://u:p@h/v1", "u:p", "https://h/v1"),
            ("https://u:p%40%3A@h:8443", "u:p@:", "https://h:8443"),
            ("http://a@b@h/", "a@b", "http://h/"),
            ("http:/u:p@h", "u:p", "http:/h"),
            ("http:u:p@h", "u:p", "http:h"),
            ("http:\\\\u:p@h\\x", "u:p", "http:\\\\h\\x"),
            ("http://u:p@[::bad", "u:p", "http://[::bad"),
            ("ftp://u:p@h?a@b", "u:p", "ftp://h?a@b"),
            ("http://token@h", "token", "http://h"),
        ] {
            assert_eq!((login(url).as_deref(), &*without_login(url)), (Some(expected), rest), "{url}");
        }
        for url in
            ["https://h/v1", "https://h/v1@x", "https://h?x@y", "https://h#x@y", "h", "", "https://:@h", "https://@h"]
        {
            assert_eq!(login(url), None, "{url}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        for (url, expected) in [
            ("https://h/v1", "https://h/v1"),
            ("https://u:p@h/v1?api_key=K&x=&K#K", "https://h/v1?api_key=&x=&#"),
            ("https://h?K", "https://h?"),
            ("https://h#", "https://h#"),
            ("not a url", "not a url"),
        ] {
            assert_eq!(without_secrets(url), expected);
        }
    }

    #[test]
    fn paths_can_be_appended_to_a_base() {
        let problem = |url| Access::default().split(url).1.problem;
        assert_eq!(problem("https://u:p@h/v1"), None);
        for url in ["https://h?", "https://h/v1?a=b", "https://h#", "https://h/#x"] {
            assert!(problem(url).is_some(), "{url}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_client_finds_no_login_that_we_do_not(url in "https?:[/\\\\]{0,3}[a-z:@%0-9.?#/\\\\\t]{0,20}") {
            let shown = without_login(&url);
            if let Ok(parsed) = reqwest::Url::parse(&shown) {
                proptest::prop_assert_eq!((parsed.username(), parsed.password()), ("", None), "{}", url);
            }
            // Without it, a client goes to the same place, or nowhere.
            let place = |url: &str| reqwest::Url::parse(url).ok().and_then(|url| Some((url.host_str()?.to_owned(), url.port())));
            if let Some(meant) = place(&url) {
                proptest::prop_assert_eq!(Some(meant), place(&shown), "{}", url);
            } else if !url.is_empty() {
                proptest::prop_assert!(Access::default().split(&url).1.problem.is_some(), "{}", url);
            }
        }
    }
}

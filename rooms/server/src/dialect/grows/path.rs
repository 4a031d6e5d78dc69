//! The paths of routes: as in groWs, and as axum writes them.

use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::http::Request;
use axum::http::request::Parts;

use super::RegisterError;

/// What is below a path that ends in `/`, as axum knows it.
const BELOW: &str = "__below";

/// As the application knows it.
const REST: &str = "*";

/// What a path has in the places of its parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

/// A path in the notation of groWs.
#[derive(Clone, Debug)]
pub(super) struct Path {
    text: String,
    /// In axum's notation; two where it leads to all that is below, too.
    pub(super) routes: Vec<String>,
    has_params: bool,
}

impl Path {
    /// `/user/:id` has a parameter; `/files/` leads to `/files/` and all that is below.
    pub(super) fn parse(text: &str) -> Result<Self, RegisterError> {
        let wrong = |reason: &str| Err(RegisterError::path(text, reason));
        let Some(rest) = text.strip_prefix('/') else { return wrong("it must begin with /") };
        let (mut route, mut names) = (String::new(), Vec::new());
        for segment in rest.split('/') {
            route.push('/');
            match segment.strip_prefix(':') {
                Some("") => return wrong("a parameter has no name"),
                Some(name) if name.contains(['{', '}', '*']) => {
                    return wrong("the name of a parameter has one of {}*");
                }
                Some(name) if names.contains(&name) => {
                    return wrong("two parameters have one name");
                }
                Some(name) => {
                    names.push(name);
                    route.extend(["{", name, "}"]);
                }
                None if segment.starts_with('*') => return wrong("a part begins with *"),
                None => route.push_str(&segment.replace('{', "{{").replace('}', "}}")),
            }
        }
        let below = route.ends_with('/').then(|| format!("{route}{{*{BELOW}}}"));
        let has_params = !names.is_empty() || below.is_some();
        let routes = [Some(route), below].into_iter().flatten().collect();
        Ok(Self { text: text.to_owned(), routes, has_params })
    }

    /// As the application wrote it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The parameters of a request that axum has led here.
    pub(super) async fn params(&self, request: &Parts) -> Params {
        if !self.has_params {
            return Params::default();
        }
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.extensions = request.extensions.clone();
        // Fails where a value is not UTF-8: then there are none.
        let found = RawPathParams::from_request_parts(&mut parts, &()).await;
        let known = |name: &str| if name == BELOW { REST } else { name }.to_owned();
        Params(found.iter().flatten().map(|(name, value)| (known(name), value.into())).collect())
    }
}

impl Params {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_axum_reads_it() {
        for (text, routes) in [
            ("/example", &["/example"][..]),
            ("/user/:id", &["/user/{id}"]),
            ("/:a/x/:b", &["/{a}/x/{b}"]),
            ("/a:b", &["/a:b"]),
            ("/{id}", &["/{{id}}"]),
            ("/files/", &["/files/", "/files/{*__below}"]),
            ("/", &["/", "/{*__below}"]),
        ] {
            assert_eq!(Path::parse(text).unwrap().routes, routes, "{text}");
        }
    }

    #[test]
    fn a_path_that_axum_would_not_take_is_an_error() {
        for text in ["", "example", "host/", "/:", "/:a/:a", "/:{x}", "/:*", "/*", "/a/*b"] {
            assert!(matches!(Path::parse(text), Err(RegisterError::Path { .. })), "{text}");
        }
    }
}

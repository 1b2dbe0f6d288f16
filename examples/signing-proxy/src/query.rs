//! Query parameters that are not passed on.

use std::borrow::Cow;

use http::uri::PathAndQuery;
use percent_encoding::percent_decode;

/// The target without the parameters of these names; `None` if it has none of them. Some servers take a semicolon for an
/// ampersand.
pub(crate) fn without(target: &PathAndQuery, names: &[String]) -> Option<String> {
    let is_stripped = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        let name: Cow<'_, [u8]> = percent_decode(name.as_bytes()).into();
        names.iter().any(|stripped| stripped.as_bytes() == name.as_ref())
    };
    let query = target.query().filter(|query| query.split(['&', ';']).any(|pair| is_stripped(&pair)))?;
    let mut kept = String::new();
    for part in query.split_inclusive(['&', ';']) {
        if !is_stripped(&part.trim_end_matches(['&', ';'])) {
            kept.push_str(part);
        }
    }
    let kept = if query.ends_with(['&', ';']) { &kept } else { kept.trim_end_matches(['&', ';']) };
    let mut target = target.path().to_owned();
    if !kept.is_empty() {
        target.push('?');
        target.push_str(kept);
    }
    Some(target)
}

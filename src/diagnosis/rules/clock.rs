//! Dates that are refused: of a signature, and of a presigned URL.

use std::time::SystemTime;

use super::Verdict;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::facts::{Facts, seconds_ahead, time_of};
use crate::diagnosis::record;
use crate::signing::details::SigningDetails;

pub(super) fn date(facts: &Facts<'_>) -> Option<Verdict> {
    presigned(facts).or_else(|| signature_date(facts)).or_else(|| skewed(facts))
}

fn presigned(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.says_any(&[
        "x-amz-expires must be",
        "x-amz-expires should be",
        "expires must be less than a week",
    ]) {
        return Some(Cause::PresignedExpiryInvalid.into());
    }
    let not_yet = ["request is not yet valid", "request is not valid yet", "presigned url is not yet valid"];
    if facts.says_any(&not_yet) {
        return Some(with_times(facts, Cause::PresignedNotYetValid, "X-Amz-Date"));
    }
    let expired = facts.says_any(&[
        "request has expired",
        "request signature expired",
        "presigned url has expired",
        "presigned request has expired",
        "signed url has expired",
        "url has expired",
    ]) && !facts.code_is(&["RequestExpired"]);
    expired.then(|| with_times(facts, Cause::PresignedExpired, "Expires"))
}

/// With the times that the response has: the one of this name, and the server's.
fn with_times(facts: &Facts<'_>, cause: Cause, name: &str) -> Verdict {
    let verdict = Verdict::from(cause);
    match (facts.body.field(name), facts.body.field("ServerTime")) {
        (Some(time), Some(server)) => {
            verdict.because(format!("{name} is {time}, and the server's time {server}"))
        }
        (Some(time), None) => verdict.because(format!("{name} is {time}")),
        _ => verdict,
    }
}

/// `Signature expired: A is now earlier than B (C - 5 min.)`, and the same of the future.
fn signature_date(facts: &Facts<'_>) -> Option<Verdict> {
    let message = facts.body.message();
    // Services but S3 have the same words for the lifetime of a presigned URL.
    let presigned = facts.sent.details.as_ref().is_some_and(SigningDetails::is_presigned);
    let (cause, after) = if let Some(at) = facts.words.find("signature expired") {
        (if presigned { Cause::PresignedExpired } else { Cause::ClockSkewBehind }, at)
    } else if let Some(at) = facts.words.find("signature not yet current") {
        (if presigned { Cause::PresignedNotYetValid } else { Cause::ClockSkewAhead }, at)
    } else {
        return None;
    };
    let times: Vec<(&str, SystemTime)> = message
        .get(after..)
        .unwrap_or(message)
        .split(|char: char| !(char.is_ascii_alphanumeric() || char == ':' || char == '-'))
        .filter_map(|word| Some((word, time_of(word)?)))
        .collect();
    let mut verdict = Verdict::from(cause);
    if let [(signed_text, signed), .., (server_text, server)] = times[..] {
        let ahead = seconds_ahead(server, signed);
        verdict =
            verdict.because(format!("signed with {signed_text}, and the server's time is {server_text}"));
        verdict.clock_offset_seconds = Some(ahead);
    }
    Some(with_offset(facts, verdict))
}

/// Adds what is known of the client's clock, and the advice that follows.
fn with_offset(facts: &Facts<'_>, mut verdict: Verdict) -> Verdict {
    let used = facts.sent.details.as_ref().map_or(0, |details| details.clock_offset_seconds());
    if used != 0 {
        verdict =
            verdict.because(format!("the date was corrected by {used} s, as learned of this server before"));
    }
    let Some(offset) = verdict.clock_offset_seconds else { return verdict };
    let away = offset.unsigned_abs();
    let close = |to: u64| away.abs_diff(to) <= 5;
    if verdict.causes == [Cause::ClockSkewBehind] && (close(300) || close(900)) {
        return verdict.advice(
            "the signature was as old as it may be: an old request was repeated or waited long; sign each attempt anew, \
             shortly before it is sent",
        );
    }
    if away % 1800 <= 5 || 1800 - away % 1800 <= 5 {
        return verdict.advice(format!(
            "the date is off by {away} s, whole half hours: sign with UTC, not with local time, or set the clock"
        ));
    }
    verdict
}

/// Codes of a date that is off, with times or without.
fn skewed(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.code_is(&["RequestInTheFuture"]) || facts.says("request is in the future") {
        return Some(Cause::ClockSkewAhead.into());
    }
    let expired = facts.code_is(&["RequestExpired"]);
    let skewed = facts.code_is(&["RequestTimeTooSkewed", "RequestTimeSkewed", "TimeTooSkewed"])
        || facts.says_any(&[
            "difference between the request time and the",
            "difference between the request date and",
        ])
        || (facts.is_aws()
            && facts.says_any(&[
                "date is too old",
                "date is in the future",
                "clock skew",
                "timestamp is too old",
            ]));
    if !(expired || skewed) {
        return None;
    }
    let request = facts.body.field("RequestTime").and_then(time_of);
    let server = facts.body.field("ServerTime").and_then(time_of).or_else(|| facts.server_date());
    let told = request.zip(server).map(|(request, server)| seconds_ahead(server, request));
    let mut verdict = match told {
        Some(ahead) if ahead > 0 => Verdict::from(Cause::ClockSkewBehind),
        Some(_) => Verdict::from(Cause::ClockSkewAhead),
        // Amazon's Product Advertising API has one text for both.
        None if expired && facts.says("in the future") => {
            Verdict::of(&[Cause::ClockSkew, Cause::ClockSkewBehind])
        }
        None if expired => Verdict::from(Cause::ClockSkewBehind),
        None if facts.says("too old") => Verdict::of(&[Cause::ClockSkew, Cause::ClockSkewBehind]),
        None => Verdict::from(Cause::ClockSkew),
    };
    verdict.clock_offset_seconds = told.or_else(|| record::clock_offset(facts));
    if let Some(offset) = verdict.clock_offset_seconds {
        let side = if offset > 0 { "behind" } else { "ahead of" };
        let away = offset.unsigned_abs();
        verdict = verdict.because(format!("the date that was signed is {away} s {side} the server's clock"));
    }
    Some(with_offset(facts, verdict))
}

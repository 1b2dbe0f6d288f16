//! What happens after a refusal, through every edge: when a request is signed and sent once more, when it is not, and
//! that its caller gets a whole answer.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod answers;
mod bodies;
mod edges;
mod expired;
mod frozen;
mod refusals;
mod retries;
mod skew;
mod support;
mod unsigned;

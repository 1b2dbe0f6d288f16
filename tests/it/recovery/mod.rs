//! What happens after a refusal, through every integration: when a request is signed and sent once more, when it is
//! not, and that its caller gets a whole response.

mod bodies;
mod codes;
mod expired;
mod frozen;
mod refusals;
mod reloads;
mod responses;
mod retries;
mod second_attempt;
mod skew;
mod unsigned;

//! `IamGateway`, called with exact bytes: what it lets in, and each way it refuses.

mod flips;
mod refusals;
mod running;
mod wire;

//! What the benches share: the requests, the signers that are compared, and how results are written.

pub mod cases;
pub mod chart;
pub mod figures;
pub mod report;
pub mod subjects;

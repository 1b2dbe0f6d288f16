//! Both edges as they are used, against `IamGateway`.

mod accept;
mod bodies;
mod retries;
mod support;

pub mod new_order;
pub use self::new_order::NewOrder;
pub mod order;
pub use self::order::Order;
pub mod status;
pub use self::status::Status;

//! What the backend tells about itself: trace context, metrics, logs. Personal data, tokens and
//! keys never get in here.

pub mod logs;
pub mod metrics;
pub mod trace;

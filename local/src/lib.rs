//! One machine instead of the cloud: a state machine engine with Distributed Map, a host for Lambda functions, an S3, and
//! the `mapmill` command that joins them. Each room is a module; none needs AWS, Docker or the network.

pub mod api;
pub mod asl;
pub mod bounded_file;
pub mod cli;
pub mod distributed_map;
pub mod explain;
pub mod lambda_host;
mod loopback;
pub mod observer;
pub mod s3;
pub mod sample;
pub mod services;

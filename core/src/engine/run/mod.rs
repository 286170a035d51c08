//! The life of a run: beginning it, driving it, keeping it, following its log, and settling it when its owner is gone.

pub(crate) mod asked;
pub(crate) mod begin;
mod driver;
mod effects;
pub(crate) mod follow;
mod history;
pub(crate) mod hosted;
pub(crate) mod housekeeping;
pub(crate) mod leases;
pub(crate) mod limits;
pub(crate) mod page;
pub(crate) mod patience;
pub(crate) mod queue;
pub(crate) mod reader;
pub(crate) mod registry;
mod shared;
pub(crate) mod stateless;
pub(crate) mod stops;
pub(crate) mod sweep;
pub(crate) mod tail;
pub(crate) mod taint;
pub(crate) mod turn;
pub(crate) mod warnings;
pub(crate) mod worker;

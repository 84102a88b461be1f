//! Proofs of stability: for matrices, and for the networks built on them.

mod bounds;
mod certificate;
pub mod contraction;
pub mod diagonal;
mod distance;
mod interaction;
pub mod local;
pub mod lyapunov;
pub mod matrix;
mod network;
pub mod noise;
pub mod region;
mod report;
pub mod robust;
pub mod schur;
mod similarity;
mod subject;

pub use bounds::Bounds;
#[cfg(feature = "serde")]
pub(crate) use certificate::read_as_claim;
pub use certificate::{Certificate, Claim};
pub use distance::ErrorBound;
pub(crate) use distance::{CheckedProduct, activation_scale, checked_products, drive_error_bound, error_bound};
pub use interaction::GameLyapunov;
pub use network::{NetworkCertificate, NetworkVerdict};
pub use report::{Answer, Condition, Finding, Implication, Measure, ReportOptions, StabilityReport};
pub use subject::{IntoSubject, Subject};

//! The searches, with their options.

#[cfg(feature = "rayon")]
use std::sync::Arc;

use super::blocks;
use super::control::{CertifierBuilder, Control};
use super::margin::{self, Gain, Margin};
use super::pencil::{Pencil, origin};
use super::sparse::{self, Sparse};
use super::verdict::Verdict;
use crate::error::{Error, Result};
use crate::stability::IntoSubject;
use crate::stability::subject::Matrix;

/// Products are cut into a part for each thread, whether or not there is a core for it.
const MOST_THREADS: usize = 256;

/// Decides diagonal stability and computes margins, with limits.
///
/// ```
/// use std::time::Duration;
/// use ndarray::array;
/// use neuronash::stability::diagonal::Certifier;
/// let certifier = Certifier::builder().time_limit(Duration::from_secs(10)).max_iterations(50).build()?;
/// assert!(certifier.certify(&array![[-1.0, -4.0], [1.0, -1.0]])?.is_stable());
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Certifier {
    options: CertifierBuilder,
    /// The threads that were asked for, started once for all searches of this certifier and its copies.
    #[cfg(feature = "rayon")]
    pool: Option<Arc<rayon::ThreadPool>>,
}

/// Two certifiers are equal if their options are.
impl PartialEq for Certifier {
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options
    }
}

impl CertifierBuilder {
    /// Checks the options.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a tolerance outside `[1e-14, 1)`, no iterations, a number of threads outside 1 to 256, or more
    /// threads than the system grants.
    pub fn build(self) -> Result<Certifier> {
        if !(1e-14..1.0).contains(&self.tolerance) {
            return Err(Error::invalid("tolerance", self.tolerance, "1e-14 <= tolerance < 1"));
        }
        if self.max_iterations == 0 {
            return Err(Error::invalid("max_iterations", 0, "at least 1"));
        }
        if let Some(threads) = self.threads
            && !(1..=MOST_THREADS).contains(&threads)
        {
            return Err(Error::invalid("threads", threads, format!("from 1 to {MOST_THREADS}")));
        }
        #[cfg(feature = "rayon")]
        let pool = self.threads.map(pool).transpose()?;
        Ok(Certifier {
            options: self,
            #[cfg(feature = "rayon")]
            pool,
        })
    }
}

impl Certifier {
    /// The options, to be set.
    pub fn builder() -> CertifierBuilder {
        CertifierBuilder::default()
    }

    /// As [`certify`](super::certify()).
    ///
    /// # Errors
    /// As [`certify`](super::certify()).
    pub fn certify<'a>(&self, subject: impl IntoSubject<'a>) -> Result<Verdict> {
        let subject = subject.into_subject()?;
        Ok(self.run(|control| match subject.matrix() {
            Matrix::Dense(_) => blocks::certify(&Pencil::of(&subject), origin(&subject), control),
            Matrix::Sparse(_) => sparse::certify(Sparse::of(&subject), control),
        }))
    }

    /// As [`margin`](super::margin()).
    ///
    /// # Errors
    /// As [`margin`](super::margin()).
    pub fn margin<'a>(&self, subject: impl IntoSubject<'a>) -> Result<Margin> {
        let subject = subject.into_subject()?;
        Ok(self.run(|control| margin::compute(&subject, control)))
    }

    /// As [`max_gain`](super::max_gain).
    ///
    /// # Errors
    /// As [`max_gain`](super::max_gain).
    pub fn max_gain<'a>(&self, subject: impl IntoSubject<'a>) -> Result<Gain> {
        Ok(self.margin(subject)?.max_gain())
    }

    /// Runs a search with this certifier's limits and threads.
    pub(super) fn run<T: Send>(&self, search: impl FnOnce(&mut Control<'_>) -> T + Send) -> T {
        let mut control = Control::new(&self.options);
        #[cfg(feature = "rayon")]
        if let Some(pool) = &self.pool {
            return pool.install(|| search(&mut control));
        }
        search(&mut control)
    }
}

#[cfg(feature = "rayon")]
fn pool(threads: usize) -> Result<Arc<rayon::ThreadPool>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map(Arc::new).map_err(|e| Error::invalid("threads", threads, format!("what the system grants ({e})")))
}

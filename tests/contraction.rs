//! Log norms, Perron vectors and contraction rates against independent computations.

mod contraction {
    mod log_norms;
    mod networks;
    mod perron;
    pub mod support;
}

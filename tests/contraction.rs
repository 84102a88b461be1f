//! Log norms, Perron vectors and contraction rates against independent computations.

mod connectome;

mod contraction {
    mod log_norms;
    mod networks;
    mod perron;
    mod s_contraction;
    pub mod support;
}

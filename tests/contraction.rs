//! Log norms, Perron vectors and contraction rates against independent computations.

mod connectome;

mod contraction {
    mod log_norms;
    mod networks;
    mod perron;
    mod region;
    mod s_contraction;
    mod schur;
    pub mod support;
}

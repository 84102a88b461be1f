//! What holds for every certified network.

use std::ops::RangeInclusive;

use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix1};
use neuronash::activation::{ActivationCost, Arctan, ClippedLinear, LeakyRelu, Logistic, Relu, Softplus, Tanh};
use neuronash::equilibrium::{Anderson, FixedPoint, Method, Newton, StopReason, Uniqueness};
use neuronash::network::FiringRateNetwork;
use proptest::prelude::*;

use super::{distance, methods, proof, relu};

pub fn vector(n: usize, size: f64) -> impl Strategy<Value = Array1<f64>> {
    prop::collection::vec(-size..size, n).prop_map(Array1::from)
}

pub fn matrix(n: usize, size: f64) -> impl Strategy<Value = Array2<f64>> {
    vector(n * n, size).prop_map(move |v| v.into_shape_with_order((n, n)).unwrap())
}

/// `W = I - D^{-1} (L L' + 0.3 I + K)` with `K` skew, which `D` certifies (theory 9.1), and an input.
pub fn stable_weights(sizes: RangeInclusive<usize>) -> impl Strategy<Value = (Array2<f64>, Array1<f64>)> {
    sizes.prop_flat_map(|n| {
        let size = 1.0 / (n as f64).sqrt();
        let weights = prop::collection::vec(0.5..2.0, n).prop_map(Array1::from);
        (matrix(n, size), matrix(n, size), weights, vector(n, 2.0)).prop_map(move |(l, k, d, u)| {
            let coupling = l.dot(&l.t()) + &(&k - &k.t()) + Array2::<f64>::eye(n) * 0.3;
            (Array2::eye(n) - coupling / d.insert_axis(Axis(1)), u)
        })
    })
}

/// Those weights with an activation whose slopes lie in `[0, 1]`.
fn stable_network(sizes: RangeInclusive<usize>) -> impl Strategy<Value = FiringRateNetwork<f64>> {
    (stable_weights(sizes), 0..7_usize).prop_map(|((w, u), activation)| {
        let builder = FiringRateNetwork::builder(w).input(&u);
        let chosen: std::sync::Arc<dyn ActivationCost<f64>> = match activation {
            0 => std::sync::Arc::new(Relu),
            1 => std::sync::Arc::new(LeakyRelu::new(0.1).unwrap()),
            2 => std::sync::Arc::new(ClippedLinear::new(-0.5, 1.0).unwrap()),
            3 => std::sync::Arc::new(Tanh::new()),
            4 => std::sync::Arc::new(Logistic::new()),
            5 => std::sync::Arc::new(Arctan),
            _ => std::sync::Arc::new(Softplus::new()),
        };
        builder.shared_population("all", 0..u.len(), chosen).build().unwrap()
    })
}

fn largest<S: Data<Elem = f64>>(x: &ArrayBase<S, Ix1>) -> f64 {
    x.iter().fold(0.0, |m, v| v.abs().max(m))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn equilibria_are_fixed_points_and_nash(net in stable_network(1..=25), certified in any::<bool>()) {
        let proof = proof(&net);
        let solver = net.equilibrium();
        let eq = if certified { solver.certificate(&proof) } else { solver }.solve().unwrap();
        prop_assert_eq!(eq.report().uniqueness, if certified { Uniqueness::Proved } else { Uniqueness::NotProved });
        prop_assert_eq!(eq.report().error_bound.is_some(), certified);
        let size = largest(&eq.state()).max(1.0);
        prop_assert!(largest(&net.residual(&eq.state()).unwrap()) <= 1.01e-12 * size);
        prop_assert!(net.game().is_nash(&eq.state(), 1e-12 * size).unwrap().holds());
    }

    #[test]
    fn all_methods_agree_within_their_bounds(net in stable_network(1..=20)) {
        let proof = proof(&net);
        let reference = net.equilibrium().certificate(&proof).method(Newton::new()).solve().unwrap();
        let size = largest(&reference.state()).max(1.0);
        for method in methods() {
            let eq = net.equilibrium().certificate(&proof).method(method).solve().unwrap();
            let report = eq.report();
            prop_assert_eq!(report.stop, StopReason::Converged);
            let gap = distance(&eq.state(), &reference.state());
            prop_assert!(gap < 1e-10 * size, "{:?}: {}", method, report);
            prop_assert!(largest(&net.residual(&eq.state()).unwrap()) <= 1.01e-12 * size);
            let (bound, other) = (report.error_bound.clone().unwrap(), reference.report().error_bound.clone().unwrap());
            prop_assert!(gap <= bound.largest + other.largest);
            prop_assert!(bound.largest < 1e-9 * size, "{:?}: {}", method, bound);
        }
    }

    /// Far from convergence the bound is not a matter of rounding.
    #[test]
    fn the_bound_holds_for_coarse_states(net in stable_network(1..=15), tolerance in 1e-4..1e-1) {
        let proof = proof(&net);
        let exact = net.equilibrium().certificate(&proof).solve().unwrap();
        let coarse = net.equilibrium().certificate(&proof).method(FixedPoint::new().damping(0.2)).tolerance(tolerance);
        let coarse = coarse.solve().unwrap();
        let bound = coarse.report().error_bound.clone().unwrap();
        let own = exact.report().error_bound.clone().unwrap();
        prop_assert!(distance(&coarse.state(), &exact.state()) <= bound.largest + own.largest);
        let off = &coarse.state() - &exact.state();
        let terms = off.iter().zip(proof.weights()).zip(proof.slope_bounds());
        let weighted = terms.map(|((off, d), rho)| d / rho * off.powi(2)).sum::<f64>().sqrt();
        prop_assert!(weighted <= bound.weighted + own.weighted);
    }

    #[test]
    fn single_precision_networks_are_solved_and_bounded((w, u) in stable_weights(1..=15), smooth in any::<bool>()) {
        let (w, u) = (w.mapv(|v| v as f32), u.mapv(|v| v as f32));
        let (narrow, wide) = (FiringRateNetwork::builder(&w).input(&u), (w.mapv(f64::from), u.mapv(f64::from)));
        let (net, wide) = if smooth {
            (narrow.activation(Tanh::new()).build().unwrap(), super::tanh(&wide.0, &wide.1))
        } else {
            (narrow.activation(Relu).build().unwrap(), relu(&wide.0, &wide.1))
        };
        let proof = proof(&wide);
        let exact = wide.equilibrium().certificate(&proof).solve().unwrap();
        let own = exact.report().error_bound.clone().unwrap().largest;
        for method in methods() {
            let eq = net.equilibrium().certificate(&proof).method(method).solve().unwrap();
            let gap = distance(&eq.state().mapv(f64::from), &exact.state());
            let bound = eq.report().error_bound.clone().unwrap().largest;
            prop_assert!(gap <= bound + own && bound < 1e-2 * largest(&exact.state()).max(1.0), "{:?}", method);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_hundred_starts_lead_to_one_state(
        net in stable_network(20..=20),
        starts in prop::collection::vec(vector(20, 50.0), 100),
    ) {
        let proof = proof(&net);
        let reference = net.equilibrium().certificate(&proof).solve().unwrap();
        let own = reference.report().error_bound.clone().unwrap().largest;
        for (k, start) in starts.iter().enumerate() {
            let method: Method = match k % 3 {
                0 => Method::Auto,
                1 => Anderson::new().into(),
                _ => Newton::new().into(),
            };
            let eq = net.equilibrium().certificate(&proof).initial(start).method(method).solve().unwrap();
            let bound = eq.report().error_bound.clone().unwrap().largest;
            prop_assert!(distance(&eq.state(), &reference.state()) <= bound + own, "{:?}", method);
        }
    }
}

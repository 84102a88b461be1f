//! The pieces of piecewise-linear activations.

use crate::Scalar;

/// `phi(z) = slope z + intercept` for drives `z` in `[lower, upper]`; ends may be infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
pub struct LinearPiece<A> {
    /// Smallest drive of the piece.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub lower: A,
    /// Largest drive of the piece.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub upper: A,
    /// `phi'` on the piece.
    pub slope: A,
    /// `phi(z) - slope z` on the piece.
    pub intercept: A,
}

impl<A: Scalar> LinearPiece<A> {
    /// The pieces with these kinks, in increasing order, and one slope more than kinks, left to right; the first piece
    /// has the given intercept and the others follow by continuity. Kinks that are none are left out.
    pub(crate) fn chain(first_intercept: A, kinks: &[A], slopes: &[A]) -> Vec<Self> {
        let mut intercept = first_intercept;
        let mut pieces: Vec<Self> = Vec::with_capacity(slopes.len());
        for (k, &slope) in slopes.iter().enumerate() {
            let lower = if k == 0 { A::neg_infinity() } else { kinks[k - 1] };
            let upper = kinks.get(k).copied().unwrap_or_else(A::infinity);
            if k > 0 {
                intercept += (slopes[k - 1] - slope) * lower;
            }
            match pieces.last_mut() {
                Some(last) if last.slope == slope => last.upper = upper,
                _ if lower < upper => pieces.push(Self { lower, upper, slope, intercept }),
                _ => {}
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::LinearPiece;
    use crate::activation::{
        ActivationCost, ClippedLinear, Identity, LeakyRelu, RectifiedThreshold, Relu, SoftThreshold, Tanh,
    };

    #[test]
    fn pieces_cover_the_line_and_equal_the_activation() {
        let activations: Vec<(Box<dyn ActivationCost<f64>>, usize)> = vec![
            (Box::new(Identity), 1),
            (Box::new(Relu), 2),
            (Box::new(LeakyRelu::new(0.25).unwrap()), 2),
            (Box::new(LeakyRelu::new(1.0).unwrap()), 1),
            (Box::new(ClippedLinear::new(-0.5, 2.0).unwrap()), 3),
            (Box::new(SoftThreshold::new(0.75).unwrap()), 3),
            (Box::new(SoftThreshold::new(0.0).unwrap()), 1),
            (Box::new(RectifiedThreshold::new(-1.5).unwrap()), 2),
        ];
        for (activation, count) in activations {
            let pieces: Vec<LinearPiece<f64>> = activation.linear_pieces().unwrap();
            assert_eq!(pieces.len(), count, "{}", activation.name());
            assert_eq!((pieces[0].lower, pieces[count - 1].upper), (f64::NEG_INFINITY, f64::INFINITY));
            assert!(pieces.windows(2).all(|p| p[0].upper == p[1].lower));
            for k in -40..=40 {
                let z = f64::from(k) * 0.125;
                for p in pieces.iter().filter(|p| p.lower <= z && z <= p.upper) {
                    assert_eq!(p.slope * z + p.intercept, activation.activate(z), "{} at {z}", activation.name());
                }
            }
        }
        assert!(ActivationCost::<f64>::linear_pieces(&Tanh::new()).is_none());
    }
}

//! Adaptive Gauss-Kronrod quadrature.

use crate::Scalar;

/// Nodes of the 15-point Kronrod rule on `[0, 1]` (the others by symmetry), largest first.
const NODES: [f64; 8] = [
    0.991_455_371_120_812_6,
    0.949_107_912_342_758_5,
    0.864_864_423_359_769_1,
    0.741_531_185_599_394_4,
    0.586_087_235_467_691_1,
    0.405_845_151_377_397_2,
    0.207_784_955_007_898_47,
    0.0,
];

/// Weights of the 15-point Kronrod rule.
const KRONROD: [f64; 8] = [
    0.022_935_322_010_529_224,
    0.063_092_092_629_978_56,
    0.104_790_010_322_250_18,
    0.140_653_259_715_525_92,
    0.169_004_726_639_267_9,
    0.190_350_578_064_785_4,
    0.204_432_940_075_298_9,
    0.209_482_141_084_727_82,
];

/// Weights of the 7-point Gauss rule, on every second node.
const GAUSS: [f64; 4] =
    [0.129_484_966_168_869_7, 0.279_705_391_489_276_64, 0.381_830_050_505_118_9, 0.417_959_183_673_469_4];

/// `int_a^b f`, and how far the Gauss and the Kronrod rule are apart.
pub(in super::super) fn gauss_kronrod<A: Scalar>(f: impl Fn(A) -> A, a: A, b: A) -> (A, A) {
    let half = A::of(0.5);
    let (centre, radius) = (half * a + half * b, half * b - half * a);
    let middle = f(centre);
    let mut kronrod = A::of(KRONROD[7]) * middle;
    let mut gauss = A::of(GAUSS[3]) * middle;
    for (i, (&node, &weight)) in NODES.iter().zip(&KRONROD).take(7).enumerate() {
        let offset = radius * A::of(node);
        let pair = f(centre - offset) + f(centre + offset);
        kronrod += A::of(weight) * pair;
        if i % 2 == 1 {
            gauss += A::of(GAUSS[i / 2]) * pair;
        }
    }
    (kronrod * radius, (kronrod - gauss).abs() * radius.abs())
}

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

/// The value at 1 of the polynomial through the values at the 15 nodes, from the largest node to the smallest.
const AT_END: [f64; 15] = [
    1.453_983_731_103_312_4,
    -0.706_673_993_404_573_8,
    0.420_047_199_720_882_9,
    -0.291_418_695_919_990_6,
    0.221_175_970_224_892_72,
    -0.174_570_351_562_241_32,
    0.139_783_431_782_908_36,
    -0.112_929_172_918_981_48,
    0.091_687_296_848_570_96,
    -0.073_778_979_644_262_46,
    0.057_719_118_618_911_436,
    -0.043_250_815_978_173_98,
    0.030_438_309_530_367_934,
    -0.018_451_577_046_963_43,
    0.006_238_528_645_340_283,
];

/// `int_a^b f`, and an estimate of its error: how far the Gauss and the Kronrod rule are apart, and how far the values at the
/// ends are from what those between them foretell.
pub(in super::super) fn gauss_kronrod<A: Scalar>(f: impl Fn(A) -> A, a: A, b: A) -> (A, A) {
    let values = at_nodes(&f, a, b);
    let radius = (b - a) / A::of(2.0);
    let (mut kronrod, mut gauss) = (A::zero(), A::zero());
    for (i, &value) in values.iter().enumerate() {
        let level = i.min(14 - i);
        kronrod += A::of(KRONROD[level]) * value;
        if level % 2 == 1 {
            gauss += A::of(GAUSS[level / 2]) * value;
        }
    }
    // A kink between an end and the node next to it shows in the value at the end alone.
    let hidden = |end: A, weights: &mut dyn Iterator<Item = &f64>| {
        let expected: A = values.iter().zip(weights).map(|(&v, &w)| A::of(w) * v).sum();
        let surprise = (end - expected).abs() * A::of(1.0 - NODES[0]);
        if surprise.is_finite() { surprise } else { A::zero() }
    };
    let at_ends = hidden(f(b), &mut AT_END.iter()) + hidden(f(a), &mut AT_END.iter().rev());
    (kronrod * radius, ((kronrod - gauss).abs() + at_ends) * radius.abs())
}

/// `f` at the 15 nodes on `[a, b]`, from the largest node to the smallest.
fn at_nodes<A: Scalar>(f: impl Fn(A) -> A, a: A, b: A) -> [A; 15] {
    let half = A::of(0.5);
    let (centre, radius) = (half * a + half * b, half * b - half * a);
    std::array::from_fn(|i| {
        let node = if i < 8 { NODES[i] } else { -NODES[14 - i] };
        // Rounding must not leave the interval, beyond which f may not exist.
        f((centre + radius * A::of(node)).max(a.min(b)).min(a.max(b)))
    })
}

/// `int_a^b f` for finite ends, adaptively to a relative error of about 1e-14 (in double precision) where `f` is
/// piecewise smooth. Far from 0 the panels grow geometrically, so that 1e300 is not out of reach. `noise` is the
/// absolute rounding error of `f`, below which there is nothing to refine.
pub(crate) fn integral<A: Scalar>(f: impl Fn(A) -> A, a: A, b: A, noise: A) -> A {
    if a == b {
        return A::zero();
    }
    if !(a.is_finite() && b.is_finite()) {
        return A::nan();
    }
    if b < a {
        return -integral(f, b, a, noise);
    }
    let (four, epsilon) = (A::of(4.0), A::epsilon());
    let panel = |low: A, high: A| {
        let (value, difference) = gauss_kronrod(&f, low, high);
        let rounding = four * (epsilon * value.abs() + noise * (high - low));
        Panel { low, high, value, error: (difference - rounding).max(A::zero()) }
    };
    let edges = geometric_edges(a, b);
    let mut panels: Vec<Panel<A>> = edges.windows(2).map(|w| panel(w[0], w[1])).collect();
    for _ in 0..MAX_SPLITS {
        let size: A = panels.iter().map(|p| p.value.abs()).sum();
        let worst = (0..panels.len()).fold(0, |w, i| if panels[i].error > panels[w].error { i } else { w });
        let Panel { low, high, error, .. } = panels[worst];
        // NaN and infinity end the search as well.
        if size.is_nan() || error <= four * epsilon * size {
            break;
        }
        let middle = low + (high - low) / A::of(2.0);
        if middle <= low || middle >= high {
            panels[worst].error = A::zero();
            continue;
        }
        panels[worst] = panel(low, middle);
        panels.push(panel(middle, high));
    }
    panels.iter().map(|p| p.value).sum()
}

const MAX_SPLITS: usize = 200;

struct Panel<A> {
    low: A,
    high: A,
    value: A,
    error: A,
}

/// `a`, `b` and between them 0 and the powers of 8 of either sign.
fn geometric_edges<A: Scalar>(a: A, b: A) -> Vec<A> {
    let mut edges = vec![a];
    let mut size = b.abs().max(a.abs());
    let eight = A::of(8.0);
    let mut cuts = vec![A::zero()];
    while size > eight {
        size /= eight;
        cuts.extend([size, -size]);
    }
    cuts.retain(|&c| a < c && c < b);
    cuts.sort_by(|p, q| p.partial_cmp(q).unwrap_or(std::cmp::Ordering::Equal));
    edges.extend(cuts);
    edges.push(b);
    edges
}

/// `int_a^{+-inf} f` for `f` that falls monotonically to 0 in magnitude; infinite if it falls no faster than `1/w` (to 2% in
/// the power).
///
/// Panels of doubling width, until `f` is so far below `scale` that its digits are rounding noise; the power with which it
/// falls there gives the rest.
pub(in super::super) fn integral_to_infinity<A: Scalar>(f: impl Fn(A) -> A, a: A, sign: A, scale: A) -> A {
    let noise = A::epsilon() * scale;
    let lost = A::epsilon().powf(A::of(2.0 / 3.0)) * scale;
    let (mut from, mut width) = (a, a.abs().max(A::one()));
    let mut total = A::zero();
    loop {
        let to = from + sign * width;
        if !to.is_finite() {
            return sign * total.signum() * A::infinity();
        }
        total += integral(&f, from, to, noise);
        let last = f(to);
        if last == A::zero() || last.is_nan() {
            return total + last;
        }
        if last.abs() <= lost {
            let power = (f(a + (to - a) / A::of(2.0)) / last).log2();
            let rest = (to - a) * last / (power - A::one());
            return if power > A::of(1.02) { total + rest } else { sign * last.signum() * A::infinity() };
        }
        from = to;
        width += width;
    }
}

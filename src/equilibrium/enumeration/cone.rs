//! The generators of a polyhedral cone, by the double description method (Motzkin, Raiffa, Thompson & Thrall 1953; Fukuda &
//! Prodon, LNCS 1120, 1996), in integers.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, Zero};

/// All sums of multiples of the lines and nonnegative multiples of the rays; no ray is one of those of the others.
#[derive(Debug)]
pub(super) struct Cone {
    pub(super) lines: Vec<Vec<BigInt>>,
    pub(super) rays: Vec<Vec<BigInt>>,
}

/// A ray, and for each constraint so far whether it is 0 there.
struct Ray {
    along: Vec<BigInt>,
    tight: Vec<bool>,
}

impl Cone {
    /// The cone of all `g` with `c'g >= 0` for each of the constraints; `None` if there are more than `most` rays on the way.
    pub(super) fn new(dimension: usize, constraints: &[Vec<BigInt>], most: usize) -> Option<Self> {
        let unit = |k: usize| (0..dimension).map(|j| BigInt::from(u8::from(j == k))).collect();
        let mut lines: Vec<Vec<BigInt>> = (0..dimension).map(unit).collect();
        let mut rays: Vec<Ray> = Vec::new();
        for (done, constraint) in constraints.iter().enumerate() {
            match lines.iter().position(|line| !product(constraint, line).is_zero()) {
                Some(k) => {
                    let mut line = lines.swap_remove(k);
                    let mut height = product(constraint, &line);
                    if height.is_negative() {
                        line.iter_mut().for_each(|v| *v = -&*v);
                        height = -height;
                    }
                    // What is left of the other generators lies in the constraint's plane.
                    let level = |g: &mut Vec<BigInt>| *g = combined(&height, g, &-product(constraint, g), &line);
                    lines.iter_mut().for_each(level);
                    for ray in &mut rays {
                        level(&mut ray.along);
                        ray.tight.push(true);
                    }
                    let mut tight = vec![true; done];
                    tight.push(false);
                    rays.push(Ray { along: line, tight });
                }
                None => rays = cut(rays, constraint),
            }
            if rays.len() > most {
                return None;
            }
        }
        Some(Self { lines, rays: rays.into_iter().map(|ray| ray.along).collect() })
    }
}

/// The rays of the part of a cone on which a constraint holds.
fn cut(mut rays: Vec<Ray>, constraint: &[BigInt]) -> Vec<Ray> {
    let heights: Vec<BigInt> = rays.iter().map(|ray| product(constraint, &ray.along)).collect();
    let mut new = Vec::new();
    for (p, above) in rays.iter().enumerate().filter(|(p, _)| heights[*p].is_positive()) {
        for (q, below) in rays.iter().enumerate().filter(|(q, _)| heights[*q].is_negative()) {
            let shared: Vec<usize> = (0..above.tight.len()).filter(|&k| above.tight[k] && below.tight[k]).collect();
            // Two rays span a face if no other is on all of the planes that both are on.
            let between = |(r, ray): (usize, &Ray)| r != p && r != q && shared.iter().all(|&k| ray.tight[k]);
            if rays.iter().enumerate().any(between) {
                continue;
            }
            let along = combined(&-&heights[q], &above.along, &heights[p], &below.along);
            let mut tight = vec![false; above.tight.len()];
            shared.iter().for_each(|&k| tight[k] = true);
            tight.push(true);
            new.push(Ray { along, tight });
        }
    }
    for (ray, height) in rays.iter_mut().zip(&heights) {
        ray.tight.push(height.is_zero());
    }
    let kept = rays.into_iter().zip(heights).filter(|(_, height)| !height.is_negative()).map(|(ray, _)| ray);
    kept.chain(new).collect()
}

pub(super) fn product(a: &[BigInt], b: &[BigInt]) -> BigInt {
    a.iter().zip(b).filter(|(a, b)| !a.is_zero() && !b.is_zero()).map(|(a, b)| a * b).sum()
}

/// `s a + t b`, without common factors.
fn combined(s: &BigInt, a: &[BigInt], t: &BigInt, b: &[BigInt]) -> Vec<BigInt> {
    let sum: Vec<BigInt> = a.iter().zip(b).map(|(a, b)| s * a + t * b).collect();
    let factor = sum.iter().fold(BigInt::zero(), |factor, v| if factor.is_one() { factor } else { factor.gcd(v) });
    if factor.is_zero() || factor.is_one() { sum } else { sum.into_iter().map(|v| v / &factor).collect() }
}

#[cfg(test)]
mod tests {
    use super::Cone;
    use num_bigint::BigInt;

    fn cone(constraints: &[&[i64]], most: usize) -> Option<Cone> {
        let rows: Vec<Vec<BigInt>> =
            constraints.iter().map(|row| row.iter().map(|&v| BigInt::from(v)).collect()).collect();
        Cone::new(constraints[0].len(), &rows, most)
    }

    #[test]
    fn a_cube_has_its_corners() {
        for d in 1..=6_usize {
            let mut faces = vec![vec![0; d + 1]];
            faces[0][0] = 1;
            for k in 1..=d {
                let (mut low, mut high) = (vec![0; d + 1], vec![0; d + 1]);
                (low[k], high[0], high[k]) = (1, 1, -1);
                faces.extend([low, high]);
            }
            let faces: Vec<&[i64]> = faces.iter().map(Vec::as_slice).collect();
            let cube = cone(&faces, 100).unwrap();
            assert!(cube.lines.is_empty());
            let mut corners = cube.rays;
            corners.sort();
            corners.dedup();
            assert_eq!(corners.len(), 1 << d);
            assert!(corners.iter().all(|c| c[0] == BigInt::from(1)));
            assert!(d < 2 || cone(&faces, (1 << d) - 1).is_none());
        }
    }

    #[test]
    fn lines_and_redundant_constraints() {
        // x >= 0 twice, and -x <= y for nothing but a half-space and a half of it; z is free.
        let wedge = cone(&[&[1, 0, 0], &[2, 0, 0], &[1, 1, 0]], 10).unwrap();
        assert_eq!((wedge.lines.len(), wedge.rays.len()), (1, 2));
        // Opposite constraints leave a plane; no point at all leaves nothing.
        assert_eq!(cone(&[&[1, 0], &[-1, 0]], 10).unwrap().rays.len(), 0);
        let empty = cone(&[&[1, 0], &[-1, 1], &[-1, -1]], 10).unwrap();
        assert!(empty.rays.is_empty() && empty.lines.is_empty());
    }
}

//! The methods and their parameters.

use std::fmt;

use crate::error::{Error, Result};

/// How to look for the equilibrium.
///
/// | method | needs | cost of an iteration | converges |
/// |---|---|---|---|
/// | [`FixedPoint`] | | one product | if `Phi(W x + u)` contracts |
/// | [`Anderson`] | | one product | in practice faster than `FixedPoint`; always under a certificate |
/// | [`ForwardBackward`] | certificate | one product | always, linearly |
/// | [`PeacemanRachford`] | certificate | one solve with one factorised matrix | always, linearly, in fewer iterations |
/// | [`Newton`] | | one linear solve | near an equilibrium superlinearly; always under a certificate |
/// | [`PseudoTransient`] | | one linear solve or a few | in practice where the flow rests, in the end superlinearly |
/// | [`Flow`] | | a run of the flow | where [`simulate`](crate::network::FiringRateNetwork::simulate) comes to rest |
/// | [`SupportEnumeration`] | at most 20 or so piecewise-linear neurons | a search of all supports | if there is one |
///
/// A *linear solve* is a factorisation on the neurons whose slope is not zero, or restarted GMRES for large sparse
/// networks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Method {
    /// Chooses by size, sparsity and certificate, and goes on with the next method if one fails.
    ///
    /// With a certificate, up to 200 neurons begin with [`Newton`] and go on with [`Anderson`], others the other way
    /// round, and whichever is affordable of the two goes on until it converges, which it must.
    ///
    /// Without one, up to 200 neurons begin with [`PseudoTransient`] and go on with [`Newton`] and [`Anderson`]; others
    /// begin with [`Anderson`] and go on with [`PseudoTransient`] and [`Newton`] (but dense networks of more than 8000
    /// neurons are not factorised). Then comes [`Flow`], from where the solve began, and for up to 12 neurons that are
    /// all piecewise linear [`SupportEnumeration`]. [`SolveReport::attempts`](super::SolveReport::attempts) tells how
    /// far it went.
    ///
    /// Of several equilibria, the one that the flow goes to from the same start is preferred, but not guaranteed, and
    /// one that is found need not be stable: [`Equilibrium::standing`](super::Equilibrium::standing) tells.
    #[default]
    Auto,
    /// See [`FixedPoint`].
    FixedPoint(FixedPoint),
    /// See [`Anderson`].
    Anderson(Anderson),
    /// See [`ForwardBackward`].
    ForwardBackward(ForwardBackward),
    /// See [`PeacemanRachford`].
    PeacemanRachford(PeacemanRachford),
    /// See [`Newton`].
    Newton(Newton),
    /// See [`PseudoTransient`].
    PseudoTransient(PseudoTransient),
    /// See [`Flow`].
    Flow(Flow),
    /// See [`SupportEnumeration`].
    SupportEnumeration(SupportEnumeration),
}

/// The damped fixed-point iteration `x <- x + theta (Phi(W x + u) - x)`: an explicit Euler step of the flow.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FixedPoint {
    pub(super) damping: f64,
}

/// Anderson acceleration: the combination of the last few iterates that would cancel the residual if `Phi(W x + u)`
/// were affine (Anderson 1965; Walker & Ni, SIAM J. Numer. Anal. 49, 2011).
///
/// Steps that do not lower the residual are taken back; under a certificate the iteration then makes a
/// forward-backward step or, where only very short ones contract, one of Peaceman-Rachford splitting, so that it converges from
/// every start ([`Newton`] says why).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Anderson {
    pub(super) memory: usize,
    pub(super) mixing: f64,
}

/// Forward-backward splitting in the certificate's metric: a monotone-operator equilibrium solver
/// (Winston & Kolter, NeurIPS 2020) for weights that are monotone in the metric `D` instead of the identity.
///
/// With `A = D (Phi^{-1} - R^{-1})`, monotone, and `B(x) = D (R^{-1} - W) x - D u`, the equilibria are the zeros of `A + B`.
/// In the metric `M = D R^{-1}` the certificate makes `B` `delta`-strongly monotone, and `L = |I - R W|_M` is its
/// Lipschitz constant. A step
///
/// `x+ = (M + alpha A)^{-1} (M - alpha B) x`, that is `(1 - alpha) x+ + alpha rho Psi'(x+) = (1 - alpha) x + alpha rho (W x + u)` for each neuron,
///
/// contracts distances in `|.|_M` by `sqrt(1 - 2 alpha delta + alpha^2 L^2)`, which is least, and below 1, at
/// `alpha = delta / L^2`: at worst about `5 L^2 / delta^2` iterations a decimal digit, too many where `L / delta` is large. With `alpha = 1` it is the undamped [`FixedPoint`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ForwardBackward {
    pub(super) step: Option<f64>,
}

/// Peaceman-Rachford splitting in the certificate's metric, with the operators of [`ForwardBackward`].
///
/// `w <- w + 2 (J_A(2 J_B(w) - w) - J_B(w))`, where `J_B(w)` solves `(I + alpha (I - R W)) x = w + alpha R u` with one
/// factorisation for all iterations and all inputs, and `J_A` acts on each neuron alone. `2 J_A - I` is nonexpansive and
/// `2 J_B - I` contracts by `sqrt(1 - 4 alpha delta / (1 + alpha L)^2)`, so every `alpha > 0` converges; the default is `1 / L`, where it
/// takes about `5 L / delta` iterations a decimal digit at worst.
/// Large sparse networks solve with restarted GMRES instead of a factorisation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PeacemanRachford {
    pub(super) step: Option<f64>,
}

/// Semismooth Newton on `x - Phi(W x + u) = 0` (Qi & Sun, Math. Program. 58, 1993), with `I - Lambda W` factorised on the
/// neurons whose slope is not zero.
///
/// *Why it cannot fail under a certificate.* If `D` certifies `W - R^{-1}`, then `I - Lambda W` is regular for every slope
/// matrix `0 <= Lambda <= R`: `x = Lambda W x` with `x != 0` would give `0 = sum d_i x_i (x_i/lambda_i - (W x)_i) >= delta |x|^2_{D/R} > 0` over
/// the neurons with `lambda_i > 0` (the others have `x_i = 0`). So every Newton step exists, with a common bound on the
/// inverse. Let `m(x) = |x - T(x)|_M` with the forward-backward map `T` of [`ForwardBackward`] for the step `1 / L`: `m` is
/// zero at the equilibrium only and stays between multiples of the distance to it. A Newton point is kept if it has
/// lowered the largest of the last few `m` by a fixed factor; if not, and shorter steps do no better, the iteration goes back to
/// its best point and makes a few steps of [`PeacemanRachford`] splitting, each of which lowers `m` by `sqrt(1 - delta / L)`. (Forward-backward
/// steps, which are cheaper, are tried first, from length 1 down to `1 / L`.) Either way `m` falls linearly, from every start, so
/// that about `5 L / delta` steps a decimal digit are the worst case. Near the equilibrium the Newton points are superlinearly closer, so they are kept,
/// and the convergence is that of Newton's method.
///
/// Without a certificate the step is shortened until the residual falls. The residual may have local minima that are no
/// equilibria, at the kinks of ReLU for instance, where no step makes it fall; and full steps may run in circles. Where
/// that happens, the method goes back to where it began and on as [`PseudoTransient`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Newton {}

/// Pseudo-transient continuation (Kelley & Keyes, SIAM J. Numer. Anal. 35, 1998; for activations with kinks Fowler &
/// Kelley, SIAM J. Numer. Anal. 43, 2005): the flow by steps of the linearly implicit Euler method,
///
/// `x <- x + p`, `(T/h + I - Lambda W) p = Phi(W x + u) - x`,
///
/// whose duration `h` grows while the linearisation holds over a step. Short steps follow the flow, whatever the
/// residual does on the way and however different the time constants; long ones are those of Newton's method.
///
/// The error of the linearisation over a step is `|f(x + p) + T p / h|` with `f(x) = x - Phi(W x + u)`. Where it is
/// larger than `|f(x)|`, the step is taken back and made with a quarter of `h`; above 0.7 times that the next step is
/// half as long, below 0.3 longer, up to ten times.
///
/// A step is also shortened where the determinant of the matrix is negative, as it is for long steps near a saddle:
/// they would be drawn to what the flow leaves. (The sign is not known where the system is solved by GMRES.) Where a
/// pair of complex modes grows, long steps damp it, so the method may end at an equilibrium that the flow circles
/// around.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PseudoTransient {
    pub(super) first_step: f64,
}

/// The flow `T x' = -x + Phi(W x + u)` itself, or `T y' = -y + W Phi(y) + u` for a Hopfield network, by the explicit
/// method of [`simulate`](crate::network::FiringRateNetwork::simulate) from the same start, until it rests; and from
/// there Newton steps. Where these lead nowhere, the flow is followed on, more closely.
///
/// What it finds is what `simulate` comes to rest at, so it is stable but for flows that hold still at a saddle. It
/// ends with [`StopReason::Cycles`](super::StopReason::Cycles), or [`Diverged`](super::StopReason::Diverged), where the
/// flow does.
///
/// An iteration is a whole run of the flow, or one Newton step; observers see no more than that. The time limit ends a
/// run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Flow {
    pub(super) max_steps: usize,
}

/// Support enumeration: looks for all equilibria, as
/// [`all_equilibria`](crate::network::FiringRateNetwork::all_equilibria) does, and takes the stable one that is nearest
/// to the start, or if none is stable the nearest of all.
///
/// Where all supports were searched and none holds an equilibrium, it ends with
/// [`StopReason::NoEquilibrium`](super::StopReason::NoEquilibrium). The search is one iteration, which no limit on time
/// interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SupportEnumeration {
    pub(super) max_branches: u64,
}

/// The name of a method, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MethodName {
    /// [`FixedPoint`].
    FixedPoint,
    /// [`Anderson`].
    Anderson,
    /// [`ForwardBackward`].
    ForwardBackward,
    /// [`PeacemanRachford`].
    PeacemanRachford,
    /// [`Newton`].
    Newton,
    /// [`PseudoTransient`].
    PseudoTransient,
    /// [`Flow`].
    Flow,
    /// [`SupportEnumeration`].
    SupportEnumeration,
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MethodName::FixedPoint => "damped fixed point",
            MethodName::Anderson => "Anderson acceleration",
            MethodName::ForwardBackward => "forward-backward splitting",
            MethodName::PeacemanRachford => "Peaceman-Rachford splitting",
            MethodName::Newton => "semismooth Newton",
            MethodName::PseudoTransient => "pseudo-transient continuation",
            MethodName::Flow => "following the flow",
            MethodName::SupportEnumeration => "support enumeration",
        })
    }
}

impl Default for FixedPoint {
    fn default() -> Self {
        Self { damping: 1.0 }
    }
}

impl FixedPoint {
    /// Undamped, `theta = 1`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The damping `theta`, in `(0, 1]`.
    #[must_use]
    pub fn damping(mut self, theta: f64) -> Self {
        self.damping = theta;
        self
    }
}

impl Default for Anderson {
    fn default() -> Self {
        Self { memory: 10, mixing: 1.0 }
    }
}

impl Anderson {
    /// Ten earlier iterates, mixing 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many earlier iterates are combined, at least 1; each costs two vectors of length `n`.
    #[must_use]
    pub fn memory(mut self, iterates: usize) -> Self {
        self.memory = iterates;
        self
    }

    /// The share `beta`, in `(0, 1]`, of the combined residual that is added to the combined iterate.
    #[must_use]
    pub fn mixing(mut self, beta: f64) -> Self {
        self.mixing = beta;
        self
    }
}

impl ForwardBackward {
    /// Steps of length 1, shortened towards the guaranteed `delta / L^2` while they do not contract.
    pub fn new() -> Self {
        Self::default()
    }

    /// A fixed step `alpha`, in `(0, 1]`. Above `2 delta / L^2` convergence is not guaranteed.
    #[must_use]
    pub fn step(mut self, alpha: f64) -> Self {
        self.step = Some(alpha);
        self
    }
}

impl PeacemanRachford {
    /// The step `1 / L`, or 1 if that is smaller.
    pub fn new() -> Self {
        Self::default()
    }

    /// The step `alpha`, in `(0, 1]`.
    #[must_use]
    pub fn step(mut self, alpha: f64) -> Self {
        self.step = Some(alpha);
        self
    }
}

impl Newton {
    /// Newton's method has no parameters.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Default for PseudoTransient {
    fn default() -> Self {
        Self { first_step: 0.1 }
    }
}

impl PseudoTransient {
    /// A first step of a tenth of the fastest time constant.
    pub fn new() -> Self {
        Self::default()
    }

    /// The duration of the first step in units of the fastest time constant, between 1e-6 and 1e20. The longer it is,
    /// the nearer to Newton's method is the beginning.
    #[must_use]
    pub fn first_step(mut self, time_constants: f64) -> Self {
        self.first_step = time_constants;
        self
    }
}

impl Default for Flow {
    fn default() -> Self {
        Self { max_steps: 100_000 }
    }
}

impl Flow {
    /// At most 100,000 steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// The largest number of attempted steps of the integration, at least 1; each takes six products by `W`.
    #[must_use]
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.max_steps = steps;
        self
    }
}

impl Default for SupportEnumeration {
    fn default() -> Self {
        Self { max_branches: 50_000_000 }
    }
}

impl SupportEnumeration {
    /// At most 50 million branches.
    pub fn new() -> Self {
        Self::default()
    }

    /// The largest number of branches to look at, at least 1.
    #[must_use]
    pub fn max_branches(mut self, branches: u64) -> Self {
        self.max_branches = branches;
        self
    }
}

impl Method {
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Method::FixedPoint(m) => fraction("damping", m.damping),
            Method::Anderson(m) if m.memory == 0 => Err(Error::invalid("memory", 0, "at least 1")),
            Method::Anderson(m) => fraction("mixing", m.mixing),
            Method::ForwardBackward(ForwardBackward { step }) | Method::PeacemanRachford(PeacemanRachford { step }) => {
                step.map_or(Ok(()), |step| fraction("step", step))
            }
            Method::PseudoTransient(m) if !(1e-6..=1e20).contains(&m.first_step) => {
                Err(Error::invalid("first_step", m.first_step, "numbers from 1e-6 to 1e20"))
            }
            Method::Flow(Flow { max_steps: 0 }) => Err(Error::invalid("max_steps", 0, "at least 1")),
            Method::SupportEnumeration(SupportEnumeration { max_branches: 0 }) => {
                Err(Error::invalid("max_branches", 0, "at least 1"))
            }
            Method::Auto
            | Method::Newton(_)
            | Method::PseudoTransient(_)
            | Method::Flow(_)
            | Method::SupportEnumeration(_) => Ok(()),
        }
    }

    pub(super) fn needs_certificate(&self) -> bool {
        matches!(self, Method::ForwardBackward(_) | Method::PeacemanRachford(_))
    }
}

fn fraction(argument: &str, value: f64) -> Result<()> {
    if value > 0.0 && value <= 1.0 { Ok(()) } else { Err(Error::invalid(argument, value, "numbers in (0, 1]")) }
}

macro_rules! into_method {
    ($($name:ident),*) => {
        $(impl From<$name> for Method {
            fn from(method: $name) -> Self {
                Method::$name(method)
            }
        })*
    };
}
into_method!(
    FixedPoint,
    Anderson,
    ForwardBackward,
    PeacemanRachford,
    Newton,
    PseudoTransient,
    Flow,
    SupportEnumeration
);

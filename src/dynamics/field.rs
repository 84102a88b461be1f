//! The right-hand sides of the flows.

use std::cell::{Cell, RefCell};

use ndarray::{Array1, ArrayView1, ArrayViewMut1, Zip, s};

use super::input::Current;
use super::ode::Field;
use crate::Scalar;
use crate::error::Error;
use crate::game::{Game, NeuralGame, Own, best_rate};

/// Which flow of the circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `T x' = -x + Phi(W x + u)`.
    FiringRate,
    /// `T y' = -y + W Phi(y) + u`.
    Hopfield,
    /// `T x' = -x + BR(x)`.
    BestResponse,
}

/// What may not be missed of an input function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Features<A> {
    /// The function is looked at in places no farther apart.
    pub(super) spacing: A,
    /// The tolerances of a step.
    pub(super) relative: A,
    pub(super) absolute: A,
}

/// A flow of a circuit under an input.
///
/// One evaluation is one product by `W` and one to three passes over the vectors; nothing is allocated.
pub(super) struct NetworkField<'f, A: Scalar> {
    game: &'f NeuralGame<A>,
    form: Form,
    rates: Array1<A>,
    input: Current<'f, A>,
    /// How an input function is looked at between the stages of a step.
    features: Option<Features<A>>,
    scratch: RefCell<Array1<A>>,
    /// The neurons with a synapse onto themselves, whose best response is not `phi` of their drive.
    selfish: Vec<(usize, A)>,
    /// An evaluation cannot fail, so the first error waits here.
    fault: RefCell<Option<Error>>,
    evaluations: Cell<usize>,
    /// Time and largest `|tau_i x_i'|` of the last evaluation, if watched.
    residual: Option<Cell<(A, A)>>,
}

impl<'f, A: Scalar> NetworkField<'f, A> {
    pub(super) fn new(
        game: &'f NeuralGame<A>,
        form: Form,
        input: Current<'f, A>,
        features: Option<Features<A>>,
        watch: bool,
    ) -> Self {
        let mut selfish = Vec::new();
        if form == Form::BestResponse
            && let Some(weights) = game.synapses()
        {
            selfish.extend(weights.diagonal().into_iter().enumerate().filter(|(_, w)| !w.is_zero()));
        }
        let scratch = if form == Form::Hopfield { game.len() } else { 0 };
        Self {
            game,
            form,
            rates: game.time_constants().mapv(|tau| tau.recip()),
            input,
            features,
            scratch: RefCell::new(Array1::zeros(scratch)),
            selfish,
            fault: RefCell::new(None),
            evaluations: Cell::new(0),
            residual: watch.then(|| Cell::new((A::nan(), A::infinity()))),
        }
    }

    pub(super) fn input(&self) -> &Current<'f, A> {
        &self.input
    }

    pub(super) fn evaluations(&self) -> usize {
        self.evaluations.get()
    }

    pub(super) fn take_fault(&self) -> Option<Error> {
        self.fault.borrow_mut().take()
    }

    /// The largest `|tau_i x_i'|` at the state `x` and time `t`: how far the neurons are from where they are driven.
    pub(super) fn residual(&self, t: A, x: &[A]) -> A {
        if let Some(seen) = &self.residual
            && seen.get().0 == t
        {
            return seen.get().1;
        }
        let mut dx = vec![A::zero(); x.len()];
        self.derivative(t, x, &mut dx);
        largest_residual(&dx, self.game.time_constants())
    }

    /// `dx <- T^{-1} (dx - x)`.
    fn towards(&self, x: &[A], dx: &mut [A]) {
        let zip = Zip::from(ArrayViewMut1::from(dx)).and(ArrayView1::from(x)).and(&self.rates);
        let step = |dx: &mut A, &x: &A, &rate: &A| *dx = (*dx - x) * rate;
        #[cfg(feature = "rayon")]
        if x.len() >= super::PARALLEL_FROM {
            return zip.par_for_each(step);
        }
        zip.for_each(step);
    }

    /// `dx <- z(x, u(t))`.
    fn drive(&self, x: ArrayView1<'_, A>, dx: &mut [A]) {
        let input = self.input.value();
        self.game.interaction().drive(x, input.view(), ArrayViewMut1::from(dx));
    }

    fn report(&self, error: Error) {
        self.fault.borrow_mut().get_or_insert(error);
    }

    /// `T^{-1} (-x + Phi(z(x, u)))`: for synapses the product by `W`, and one pass over the vectors.
    fn firing_rate(&self, x: &[A], dx: &mut [A]) {
        let synapses = self.game.synapses();
        match synapses {
            Some(weights) => weights.dot_into(ArrayView1::from(x), ArrayViewMut1::from(&mut *dx)),
            None => self.drive(ArrayView1::from(x), dx),
        }
        let input = self.input.value();
        let (input, rates) = (input.view(), self.rates.view());
        let add_input = synapses.is_some();
        self.game.neurons().activate_between(
            ArrayViewMut1::from(dx),
            |neurons, part| {
                if add_input {
                    part.iter_mut().zip(input.slice(s![neurons])).for_each(|(z, &u)| *z += u);
                }
            },
            |neurons, part| {
                let here = x[neurons.clone()].iter().zip(rates.slice(s![neurons]));
                part.iter_mut().zip(here).for_each(|(y, (&x, &rate))| *y = (*y - x) * rate);
            },
        );
    }

    /// `T^{-1} (-x + BR(x))`.
    fn best_response(&self, x: &[A], dx: &mut [A]) {
        self.drive(ArrayView1::from(x), dx);
        let responses = self.selfish_responses(x, dx);
        self.game.neurons().activate(ArrayViewMut1::from(&mut *dx));
        for (i, response) in responses {
            // A search compares numbers and would pass over an activation that gives none.
            if !dx[i].is_nan() {
                dx[i] = response;
            }
        }
        self.towards(x, dx);
    }

    /// The best responses of the neurons whose drives `z` depend on their own rates. If a neuron's energy falls without end its rate is
    /// infinite; the step to it is refused, and the run diverges.
    fn selfish_responses(&self, x: &[A], z: &[A]) -> Vec<(usize, A)> {
        if self.game.synapses().is_some() {
            let response = |&(i, w): &(usize, A)| {
                (i, best_rate(w, z[i] - w * x[i], self.game.activation_of(i)).unwrap_or_else(A::infinity))
            };
            return self.selfish.iter().map(response).collect();
        }
        let (x, input) = (ArrayView1::from(x), self.input.value());
        let game = self.game.under(input.clone());
        let is_selfish = |&i: &usize| !matches!(game.interaction().own(i, x, input.view()), Own::Affine { self_weight, .. } if self_weight.is_zero());
        (0..x.len()).filter(is_selfish).map(|i| (i, game.best_rate(i, x))).collect()
    }

    /// `T^{-1} (-y + W Phi(y) + u)`.
    fn hopfield(&self, y: &[A], dy: &mut [A]) {
        let mut rates = self.scratch.borrow_mut();
        rates.assign(&ArrayView1::from(y));
        self.game.neurons().activate(rates.view_mut());
        self.drive(rates.view(), dy);
        self.towards(y, dy);
    }
}

impl<A: Scalar> Field<A> for NetworkField<'_, A> {
    fn derivative(&self, t: A, x: &[A], dx: &mut [A]) {
        self.evaluations.set(self.evaluations.get() + 1);
        if let Err(error) = self.input.move_to(t) {
            self.report(error);
        }
        match self.form {
            Form::FiringRate => self.firing_rate(x, dx),
            Form::Hopfield => self.hopfield(x, dx),
            Form::BestResponse => self.best_response(x, dx),
        }
        if let Some(seen) = &self.residual {
            seen.set((t, largest_residual(dx, self.game.time_constants())));
        }
    }

    /// As long as it takes to the first feature of the input that the stages do not show.
    fn shorter_step(&self, from: A, to: A, x: &[A]) -> Option<A> {
        let Features { spacing, relative, absolute } = self.features?;
        let weight = |i: usize| self.rates[i] / (absolute + relative * x[i].abs());
        match self.input.first_unseen(from, to, spacing, weight) {
            Ok(unseen) => unseen.map(|t| (t - from).max(A::of(0.1) * (to - from))),
            Err(error) => {
                self.report(error);
                None
            }
        }
    }
}

fn largest_residual<A: Scalar>(dx: &[A], time_constants: ArrayView1<'_, A>) -> A {
    dx.iter().zip(time_constants).map(|(&dx, &tau)| (dx * tau).abs()).fold(A::zero(), larger)
}

/// The larger of two numbers, or NaN if one is.
pub(super) fn larger<A: Scalar>(a: A, b: A) -> A {
    if b > a || b.is_nan() { b } else { a }
}

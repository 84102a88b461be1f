//! A way of playing.

use ndarray::{Array1, ArrayViewMut1};
use neuronash::dynamics::PlayRule;
use neuronash::game::Game;

/// Inertial best response: every player goes to its best response and on by a part of what it moved in the round before.
#[derive(Debug, Clone)]
pub struct Inertial {
    /// The part, from 0 up and below 1.
    pub inertia: f64,
    before: Option<Array1<f64>>,
}

impl Inertial {
    /// A rule that has not played yet.
    pub fn new(inertia: f64) -> Self {
        Self { inertia, before: None }
    }
}

impl PlayRule<f64> for Inertial {
    fn round(&mut self, game: &dyn Game<f64>, mut x: ArrayViewMut1<'_, f64>) -> f64 {
        let now = x.to_owned();
        let before = self.before.replace(now.clone()).unwrap_or_else(|| now.clone());
        let mut longest = 0.0_f64;
        for (i, planned) in game.next_moves(now.view()).into_iter().enumerate() {
            let drift = self.inertia * (now[i] - before[i]);
            x[i] = planned.to + drift;
            longest = longest.max(planned.way).max(drift.abs());
        }
        longest
    }

    fn has_memory(&self) -> bool {
        true
    }

    fn check(&self) -> neuronash::Result<()> {
        if self.inertia >= 0.0 && self.inertia < 1.0 {
            Ok(())
        } else {
            let (value, allowed) = (self.inertia.to_string(), "numbers from 0 up and below 1".into());
            Err(neuronash::Error::Invalid { argument: "inertia".into(), value, allowed })
        }
    }
}

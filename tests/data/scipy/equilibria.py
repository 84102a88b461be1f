"""Reference equilibria by SciPy, written to equilibria.json beside this file.

Every network is integrated to rest by DOP853 and solved by MINPACK's hybrid method; the script stops if they disagree.
Run: python3 equilibria.py
"""

import json
import pathlib

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import root
from scipy.special import expit

ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0.0),
    "tanh": np.tanh,
    "logistic": expit,
    "arctan": lambda z: 2 / np.pi * np.arctan(np.pi * z / 2),
    "softplus": lambda z: np.logaddexp(0.0, z),
}


def network(rng, n):
    """Weights that D certifies with margin 0.3 or more: D (I - W) = L L' + 0.3 D + K, K skew."""
    d = rng.uniform(0.5, 2.0, n)
    l = rng.standard_normal((n, n)) / np.sqrt(n)
    k = 1.5 * rng.standard_normal((n, n)) / np.sqrt(n)
    return np.eye(n) - (l @ l.T + 0.3 * np.diag(d) + k - k.T) / d[:, None], d


def main():
    rng = np.random.default_rng(20251)
    cases = []
    for name, phi in ACTIVATIONS.items():
        for n in (2, 5, 12):
            w, d = network(rng, n)
            u = rng.uniform(-2, 3, n)
            flow = lambda t, x: -x + phi(w @ x + u)
            x = np.zeros(n)
            for _ in range(20):
                x = solve_ivp(flow, (0, 10), x, method="DOP853", rtol=3e-14, atol=1e-15).y[:, -1]
            solved = root(lambda x: x - phi(w @ x + u), x, tol=1e-15).x
            assert np.abs(solved - x).max() < 1e-11, (name, n, np.abs(solved - x).max())
            assert np.abs(solved - phi(w @ solved + u)).max() < 1e-14
            cases.append(
                {"activation": name, "weights": w.tolist(), "certificate": d.tolist(), "input": u.tolist(), "state": solved.tolist()}
            )
    pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(cases) + "\n")


main()

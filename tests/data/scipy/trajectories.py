"""Reference trajectories by SciPy, written to trajectories.json beside this file.

Every case is integrated by DOP853 and by Radau at tight tolerances; the script stops if they disagree.
Run: python3 trajectories.py
"""

import json
import pathlib

import numpy as np
from scipy.integrate import solve_ivp

ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0.0),
    "tanh": np.tanh,
    "logistic": lambda z: 0.5 * (1.0 + np.tanh(0.5 * z)),
    "softplus": lambda z: np.logaddexp(0.0, z),
}


def flow(form, activation, w, tau, u):
    phi = ACTIVATIONS[activation]
    if form == "firing_rate":
        return lambda t, x: (-x + phi(w @ x + u(t))) / tau
    return lambda t, y: (-y + w @ phi(y) + u(t)) / tau


def segments(case):
    """The stretches (start, end, input function) between the jumps of the input."""
    own, end = case["input"], case["times"][-1]
    if case["kind"] == "sine":
        return [(0.0, end, lambda t: own * np.sin(2.0 * t))]
    if case["kind"] == "constant":
        return [(0.0, end, lambda t: own)]
    edges = [0.0, *case["jump_times"], end]
    values = [own, *case["jump_values"]]
    return [(s, e, lambda t, v=v: v) for s, e, v in zip(edges, edges[1:], values)]


def integrate(case, method):
    x, states = case["initial"], []
    for start, end, u in segments(case):
        f = flow(case["form"], case["activation"], case["weights"], case["time_constants"], u)
        inside = [t for t in case["times"] if start < t <= end or t == start == 0.0]
        grid = sorted({*inside, end})
        run = solve_ivp(f, (start, end), x, method=method, t_eval=grid, rtol=3e-14, atol=1e-14)
        assert run.success, run.message
        states += [run.y[:, k] for k, t in enumerate(grid) if t in inside]
        x = run.y[:, -1]
    return np.array(states)


def excitatory_inhibitory(rng, n, scale):
    w = scale * np.abs(rng.standard_normal((n, n))) / np.sqrt(n)
    w[:, n // 2 :] *= -1.5
    return w


def cases():
    rng = np.random.default_rng(20251205)
    for form in ["firing_rate", "hopfield"]:
        for activation in ACTIVATIONS:
            n = 6
            w = excitatory_inhibitory(rng, n, 0.8)
            tau = rng.uniform(0.5, 4.0, n)
            u = rng.uniform(-1.0, 1.0, n)
            yield dict(
                name=f"{form} {activation} constant", form=form, activation=activation, weights=w, time_constants=tau,
                input=u, kind="constant", initial=rng.uniform(0.0, 1.0, n), times=np.linspace(0.0, 10.0, 11),
            )
    n = 4
    w = excitatory_inhibitory(rng, n, 1.0)
    values = rng.uniform(-1.0, 2.0, (3, n))
    yield dict(
        name="firing_rate tanh jumps", form="firing_rate", activation="tanh", weights=w,
        time_constants=np.array([0.2, 1.0, 3.0, 0.7]), input=np.zeros(n), kind="jumps", jump_times=[1.0, 2.5, 4.25],
        jump_values=values, initial=np.zeros(n), times=np.linspace(0.0, 6.0, 13),
    )
    yield dict(
        name="hopfield tanh sine", form="hopfield", activation="tanh", weights=excitatory_inhibitory(rng, n, 1.0),
        time_constants=np.array([0.2, 1.0, 3.0, 0.7]), input=rng.uniform(0.5, 1.0, n), kind="sine",
        initial=np.zeros(n), times=np.linspace(0.0, 6.0, 13),
    )
    yield dict(
        name="wilson-cowan oscillation", form="firing_rate", activation="tanh",
        weights=np.array([[3.0, -4.0], [4.0, -0.5]]), time_constants=np.array([1.0, 1.0]), input=np.array([0.1, 0.0]),
        kind="constant", initial=np.array([0.1, 0.0]), times=np.linspace(0.0, 20.0, 21),
    )


def reference(case):
    explicit, implicit = integrate(case, "DOP853"), integrate(case, "Radau")
    gap = np.abs(explicit - implicit).max()
    assert gap < 1e-8, (case["name"], gap)
    return explicit


def main():
    out = []
    for case in cases():
        case["states"] = reference(case)
        out.append({k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in case.items()})
    text = ",\n".join(json.dumps(case) for case in out)
    pathlib.Path(__file__).with_name("trajectories.json").write_text("[\n" + text + "\n]\n")


main()

"""SciPy on the networks that `scipy_peers.rs` solves; `scipy_peers.sh` runs both and prints one table.

usage: scipy_peers.py write DIRECTORY N
       scipy_peers.py time DIRECTORY

`write` makes one dense random E-I network (80% excitatory, Dale's law) whose best diagonal certificate with one weight for all
excitatory and one for all inhibitory neurons has margin 0.05. `time` prints the seconds that SciPy's Anderson mixing and
Newton's method on SciPy's LU take on it for ReLU and tanh.
"""
import sys
import time

import numpy as np
import scipy.linalg as sl
import scipy.optimize as so
import scipy.sparse.linalg as ssl
import warnings

warnings.filterwarnings("ignore")
MARGIN, TOLERANCE, SECONDS = 0.05, 1e-10, 1.5


def largest(w, d):
    root = np.sqrt(d)
    k = root[:, None] * w / root
    return ssl.eigsh((k + k.T) / 2, k=1, which="LA", tol=1e-10)[0][0]


def network(n, seed):
    rng = np.random.default_rng(seed)
    e = int(0.8 * n)
    w = np.abs(rng.standard_normal((n, n))) / np.sqrt(n)
    w[:, e:] *= -4.0
    weights = lambda log_ratio: np.r_[np.ones(e), np.full(n - e, np.exp(log_ratio))]
    best = so.minimize_scalar(lambda s: largest(w, weights(s)), bounds=(-4, 6), method="bounded", options={"xatol": 1e-2})
    d = weights(best.x)
    w *= (1 - MARGIN) / largest(w, d)
    return w, rng.uniform(0, 2, n)


def clock(solve, seconds=SECONDS):
    """The quickest of the solves that fit into so many seconds, at least one, and its result."""
    best, end = np.inf, time.perf_counter() + seconds
    while True:
        t = time.perf_counter()
        x = solve()
        best = min(best, time.perf_counter() - t)
        if time.perf_counter() >= end:
            return best, x


PHIS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
}


def newton(w, u, phi, slope):
    x = np.zeros(len(u))
    for _ in range(50):
        z = w @ x + u
        r = x - phi(z)
        if np.abs(r).max() <= TOLERANCE:
            return x
        x = x - sl.lu_solve(sl.lu_factor(np.eye(len(u)) - slope(z)[:, None] * w), r)
    raise RuntimeError("no convergence")


def time_solvers(directory):
    w, u = np.load(f"{directory}/w.npy"), np.load(f"{directory}/u.npy")
    for name, (phi, slope) in PHIS.items():
        residual = lambda x: x - phi(w @ x + u)
        results = {"newton": clock(lambda: newton(w, u, phi, slope), 0)}
        for memory in (3, 5, 10, 20):
            try:
                results[f"anderson({memory})"] = clock(
                    lambda: so.anderson(
                        residual, np.zeros(len(u)), M=memory, f_tol=TOLERANCE, line_search=None, maxiter=200
                    )
                )
            except so.NoConvergence:
                pass
        for method, (seconds, x) in results.items():
            print(f"scipy,{name},{method},{seconds:.6f},{np.abs(residual(x)).max():.1e}")
        np.save(f"{directory}/{name}.npy", min(results.values(), key=lambda r: np.abs(residual(r[1])).max())[1])


if sys.argv[1] == "write":
    w, u = network(int(sys.argv[3]), 1)
    np.save(f"{sys.argv[2]}/w.npy", w)
    np.save(f"{sys.argv[2]}/u.npy", u)
else:
    time_solvers(sys.argv[2])

"""Largest S-contraction rates by a general conic solver.

Writes s_contraction.csv beside this file: one line per matrix with n, the rate that Clarabel reaches by bisection on the
block inequality in (P, Q), its seconds, and the entries by rows. Needs numpy, cvxpy and clarabel.
"""

import pathlib
import time

import cvxpy as cp
import numpy as np


def slack(w, c):
    """The largest t with P >= t I, Q >= t I and the block inequality with margin t, at sum(Q) = n."""
    n = len(w)
    p = cp.Variable((n, n), symmetric=True)
    q = cp.Variable(n)
    t = cp.Variable()
    corner = p + w.T @ cp.diag(q)
    block = cp.bmat([[2 * (1 - c) * p, -corner], [-corner.T, 2 * cp.diag(q)]])
    constraints = [(block + block.T) / 2 >> t * np.eye(2 * n), p >> t * np.eye(n), q >= t, cp.sum(q) == n]
    cp.Problem(cp.Maximize(t), constraints).solve(solver=cp.CLARABEL)
    return t.value


def largest_rate(w):
    low, high = 1 - 2 * np.linalg.norm(w, 2), 1.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (middle, high) if slack(w, middle) > 1e-9 else (low, middle)
    return low


rng = np.random.default_rng(5)
lines = ["n,rate,seconds,entries"]
for n in [2, 3, 4, 5, 6, 8]:
    for k in range(3):
        w = rng.normal(size=(n, n)) / np.sqrt(n)
        if k == 1:
            w = np.abs(w) * np.where(np.arange(n) % 3 == 0, -2.0, 1.0)
        if k == 2:
            w = w - w.T + 0.3 * np.diag(rng.normal(size=n))
        start = time.perf_counter()
        rate = float(largest_rate(w))
        seconds = time.perf_counter() - start
        lines.append(f"{n},{rate!r},{seconds:.3f},{' '.join(repr(float(v)) for v in w.ravel())}")
        print(lines[-1][:60], flush=True)
pathlib.Path(__file__).with_suffix(".csv").write_text("\n".join(lines) + "\n")

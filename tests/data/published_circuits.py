"""Rates, responses and numbers of equilibria of published circuits, from their equations alone.

Needs NumPy and SciPy; writes published_circuits.csv, which tests/equilibrium/published.rs compares with the library.
"""

import itertools
import pathlib

import numpy as np
from scipy.optimize import fsolve

rows = []

# Supralinear stabilised network (Hennequin et al. 2018): phi = 0.3 max(0, z)^2, input (h, h).
W = np.array([[1.25, -0.65], [1.2, -0.5]])
start = np.array([0.1, 0.1])
for h in (1.0, 2.0, 5.0, 15.0):
    for level in np.linspace(0.05, 1.0, 40) * h:  # follow the branch from weak inputs
        start = fsolve(lambda x: x - 0.3 * np.maximum(0, W @ x + level) ** 2, start, xtol=1e-13)
    slopes = np.diag(0.6 * np.maximum(0, W @ start + h))
    response = np.linalg.solve(np.eye(2) - slopes @ W, slopes)
    rows.append(("supralinear", h, *start, response[1, 1]))
    start = np.array([0.1, 0.1])

# Four cell types (del Molino et al. 2017), E, PV, SST, VIP.
W = np.array([[2.4167, -0.3329, -0.8039, 0], [2.9706, -3.4554, -2.1291, 0], [4.6440, 0, 0, -2.7896], [0.7162, 0, -0.1560, 0]])
g, t = np.array([6.25, 10, 5, 5]), np.array([0.0288, 0.008, 0.016, 0.016])


def phi(z):
    v = z / g - 20
    return v / (10 * t * -np.expm1(-v))


for name, u, near in (
    ("low", [115.03, 233.66, 94.31, 89.91], [1, 10, 3, 2]),
    ("high", [147.2512, 386.7281, 40.2657, 98.4368], [30, 50, 30, 20]),
):
    u = np.array(u)
    x = fsolve(lambda x: x - phi(W @ x + u), near, xtol=1e-13)
    z, step = W @ x + u, 1e-4
    slopes = np.diag((phi(z + step) - phi(z - step)) / (2 * step))
    response = np.linalg.solve(np.eye(4) - slopes @ W, slopes)
    rows.append(("cell types " + name, 0, *x, response[2, 3]))


def threshold_linear(graph, eps, delta):
    """Fixed points of x = max(0, W x + 1), by trying every support."""
    n = len(graph)
    w = np.where(graph, -1 + eps, -1 - delta).astype(float)
    np.fill_diagonal(w, 0)
    count = 0
    for size in range(1, n + 1):
        for support in map(list, itertools.combinations(range(n), size)):
            x = np.zeros(n)
            x[support] = np.linalg.solve(np.eye(size) - w[np.ix_(support, support)], np.ones(size))
            drive = w @ x + 1
            count += bool((x[support] > 0).all() and (np.delete(drive, support) <= 0).all())
    return count


def cyclic_union(sizes):
    """Edges j -> i, as graph[i, j], from every node of a part to every node of the next."""
    part = np.repeat(np.arange(len(sizes)), sizes)
    return part[:, None] == (part[None, :] + 1) % len(sizes)


rows.append(("threshold-linear 1-1-1", 0, threshold_linear(cyclic_union([1, 1, 1]), 0.25, 0.5)))
for sizes in ([2, 2, 2], [3, 2, 1], [2, 2, 2, 2, 2]):
    rows.append(("threshold-linear " + "-".join(map(str, sizes)), 0, threshold_linear(cyclic_union(sizes), 0.75, 4)))

# Ring of 256 ReLU neurons, J0 = -2, u = 1: the bump centred on a neuron.
n = 256
angle = 2 * np.pi * np.arange(n) / n
for j2 in (3.0, 4.0, 6.0):
    w = (-2 + j2 * np.cos(angle[:, None] - angle)) / n
    x = np.maximum(0, np.cos(angle))
    for _ in range(4000):
        x += 0.2 * (np.maximum(0, w @ x + 1) - x)
        x[1:] = (x[1:] + x[:0:-1]) / 2  # keeps the bump where it is
    active = w @ x + 1 > 0
    x = np.zeros(n)
    x[active] = np.linalg.lstsq(np.eye(active.sum()) - w[np.ix_(active, active)], np.ones(active.sum()), rcond=1e-12)[0]
    rows.append(("ring", j2, x.max()))

with open(pathlib.Path(__file__).with_name("published_circuits.csv"), "w") as file:
    file.write("circuit,parameter,values\n")
    for name, parameter, *values in rows:
        file.write(f"{name},{parameter:g},{' '.join(f'{v:.12g}' for v in values)}\n")

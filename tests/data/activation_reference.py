"""High-precision references for tests/activation.rs: python3 activation_reference.py > activation_reference.csv

Needs mpmath. Every function is written down from its definition, with nothing rearranged; 300 to 1400 digits take care of
the cancellation. Columns: activation, parameters (separated by blanks), method, the arguments, the value, and the
condition number sum |argument d(value)/d(argument)| / |value|. Arguments are doubles, printed so that they read back exactly.
"""

import sys
from mpmath import mp, mpf, inf, pi, log, exp, sqrt, tan, atan, tanh, cosh, cos, hyp2f1, sin

mp.dps = 120


class Activation:
    """phi, its inverse, Psi and Psi*; `z` and `x` are the points of the table."""

    lower, upper = -inf, inf
    z = [0.0, 1e-300, 1e-20, 1e-8, 1e-3, 0.1, 0.3, 0.7, 1.0, 1.7, 3.0, 10.0, 30.0, 300.0, 1e8, 1e300]
    both_signs = True

    def __init__(self, *parameters):
        self.parameters = parameters

    def points(self):
        return self.z + ([-z for z in self.z if z] if self.both_signs else [-1e300, -1.0, -1e-8])

    def rates(self):
        inside = [0.0, 1e-300, 1e-20, 1e-8, 1e-3, 0.1, 0.25, 0.45, 0.5, 0.55, 0.75, 0.9, 0.999, 1 - 1e-10, 1 - 2.0**-53, 1.0]
        return inside + [-x for x in inside if x]

    def slope(self, z):
        h = mpf(10) ** (-30) * (abs(z) if z else 1)
        return (self.phi(z + h) - self.phi(z - h)) / (2 * h)

    def contains(self, x):
        return self.lower <= x <= self.upper


class Identity(Activation):
    def phi(self, z): return z
    def inverse(self, x): return x
    def psi(self, x): return x**2 / 2
    def conjugate(self, z): return z**2 / 2


class Relu(Activation):
    lower = 0
    def phi(self, z): return max(mpf(0), z)
    def inverse(self, x): return x
    def psi(self, x): return x**2 / 2
    def conjugate(self, z): return max(mpf(0), z) ** 2 / 2


class LeakyRelu(Activation):
    def phi(self, z): return max(mpf(self.parameters[0]) * z, z)
    def inverse(self, x): return x if x >= 0 else x / mpf(self.parameters[0])
    def psi(self, x): return x**2 / 2 if x >= 0 else x**2 / (2 * mpf(self.parameters[0]))
    def conjugate(self, z): return z**2 / 2 if z >= 0 else mpf(self.parameters[0]) * z**2 / 2


class ClippedLinear(Activation):
    def __init__(self, lower, upper):
        super().__init__(lower, upper)
        self.lower, self.upper = lower, upper

    def rates(self):
        return [self.lower, self.upper] + [self.lower + (self.upper - self.lower) * t for t in (0.1, 0.5, 0.75)]

    def phi(self, z): return min(max(mpf(self.lower), z), mpf(self.upper))
    def inverse(self, x):
        if x == self.lower: return min(x, 0)
        if x == self.upper: return max(x, 0)
        return x
    def psi(self, x): return x**2 / 2
    def conjugate(self, z):
        x = self.phi(z)
        return x * z - x**2 / 2


class SoftThreshold(Activation):
    def phi(self, z):
        t = mpf(self.parameters[0])
        return z - t if z > t else z + t if z < -t else mpf(0)
    def inverse(self, x):
        t = mpf(self.parameters[0])
        return x + t if x > 0 else x - t if x < 0 else mpf(0)
    def psi(self, x): return x**2 / 2 + self.parameters[0] * abs(x)
    def conjugate(self, z): return self.phi(z) ** 2 / 2


class RectifiedThreshold(Activation):
    lower = 0
    def phi(self, z): return max(mpf(0), z - mpf(self.parameters[0]))
    def inverse(self, x): return x + mpf(self.parameters[0]) if x > 0 else min(mpf(self.parameters[0]), 0)
    def psi(self, x): return x**2 / 2 + mpf(self.parameters[0]) * x
    def conjugate(self, z): return self.phi(z) ** 2 / 2


class Tanh(Activation):
    lower, upper = -1, 1
    def phi(self, z): return tanh(mpf(self.parameters[0]) * z)
    def slope(self, z):
        t = abs(mpf(self.parameters[0]) * z)
        return mpf(self.parameters[0]) * 4 * exp(-2 * t) / (1 + exp(-2 * t)) ** 2
    def inverse(self, x):
        if abs(x) == 1: return inf * x
        return log((1 + x) / (1 - x)) / 2 / mpf(self.parameters[0])
    def psi(self, x):
        if abs(x) == 1: return log(mpf(2)) / mpf(self.parameters[0])
        return (x * log((1 + x) / (1 - x)) / 2 + log(1 - x**2) / 2) / mpf(self.parameters[0])
    def conjugate(self, z):
        t = abs(mpf(self.parameters[0]) * z)
        return (t + log(1 + exp(-2 * t)) - log(mpf(2))) / mpf(self.parameters[0])


class Logistic(Activation):
    lower, upper = 0, 1
    def phi(self, z): return 1 / (1 + exp(-mpf(self.parameters[0]) * (z - mpf(self.parameters[1]))))
    def slope(self, z):
        e = exp(-abs(mpf(self.parameters[0]) * (z - mpf(self.parameters[1]))))
        return mpf(self.parameters[0]) * e / (1 + e) ** 2
    def inverse(self, x):
        if x == 0: return -inf
        if x == 1: return inf
        return log(x / (1 - x)) / mpf(self.parameters[0]) + mpf(self.parameters[1])
    def psi(self, x):
        entropy = 0 if x in (0, 1) else x * log(x) + (1 - x) * log(1 - x)
        return entropy / mpf(self.parameters[0]) + mpf(self.parameters[1]) * x
    def conjugate(self, z):
        t = mpf(self.parameters[0]) * (z - mpf(self.parameters[1]))
        return (max(t, 0) + log(1 + exp(-abs(t)))) / mpf(self.parameters[0])


class Arctan(Activation):
    lower, upper = -1, 1
    def phi(self, z): return 2 / pi * atan(pi * z / 2)
    def slope(self, z): return 1 / (1 + (pi * z / 2) ** 2)
    def inverse(self, x): return inf * x if abs(x) == 1 else 2 / pi * tan(pi * x / 2)
    def psi(self, x): return inf if abs(x) == 1 else -4 / pi**2 * log(cos(pi * x / 2))
    def conjugate(self, z): return 2 / pi * z * atan(pi * z / 2) - 2 / pi**2 * log(1 + (pi * z / 2) ** 2)


class Algebraic(Activation):
    lower, upper = -1, 1
    def phi(self, z): return z / sqrt(1 + z**2)
    def slope(self, z): return (1 + z**2) ** mpf(-1.5)
    def inverse(self, x): return inf * x if abs(x) == 1 else x / sqrt(1 - x**2)
    def psi(self, x): return 1 - sqrt(1 - x**2)
    def conjugate(self, z): return sqrt(1 + z**2) - 1


class Softplus(Activation):
    lower = 0
    z = Activation.z + [0.6931, 2.3]
    def rates(self): return [0.0, 1e-300, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 0.6931, 1.0, 1.3, 1.99, 2.01, 5.0, 30.0, 300.0, 1e8, 1e150]
    def phi(self, z):
        t = mpf(self.parameters[0]) * z
        return (max(t, 0) + log(1 + exp(-abs(t)))) / mpf(self.parameters[0])
    def slope(self, z): return 1 / (1 + exp(-mpf(self.parameters[0]) * z))
    def inverse(self, x):
        if x == 0: return -inf
        y = mpf(self.parameters[0]) * x
        return (y + log(1 - exp(-y))) / mpf(self.parameters[0])
    def psi(self, x):
        if x == 0: return mpf(0)
        y = mpf(self.parameters[0]) * x
        return (y**2 / 2 + dilogarithm(exp(-y)) - pi**2 / 6) / mpf(self.parameters[0]) ** 2
    def conjugate(self, z):
        t = mpf(self.parameters[0]) * z
        if t > 0: value = pi**2 / 6 + t**2 / 2 + dilogarithm(-exp(-t))
        else: value = -dilogarithm(-exp(t))
        return value / mpf(self.parameters[0]) ** 2


def dilogarithm(u):
    """Li_2(u) for -1 <= u <= 1 by its power series, brought to |u| <= 1/2 by Euler's and Landen's identities."""
    if u == 0 or u == 1: return u * pi**2 / 6
    if u > 0.5: return pi**2 / 6 - log(u) * log(1 - u) - dilogarithm(1 - u)
    if u < 0: return -dilogarithm(u / (u - 1)) - log(1 - u) ** 2 / 2
    total, power, k = mpf(0), mpf(u), 1
    while power > total * mp.eps:
        total += power / k**2
        power *= u
        k += 1
    return total


class PowerLaw(Activation):
    lower = 0
    z = [0.0, 1e-300, 1e-100, 1e-20, 1e-3, 0.3, 1.0, 1.7, 30.0, 1e8, 1e30, 1e100]
    both_signs = False
    def rates(self): return [0.0, 1e-300, 1e-100, 1e-20, 1e-3, 0.3, 1.0, 1.7, 30.0, 1e8, 1e30, 1e100]
    def phi(self, z): return mpf(0) if z <= 0 else z ** mpf(self.parameters[0])
    def slope(self, z): return mpf(0) if z <= 0 else mpf(self.parameters[0]) * z ** (mpf(self.parameters[0]) - 1)
    def inverse(self, x): return mpf(0) if x == 0 else x ** (1 / mpf(self.parameters[0]))
    def psi(self, x): return mpf(0) if x == 0 else x ** (1 + 1 / mpf(self.parameters[0])) / (1 + 1 / mpf(self.parameters[0]))
    def conjugate(self, z): return mpf(0) if z <= 0 else z ** (1 + mpf(self.parameters[0])) / (1 + mpf(self.parameters[0]))


class NakaRushton(Activation):
    lower = 0
    z = [0.0, 1e-300, 1e-100, 1e-20, 1e-3, 0.3, 0.99, 1.0, 1.01, 1.7, 30.0, 1e8, 1e30, 1e300]
    both_signs = False

    def __init__(self, r, s, k):
        super().__init__(r, s, k)
        self.upper = r

    def rates(self):
        r = self.parameters[0]
        return [r * t for t in (0.0, 1e-300, 1e-20, 1e-3, 0.1, 0.3, 0.4999, 0.5, 0.5001, 0.7, 0.99, 1 - 2.0**-40, 1 - 2.0**-53, 1.0)]

    def phi(self, z):
        r, s, k = map(mpf, self.parameters)
        return mpf(0) if z <= 0 else r / (1 + (s / z) ** k)
    def slope(self, z):
        r, s, k = map(mpf, self.parameters)
        return mpf(0) if z <= 0 else r * k * s**k * z ** (k - 1) / (s**k + z**k) ** 2
    def inverse(self, x):
        r, s, k = map(mpf, self.parameters)
        if x == r: return inf
        return mpf(0) if x == 0 else s * (x / (r - x)) ** (1 / k)
    def psi(self, x):
        r, s, k = map(mpf, self.parameters)
        if x == 0: return mpf(0)
        if x == r: return r * s * (pi / k) / sin(pi / k) if k > 1 else inf
        u = x / r
        if k == 1: return r * s * (-u - log(1 - u))
        # B(u; 1 + 1/k, 1 - 1/k)
        p = 1 / k
        return r * s * u ** (1 + p) / (1 + p) * hyp2f1(1 + p, p, 2 + p, u)
    def conjugate(self, z):
        r, s, k = map(mpf, self.parameters)
        if z <= 0: return mpf(0)
        v = z / s
        if k == 1: return r * s * (v - log(1 + v))
        if v**k < mpf(10) ** 30:
            return r * s * v ** (k + 1) / (k + 1) * hyp2f1(1, 1 + 1 / k, 2 + 1 / k, -(v**k))
        # v - int_0^inf dw/(1 + w^k) + int_v^inf w^{-k} - w^{-2k} + ..., where it converges fast.
        p = pi / k
        tail = sum((-1) ** j * v ** (1 - k * (j + 1)) / (k * (j + 1) - 1) for j in range(40))
        return r * s * (v - p / sin(p) + tail)


def prox(a, z, step):
    """argmin_s Psi(s) - s^2/2 + (s - z)^2/(2 step) by the stationary points step y = (step - 1) phi(y) + z."""
    g = lambda y: step * y - (step - 1) * a.phi(y) - z
    grid = sorted({mpf(s) * mpf(2) ** (mpf(e) / 4) for s in (-1, 1) for e in range(-120, 200)} | {mpf(0)})
    roots = []
    for lo, hi in zip(grid, grid[1:]):
        if g(lo) == 0: roots.append(lo)
        if g(lo) < 0 < g(hi):
            for _ in range(460):
                mid = (lo + hi) / 2
                if g(mid) < 0: lo = mid
                else: hi = mid
            roots.append((lo + hi) / 2)
    energy = lambda s: step * (a.psi(s) - s**2 / 2) + (s - z) ** 2 / 2
    return min((a.phi(y) for y in roots), key=energy)


def emit(a, method, arguments, f):
    extreme = any(x and not 1e-25 < abs(x) < 1e25 for x in arguments)
    slow = isinstance(a, NakaRushton) and a.parameters[2] != 1 and method in ("conjugate", "fenchel_young")
    mp.dps = 120 if method == "prox" else 1400 if extreme and not slow else 300
    args = [mpf(x) for x in arguments]
    value = f(*args)
    condition = mpf(0)
    if value != 0 and abs(value) != inf:
        for i, x in enumerate(args):
            if x == 0: continue
            h = mpf(10) ** -25
            moved = f(*[y * (1 - h) if i == j else y for j, y in enumerate(args)])
            if abs(moved) != inf: condition += abs(moved - value) / abs(value) / h
    show = lambda x: mp.nstr(x, 20) if abs(x) != inf else ("inf" if x > 0 else "-inf")
    fields = [type(a).__name__, " ".join(map(repr, a.parameters)), method]
    fields += [" ".join(map(repr, arguments)), show(value), mp.nstr(condition, 3)]
    print(",".join(fields))
    mp.dps = 120


def smooth(a):
    return isinstance(a, (Tanh, Logistic, Arctan, Algebraic, Softplus, PowerLaw, NakaRushton))


def table(a):
    for z in a.points():
        emit(a, "activate", [z], a.phi)
        if smooth(a): emit(a, "derivative", [z], a.slope)
        emit(a, "conjugate", [z], a.conjugate)
    rates = [x for x in a.rates() if a.contains(x)]
    for x in rates:
        emit(a, "inverse", [x], a.inverse)
        emit(a, "potential", [x], a.psi)
        emit(a, "cost", [x], lambda x: a.psi(x) - x**2 / 2)
    gap = lambda x, z: a.psi(x) + a.conjugate(z) - x * z
    for z in a.points()[:: 2 if isinstance(a, (NakaRushton, Softplus)) else 1]:
        near = [float(a.phi(mpf(z))) * (1 + d) for d in (0.5, -0.3, 1e-2, -1e-3, 1e-5)]
        near = [x for x in near if a.contains(x) and x != a.phi(mpf(z))]
        for x in dict.fromkeys(near + rates[1::3]):
            emit(a, "fenchel_young", [x, z], gap)
    if smooth(a):
        for step in (0.01, 0.5, 1.0, 1.2, 3.0):
            for z in (-2.0, -0.3, 1e-3, 0.4, 0.9, 2.0, 20.0):
                if isinstance(a, PowerLaw) and (step > 1 or z < 0): continue
                emit(a, "prox", [z, step], lambda z, step: prox(a, z, step))


# Parameters that single precision represents exactly.
ALL = [
    Identity(), Relu(), LeakyRelu(0.125), LeakyRelu(2.0**-10), ClippedLinear(-1.0, 2.0), ClippedLinear(0.5, 40.0),
    SoftThreshold(0.0), SoftThreshold(0.25), RectifiedThreshold(0.75), RectifiedThreshold(-0.75),
    Tanh(1.0), Tanh(2.5), Tanh(2.0**-10), Logistic(1.0, 0.0), Logistic(6.0, 0.5), Logistic(0.125, -3.0), Arctan(),
    Algebraic(), Softplus(1.0), Softplus(8.0), PowerLaw(1.0), PowerLaw(2.0), PowerLaw(2.75), PowerLaw(0.625),
    NakaRushton(1.0, 1.0, 1.0), NakaRushton(100.0, 20.0, 2.0), NakaRushton(2.0, 0.5, 3.5), NakaRushton(1.0, 3.0, 30.0),
    NakaRushton(5.0, 1.5, 0.75), NakaRushton(1.0, 1.0, 1.0 + 2.0**-10),
]

if __name__ == "__main__":
    print("activation,parameters,method,arguments,value,condition")
    chosen = sys.argv[1:]
    for activation in ALL:
        if not chosen or type(activation).__name__ in chosen:
            table(activation)

"""Element kernels of the stabilised Navier-Stokes equations, compiled by numba: what FFCx would generate, several times faster (a test compares them).

Equal-order elements of degree 1 or 2 for velocity and pressure; four unknowns (u, v, w, p) per node, m nodes per cell. Straight cells, and cells of degree 2
with curved edges. Cells come in blocks that share no node with others of their colour, so that threads can add to one matrix.
"""

import numpy as np
from numba import njit, prange

WIDTH = 16  # nodes of a cell, 10 at most, padded: LLVM makes vectors only of loops of 16 and more


@njit(cache=True, fastmath=True, parallel=True)
def time_scales(cells, gradient, state, constants, tau, tau_c):
    """Fill tau (C,) and tau_c (C,): SUPG/PSPG time scale and grad-div viscosity per cell, about the mean velocity of its nodes.

    tau = ((2 k)^2 u G u + 36 k^4 nu^2 G:G)^-1/2, G = sum of g g^T over the gradients g of the barycentric coordinates, k: degree (Bazilevs et al., Comput
    Methods Appl Mech Eng 2007;197:173); tau_c = 1 / (tau tr G); then both are scaled. gradient: (C, 4, 3). constants: (nu (C,), degree, scale, scale_c).
    """
    nu, degree, scale, scale_c = constants
    for e in prange(len(cells)):
        u = np.zeros(3)
        for a in cells[e]:
            for i in range(3):
                u[i] += state[a, i] / cells.shape[1]
        along = square = trace = 0.0
        for a in range(4):
            g = gradient[e, a]
            along += (g[0] * u[0] + g[1] * u[1] + g[2] * u[2]) ** 2
            for b in range(4):
                square += (g[0] * gradient[e, b, 0] + g[1] * gradient[e, b, 1] + g[2] * gradient[e, b, 2]) ** 2
            trace += g[0] * g[0] + g[1] * g[1] + g[2] * g[2]
        full = 1.0 / np.sqrt(4 * degree**2 * along + 36 * degree**4 * nu[e] * nu[e] * square)
        tau[e] = scale * full
        tau_c[e] = scale_c / (full * trace)


@njit(cache=True, fastmath=True, parallel=True)
def assemble(mesh, state, fields, basis, target, wanted):
    """Add the residual (N, 4) and, if `wanted`, the Jacobian's 4 x 4 blocks (K, 4, 4) of all cells. target: (blocks, residual).

    Weak form: (a + u.grad u + div u / 2 u, v) + nu (grad u, grad v) - (p, div v) + (div u, q) + (s, tau (u.grad v + grad q)) + (tau_c div u, div v) with
    the strong residual s = a + u.grad u + grad p - nu laplace u and the acceleration a = rate u - past. The Jacobian is exact but for the derivatives of
    tau. mesh: FlowSpace.for_kernels. fields: (tau, tau_c, nu, rate, past), nu (C,), past (N, 3), or (0, 3) of a steady flow.
    basis: (weights (Q,), values (Q, m), reference gradients (Q, m, 3), reference second derivatives (m, 3, 3)).
    """
    blocks, colours, cells, (nodes, curved, gradient, volume), slot = mesh
    tau, tau_c, nu, rate, past = fields
    weight, value, slope, curve = basis
    m = cells.shape[1]
    for colour in range(len(colours) - 1):
        for block in prange(colours[colour], colours[colour + 1]):
            w, local, matrix, work = np.empty((m, 4)), np.empty((m, 4)), np.empty(m * 16 * WIDTH, target[0].dtype), np.zeros(6 * WIDTH, target[0].dtype)
            grad, laplace, adv = np.empty((m, 3)), np.empty(m), np.empty(m)
            u, gu, s, g = np.empty(4), np.empty((3, 3)), np.empty(3), np.empty((4, 3))
            before, acc = np.zeros((m, 3)), np.empty(3)
            for e in range(blocks[block], blocks[block + 1]):
                local[:] = 0.0
                if wanted:
                    matrix[:] = 0.0
                for a in range(m):
                    w[a] = state[cells[e, a]]
                    if len(past):
                        before[a] = past[cells[e, a]]
                g[:], size = gradient[e], volume[e]
                _laplacians(curve, g, laplace)
                for q in range(len(weight)):
                    if curved[e]:
                        size = _bent(nodes, cells[e], slope[q], curve, (g, laplace))
                    _at_point(value[q], slope[q], g, (w, laplace, nu[e], rate, before), (grad, adv, u, gu, s, acc))
                    constants = (weight[q] * size, tau[e], tau_c[e], nu[e], rate)
                    _add_residual(value[q], (grad, adv, u, gu, s, acc), constants, local)
                    if wanted:
                        _add_jacobian(value[q], (grad, adv, u, gu, laplace, s), constants, work, matrix)
                _scatter(cells[e], slot[e], (local, matrix), target, wanted)


@njit(cache=True, fastmath=True)
def _laplacians(curve, g, laplace):
    """laplace N_a, constant in a cell. curve: symmetric in its last two indices."""
    laplace[:] = 0.0
    for i in range(3):
        for j in range(i + 1):
            metric = g[i + 1, 0] * g[j + 1, 0] + g[i + 1, 1] * g[j + 1, 1] + g[i + 1, 2] * g[j + 1, 2]
            if j < i:
                metric *= 2.0
            for a in range(len(laplace)):
                laplace[a] += curve[a, i, j] * metric


@njit(cache=True, fastmath=True)
def _bent(nodes, cell, slope, curve, out):
    """At a point of a curved cell: g (4, 3) gradients of the reference coordinates (rows 1-3), laplace N_a; returns |det J| / 6.

    x = sum of x_a N_a: laplace N = sum N_,kl g_k.g_l + sum N_,k laplace xi_k with laplace xi_k = -g_k . sum x_,lm g_l.g_m (x is linear in itself).
    """
    g, laplace = out
    jacobian, bend = np.zeros((3, 3)), np.zeros(3)
    for a in range(len(cell)):
        for i in range(3):
            for k in range(3):
                jacobian[i, k] += nodes[cell[a], i] * slope[a, k]
    det = 0.0
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        for l in range(3):  # noqa: E741
            m, n = (l + 1) % 3, (l + 2) % 3
            g[l + 1, i] = jacobian[j, m] * jacobian[k, n] - jacobian[j, n] * jacobian[k, m]
        det += jacobian[i, 0] * g[1, i]
    for i in range(3):
        for k in range(3):
            g[k + 1, i] /= det
        g[0, i] = -g[1, i] - g[2, i] - g[3, i]
    _laplacians(curve, g, laplace)
    for a in range(len(cell)):
        for i in range(3):
            bend[i] += nodes[cell[a], i] * laplace[a]
    for k in range(3):
        moved = g[k + 1, 0] * bend[0] + g[k + 1, 1] * bend[1] + g[k + 1, 2] * bend[2]
        for a in range(len(cell)):
            laplace[a] -= slope[a, k] * moved
    return abs(det) / 6


@njit(cache=True, fastmath=True)
def _at_point(value, slope, g, known, out):
    """At a quadrature point: grad N_a, u.grad N_a, (u, p), grad u, the strong residual s, and the acceleration."""
    w, laplace, nu, rate, before = known
    grad, adv, u, gu, s, acc = out
    m = len(value)
    u[:] = 0.0
    gu[:] = 0.0
    acc[:] = 0.0
    for a in range(m):
        for i in range(3):
            acc[i] += value[a] * (rate * w[a, i] - before[a, i])
    s[:] = acc
    for a in range(m):
        for i in range(3):
            grad[a, i] = slope[a, 0] * g[1, i] + slope[a, 1] * g[2, i] + slope[a, 2] * g[3, i]
        for i in range(4):
            u[i] += value[a] * w[a, i]
        for i in range(3):
            s[i] += w[a, 3] * grad[a, i] - nu * laplace[a] * w[a, i]
            for j in range(3):
                gu[i, j] += w[a, i] * grad[a, j]
    for i in range(3):
        s[i] += gu[i, 0] * u[0] + gu[i, 1] * u[1] + gu[i, 2] * u[2]
    for a in range(m):
        adv[a] = u[0] * grad[a, 0] + u[1] * grad[a, 1] + u[2] * grad[a, 2]


@njit(cache=True, fastmath=True)
def _add_residual(value, point, constants, local):
    grad, adv, u, gu, s, acc = point
    dv, tau, tau_c, nu, _ = constants
    div = gu[0, 0] + gu[1, 1] + gu[2, 2]
    bulk = tau_c * div - u[3]
    for a in range(len(value)):
        x, y, z = grad[a, 0], grad[a, 1], grad[a, 2]
        for i in range(3):
            convection = acc[i] + gu[i, 0] * u[0] + gu[i, 1] * u[1] + gu[i, 2] * u[2] + 0.5 * div * u[i]
            viscous = nu * (x * gu[i, 0] + y * gu[i, 1] + z * gu[i, 2])
            local[a, i] += dv * (value[a] * convection + tau * adv[a] * s[i] + viscous + bulk * grad[a, i])
        local[a, 3] += dv * (value[a] * div + tau * (x * s[0] + y * s[1] + z * s[2]))


@njit(cache=True, fastmath=True)
def _add_jacobian(value, point, constants, trial, matrix):
    """Blocks of all pairs of nodes at a quadrature point, in the precision of the target. matrix: flat (m, 4, 4, WIDTH), the trial function last."""
    grad, adv, u, gu, laplace, s = point
    dv, tau, tau_c, nu, rate = constants
    half_div, one = 0.5 * (gu[0, 0] + gu[1, 1] + gu[2, 2]), trial.dtype.type
    for b in range(len(value)):
        moved = adv[b] + rate * value[b]
        trial[b], trial[WIDTH + b], trial[2 * WIDTH + b], trial[3 * WIDTH + b] = grad[b, 0], grad[b, 1], grad[b, 2], value[b]
        trial[4 * WIDTH + b], trial[5 * WIDTH + b] = moved + half_div * value[b], moved - nu * laplace[b]
    slopes = (one(gu[0, 0]), one(gu[0, 1]), one(gu[0, 2]), one(gu[1, 0]), one(gu[1, 1]), one(gu[1, 2]), one(gu[2, 0]), one(gu[2, 1]), one(gu[2, 2]))
    speed, strong = (one(0.5 * u[0]), one(0.5 * u[1]), one(0.5 * u[2])), (one(dv * tau * s[0]), one(dv * tau * s[1]), one(dv * tau * s[2]))
    weights = (one(dv), one(dv * tau), one(dv * nu), one(dv * tau_c))
    for a in range(len(value)):
        _add_row(a, one(adv[a]), (slopes, speed, strong, weights), trial, matrix[a * 16 * WIDTH : (a + 1) * 16 * WIDTH])


@njit(cache=True, fastmath=True)
def _add_row(a, adv, point, trial, row):
    """Blocks of test function a with all trial functions. One loop whose every index is a constant plus b: LLVM makes vectors of it."""
    (k00, k01, k02, k10, k11, k12, k20, k21, k22), (u0, u1, u2), (e0, e1, e2), (dw, dt, dn, dc) = point
    x, y, z, n, ta = trial[a], trial[WIDTH + a], trial[2 * WIDTH + a], dw * trial[3 * WIDTH + a], dt * adv
    test = n + ta
    f0, f1, f2 = n * u0 + dc * x, n * u1 + dc * y, n * u2 + dc * z
    c00, c01, c02 = test * k00 + e0 * x, test * k01 + e0 * y, test * k02 + e0 * z
    c10, c11, c12 = test * k10 + e1 * x, test * k11 + e1 * y, test * k12 + e1 * z
    c20, c21, c22 = test * k20 + e2 * x, test * k21 + e2 * y, test * k22 + e2 * z
    p0, p1, p2 = dt * (x * k00 + y * k10 + z * k20), dt * (x * k01 + y * k11 + z * k21), dt * (x * k02 + y * k12 + z * k22)
    for b in range(WIDTH):
        gx, gy, gz, v, strong = trial[b], trial[WIDTH + b], trial[2 * WIDTH + b], trial[3 * WIDTH + b], trial[5 * WIDTH + b]
        dot = x * gx + y * gy + z * gz
        same = n * trial[4 * WIDTH + b] + ta * strong + dn * dot
        row[b] += same + c00 * v + f0 * gx
        row[WIDTH + b] += c01 * v + f0 * gy
        row[2 * WIDTH + b] += c02 * v + f0 * gz
        row[3 * WIDTH + b] += ta * gx - dw * x * v
        row[4 * WIDTH + b] += c10 * v + f1 * gx
        row[5 * WIDTH + b] += same + c11 * v + f1 * gy
        row[6 * WIDTH + b] += c12 * v + f1 * gz
        row[7 * WIDTH + b] += ta * gy - dw * y * v
        row[8 * WIDTH + b] += c20 * v + f2 * gx
        row[9 * WIDTH + b] += c21 * v + f2 * gy
        row[10 * WIDTH + b] += same + c22 * v + f2 * gz
        row[11 * WIDTH + b] += ta * gz - dw * z * v
        row[12 * WIDTH + b] += n * gx + dt * x * strong + p0 * v
        row[13 * WIDTH + b] += n * gy + dt * y * strong + p1 * v
        row[14 * WIDTH + b] += n * gz + dt * z * strong + p2 * v
        row[15 * WIDTH + b] += dt * dot


@njit(cache=True)
def _scatter(nodes, slot, local, target, wanted):
    vector, matrix = local
    blocks, residual = target
    for a in range(len(nodes)):
        for i in range(4):
            residual[nodes[a], i] += vector[a, i]
        if wanted:
            for b in range(len(nodes)):
                for i in range(4):
                    for j in range(4):
                        blocks[slot[a, b], i, j] += matrix[(16 * a + 4 * i + j) * WIDTH + b]

"""Element kernels of the stabilised Navier-Stokes equations, compiled by numba: what FFCx would generate, several times faster (a test compares them).

Equal-order elements of degree 1 or 2 for velocity and pressure; four unknowns (u, v, w, p) per node, m nodes per cell. Straight cells, and cells of degree 2
with curved edges. Cells come in blocks that share no node with others of their colour, so that threads can add to one matrix.
"""

import numpy as np
from numba import njit, prange


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
            w, local, matrix = np.empty((m, 4)), np.empty((m, 4)), np.empty((4, 4, m, m))
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
                        _add_diagonal(value[q], (grad, adv, gu, laplace), constants, matrix)
                        _add_coupling(value[q], (grad, adv, u, gu, s), constants, matrix)
                _scatter(cells[e], slot[e], (local, matrix), target, wanted)


@njit(cache=True, fastmath=True)
def _laplacians(curve, g, laplace):
    """laplace N_a, constant in a cell."""
    laplace[:] = 0.0
    for i in range(3):
        for j in range(3):
            metric = g[i + 1, 0] * g[j + 1, 0] + g[i + 1, 1] * g[j + 1, 1] + g[i + 1, 2] * g[j + 1, 2]
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
    for a in range(len(cell)):
        for k in range(3):
            laplace[a] -= slope[a, k] * (g[k + 1, 0] * bend[0] + g[k + 1, 1] * bend[1] + g[k + 1, 2] * bend[2])
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
def _add_diagonal(value, point, constants, matrix):
    """What is the same for all three components, and the pressure's row and column."""
    grad, adv, gu, laplace = point
    dv, tau, _, nu, rate = constants
    div = gu[0, 0] + gu[1, 1] + gu[2, 2]
    for a in range(len(value)):
        x, y, z = grad[a, 0], grad[a, 1], grad[a, 2]
        n, ta = dv * value[a], dv * tau * adv[a]
        pull = (x * gu[0, 0] + y * gu[1, 0] + z * gu[2, 0], x * gu[0, 1] + y * gu[1, 1] + z * gu[2, 1], x * gu[0, 2] + y * gu[1, 2] + z * gu[2, 2])
        for b in range(len(value)):
            moved = adv[b] + rate * value[b]
            strong = moved - nu * laplace[b]
            dot = x * grad[b, 0] + y * grad[b, 1] + z * grad[b, 2]
            same = n * moved + ta * strong + 0.5 * n * div * value[b] + dv * nu * dot
            for i in range(3):
                matrix[i, i, a, b] += same
                matrix[i, 3, a, b] += ta * grad[b, i] - dv * grad[a, i] * value[b]
                matrix[3, i, a, b] += n * grad[b, i] + dv * tau * (strong * grad[a, i] + value[b] * pull[i])
            matrix[3, 3, a, b] += dv * tau * dot


@njit(cache=True, fastmath=True)
def _add_coupling(value, point, constants, matrix):
    """What ties one velocity component to another."""
    grad, adv, u, gu, s = point
    dv, tau, tau_c, _, _ = constants
    for a in range(len(value)):
        test = dv * (value[a] + tau * adv[a])
        for i in range(3):
            far = dv * (0.5 * value[a] * u[i] + tau_c * grad[a, i])
            for j in range(3):
                near = test * gu[i, j] + dv * tau * s[i] * grad[a, j]
                for b in range(len(value)):
                    matrix[i, j, a, b] += near * value[b] + far * grad[b, j]


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
                        blocks[slot[a, b], i, j] += matrix[i, j, a, b]

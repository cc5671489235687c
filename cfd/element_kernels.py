"""Element kernels of the stabilised Navier-Stokes equations, compiled by numba: what FFCx would generate, several times faster (a test compares them).

Equal-order elements of degree 1 or 2 for velocity and pressure; four unknowns (u, v, w, p) per node, m nodes per cell. Straight cells, and cells of degree 2
with curved edges. Cells come in blocks that share no node with others of their colour, so that threads can add to one matrix.
"""

import numpy as np
from numba import njit, prange

WIDTH = 16  # nodes of a cell, 10 at most, padded by zeros: LLVM makes vectors only of loops of 16 and more
ROWS = 12  # of what is known at a cell's nodes and at a quadrature point
SHAPE = 13  # numbers that describe a cell's shape at a quadrature point: see `bent_shapes`


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
def assemble(mesh, state, fields, target, wanted):
    """Add the residual (N, 4) and, if `wanted`, the Jacobian's 4 x 4 blocks (K, 4, 4) of all cells. target: (blocks, residual).

    Weak form: (a + u.grad u + div u / 2 u, v) + nu (grad u, grad v) - (p, div v) + (div u, q) + (s, tau (u.grad v + grad q)) + (tau_c div u, div v) with
    the strong residual s = a + u.grad u + grad p - nu laplace u and the acceleration a = rate u - past. The Jacobian is exact but for the derivatives of
    tau. mesh: FlowSpace.for_kernels. fields: (tau, tau_c, nu, rate, past), nu (C,), past (N, 3), or (0, 3) of a steady flow.
    """
    blocks, colours, cells, slot, (gradient, volume, bent, shape), (weight, tables, curve) = mesh
    tau, tau_c, nu, rate, past = fields
    m = cells.shape[1]
    for colour in range(len(colours) - 1):
        for block in prange(colours[colour], colours[colour + 1]):
            local, matrix, trial = np.zeros(ROWS * WIDTH), np.zeros(m * 16 * WIDTH, target[0].dtype), np.zeros(6 * WIDTH, target[0].dtype)
            straight, vector = np.zeros(SHAPE), np.zeros(4 * WIDTH)
            for e in range(blocks[block], blocks[block + 1]):
                vector[:] = 0.0
                if wanted:
                    matrix[:] = 0.0
                _gathered(cells[e], state, past, local)
                for i in range(3):
                    for j in range(3):
                        straight[3 * i + j] = gradient[e, i + 1, j]
                straight[12] = volume[e]
                for q in range(len(weight)):
                    g = shape[bent[e], q] if bent[e] >= 0 else straight
                    u, gu, acc, s = _at_point(tables[q], curve, g, (nu[e], rate), local)
                    constants = (weight[q] * g[12], tau[e], tau_c[e], nu[e], rate)
                    _add_residual(tables[q], (u, gu, acc, s), constants, local, vector)
                    if wanted:
                        _add_jacobian(tables[q], (u, gu, s), constants, (local, trial), matrix)
                _scatter(cells[e], slot[e], (vector, matrix), target, wanted)


@njit(cache=True, fastmath=True)
def _gathered(nodes, state, past, local):
    """The nodes' u, v, w, p and past into the first seven rows of `local`: flat (ROWS, WIDTH), like all that a loop over nodes reads or writes here."""
    for a in range(len(nodes)):
        for i in range(4):
            local[i * WIDTH + a] = state[nodes[a], i]
        if len(past):
            for i in range(3):
                local[(4 + i) * WIDTH + a] = past[nodes[a], i]


@njit(cache=True, fastmath=True, parallel=True)
def bent_shapes(nodes, cells, slope, curve, shape):
    """Fill shape (C, Q, SHAPE) for curved cells: at each point the gradients of the three reference coordinates, what `_at_point` needs of them for laplace
    N_a, and the volume |det J| / 6.

    x = sum of x_a N_a: laplace N = sum N_,kl g_k.g_l + sum N_,k laplace xi_k with laplace xi_k = -g_k . sum x_,lm g_l.g_m (x is linear in itself).
    slope: (Q, m, 3). curve: (m, 3, 3).
    """
    for e in prange(len(cells)):
        jacobian, bend = np.empty((3, 3)), np.empty(3)
        for q in range(len(slope)):
            g = shape[e, q]
            jacobian[:] = 0.0
            for a in range(cells.shape[1]):
                for i in range(3):
                    for k in range(3):
                        jacobian[i, k] += nodes[cells[e, a], i] * slope[q, a, k]
            g[12] = abs(_inverse(jacobian, g)) / 6
            bend[:] = 0.0
            for a in range(cells.shape[1]):
                laplace = 0.0
                for k in range(3):
                    for l in range(3):  # noqa: E741
                        laplace += curve[a, k, l] * (g[3 * k] * g[3 * l] + g[3 * k + 1] * g[3 * l + 1] + g[3 * k + 2] * g[3 * l + 2])
                for i in range(3):
                    bend[i] += nodes[cells[e, a], i] * laplace
            for k in range(3):
                g[9 + k] = g[3 * k] * bend[0] + g[3 * k + 1] * bend[1] + g[3 * k + 2] * bend[2]


@njit(cache=True, fastmath=True)
def _inverse(jacobian, g):
    """Rows of the inverse into the first nine of g; returns the determinant."""
    det = 0.0
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        for l in range(3):  # noqa: E741
            m, n = (l + 1) % 3, (l + 2) % 3
            g[3 * l + i] = jacobian[j, m] * jacobian[k, n] - jacobian[j, n] * jacobian[k, m]
        det += jacobian[i, 0] * g[i]
    for i in range(9):
        g[i] /= det
    return det


@njit(cache=True, fastmath=True)
def _at_point(table, curve, g, known, local):
    """At a quadrature point: (u, v, w, p), grad u, the acceleration, the strong residual s; grad N_a, u.grad N_a, laplace N_a into `local`'s rows 7 to 11.

    One loop over the nodes whose every index is a constant plus b, so that LLVM makes vectors of it; so in all that follow.
    """
    nu, rate = known
    g00, g01, g02, g10, g11, g12, g20, g21, g22, m0, m1, m2 = g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8], g[9], g[10], g[11]
    t00, t11, t22 = g00 * g00 + g01 * g01 + g02 * g02, g10 * g10 + g11 * g11 + g12 * g12, g20 * g20 + g21 * g21 + g22 * g22
    t01, t02, t12 = g00 * g10 + g01 * g11 + g02 * g12, g00 * g20 + g01 * g21 + g02 * g22, g10 * g20 + g11 * g21 + g12 * g22
    u0 = u1 = u2 = p = b0 = b1 = b2 = l0 = l1 = l2 = p0 = p1 = p2 = k00 = k01 = k02 = k10 = k11 = k12 = k20 = k21 = k22 = 0.0
    for b in range(WIDTH):
        n, s0, s1, s2 = table[b], table[WIDTH + b], table[2 * WIDTH + b], table[3 * WIDTH + b]
        x, y, z = s0 * g00 + s1 * g10 + s2 * g20, s0 * g01 + s1 * g11 + s2 * g21, s0 * g02 + s1 * g12 + s2 * g22
        laplace = curve[b] * t00 + curve[WIDTH + b] * t11 + curve[2 * WIDTH + b] * t22 - s0 * m0 - s1 * m1 - s2 * m2
        laplace += curve[3 * WIDTH + b] * t01 + curve[4 * WIDTH + b] * t02 + curve[5 * WIDTH + b] * t12
        local[7 * WIDTH + b], local[8 * WIDTH + b], local[9 * WIDTH + b], local[11 * WIDTH + b] = x, y, z, laplace
        w0, w1, w2, w3 = local[b], local[WIDTH + b], local[2 * WIDTH + b], local[3 * WIDTH + b]
        u0, u1, u2, p = u0 + n * w0, u1 + n * w1, u2 + n * w2, p + n * w3
        b0, b1, b2 = b0 + n * local[4 * WIDTH + b], b1 + n * local[5 * WIDTH + b], b2 + n * local[6 * WIDTH + b]
        l0, l1, l2 = l0 + laplace * w0, l1 + laplace * w1, l2 + laplace * w2
        p0, p1, p2 = p0 + w3 * x, p1 + w3 * y, p2 + w3 * z
        k00, k01, k02 = k00 + w0 * x, k01 + w0 * y, k02 + w0 * z
        k10, k11, k12 = k10 + w1 * x, k11 + w1 * y, k12 + w1 * z
        k20, k21, k22 = k20 + w2 * x, k21 + w2 * y, k22 + w2 * z
    for b in range(WIDTH):
        local[10 * WIDTH + b] = u0 * local[7 * WIDTH + b] + u1 * local[8 * WIDTH + b] + u2 * local[9 * WIDTH + b]
    a0, a1, a2 = rate * u0 - b0, rate * u1 - b1, rate * u2 - b2
    s0 = a0 + k00 * u0 + k01 * u1 + k02 * u2 + p0 - nu * l0
    s1 = a1 + k10 * u0 + k11 * u1 + k12 * u2 + p1 - nu * l1
    s2 = a2 + k20 * u0 + k21 * u1 + k22 * u2 + p2 - nu * l2
    return (u0, u1, u2, p), (k00, k01, k02, k10, k11, k12, k20, k21, k22), (a0, a1, a2), (s0, s1, s2)


@njit(cache=True, fastmath=True)
def _add_residual(table, point, constants, local, vector):
    (u0, u1, u2, p), (k00, k01, k02, k10, k11, k12, k20, k21, k22), (a0, a1, a2), (s0, s1, s2) = point
    dv, tau, tau_c, nu, _ = constants
    div = k00 + k11 + k22
    bulk = tau_c * div - p
    c0, c1, c2 = (a0 + k00 * u0 + k01 * u1 + k02 * u2) + 0.5 * div * u0, a1 + k10 * u0 + k11 * u1 + k12 * u2, a2 + k20 * u0 + k21 * u1 + k22 * u2
    c1, c2 = c1 + 0.5 * div * u1, c2 + 0.5 * div * u2
    for b in range(WIDTH):
        n, x, y, z, adv = dv * table[b], dv * local[7 * WIDTH + b], dv * local[8 * WIDTH + b], dv * local[9 * WIDTH + b], dv * tau * local[10 * WIDTH + b]
        vector[b] += n * c0 + adv * s0 + nu * (x * k00 + y * k01 + z * k02) + bulk * x
        vector[WIDTH + b] += n * c1 + adv * s1 + nu * (x * k10 + y * k11 + z * k12) + bulk * y
        vector[2 * WIDTH + b] += n * c2 + adv * s2 + nu * (x * k20 + y * k21 + z * k22) + bulk * z
        vector[3 * WIDTH + b] += n * div + tau * (x * s0 + y * s1 + z * s2)


@njit(cache=True, fastmath=True)
def _add_jacobian(table, point, constants, work, matrix):
    """Blocks of all pairs of nodes at a quadrature point, in the precision of the target. matrix: flat (m, 4, 4, WIDTH), the trial function last."""
    (u0, u1, u2, _), (k00, k01, k02, k10, k11, k12, k20, k21, k22), (s0, s1, s2) = point
    dv, tau, tau_c, nu, rate = constants
    local, trial = work
    half_div, one = 0.5 * (k00 + k11 + k22), trial.dtype.type
    for b in range(WIDTH):
        n, moved = table[b], local[10 * WIDTH + b] + rate * table[b]
        trial[b], trial[WIDTH + b], trial[2 * WIDTH + b] = local[7 * WIDTH + b], local[8 * WIDTH + b], local[9 * WIDTH + b]
        trial[3 * WIDTH + b], trial[4 * WIDTH + b], trial[5 * WIDTH + b] = n, moved + half_div * n, moved - nu * local[11 * WIDTH + b]
    slopes = (one(k00), one(k01), one(k02), one(k10), one(k11), one(k12), one(k20), one(k21), one(k22))
    speed, strong = (one(0.5 * u0), one(0.5 * u1), one(0.5 * u2)), (one(dv * tau * s0), one(dv * tau * s1), one(dv * tau * s2))
    weights = (one(dv), one(dv * tau), one(dv * nu), one(dv * tau_c))
    for a in range(len(matrix) // (16 * WIDTH)):
        _add_row(a, one(local[10 * WIDTH + a]), (slopes, speed, strong, weights), trial, matrix[a * 16 * WIDTH : (a + 1) * 16 * WIDTH])


@njit(cache=True, fastmath=True)
def _add_row(a, adv, point, trial, row):
    """Blocks of test function a with all trial functions."""
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
            residual[nodes[a], i] += vector[i * WIDTH + a]
        if wanted:
            for b in range(len(nodes)):
                for i in range(4):
                    for j in range(4):
                        blocks[slot[a, b], i, j] += matrix[(16 * a + 4 * i + j) * WIDTH + b]

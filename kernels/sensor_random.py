"""Random numbers that belong to a pixel, not to an order: a counter-based generator, and normal deviates of its words.

Threefry-4x32 with 20 rounds (J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11):
a keyed bijection of a counter, here (x, y, purpose, 0), to four words. Nothing is kept from one pixel to the next, so neither threads
nor strips can change a draw.

Normal deviates are those of the inverse distribution (as M. B. Giles, "Approximating the erfinv function", GPU Computing Gems Jade,
2011, with fits of our own): with t = 2u - 1 and L = -ln(1 - t^2), w / t is a polynomial in L up to 5 and in sqrt(L) beyond. Relative error
of the fits 1e-7 and 4e-7; 32 bits reach 6.3 sigma.
"""

import halide as hl

ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))
PARITY = 0x1BD11BDA
MIDDLE = (2.12331357, 0.34880266, -0.00590817099, -0.00177301009, 0.000309150259, -6.21800371e-06, -4.99058668e-06, 4.86103703e-07,
          4.03567476e-08)  # fmt: skip
TAIL = (4.71708759, 1.42462629, 0.00466933411, -0.00284985165, 0.00141179695, -0.00109663643, 0.000798465091, -0.000239541877)
SPLIT, MIDDLE_AT, TAIL_AT = 5.0, 2.5, 3.5  # of L, and the centres of the polynomials
WORD = 2.0**-32
f32, u32 = hl.f32, hl.u32


def polynomial(at, coefficients):
    """Horner's scheme, the constant first."""
    value = f32(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        value = value * at + f32(c)
    return value


def words(name, x, y, top, purpose, key):
    """A Func of (x, y) with the four words of the counter (x, y + top, purpose, 0) under a key of four words; see `computed`."""
    key = [*key, u32(PARITY) ^ key[0] ^ key[1] ^ key[2] ^ key[3]]
    state = hl.Func(name)
    state[x, y] = tuple(hl.cast(hl.UInt(32), n) + k for n, k in zip((x, y + top, purpose, 0), key, strict=False))
    for pair in range(10):
        mixed = two_rounds([state[x, y][i] for i in range(4)], *ROTATIONS[2 * pair % 8 : 2 * pair % 8 + 2])
        if pair % 2:
            step = pair // 2 + 1
            mixed = [m + key[(step + i) % 5] + u32(step * (i == 3)) for i, m in enumerate(mixed)]
        state[x, y] = tuple(mixed)
    return state


def two_rounds(v, first, second):
    """Two rounds of Threefry-4x32: additions, rotations and exclusive ors of words 0 and 2 with 1 and 3, then with 3 and 1."""
    v[0], v[2] = v[0] + v[1], v[2] + v[3]
    v[1], v[3] = rotated(v[1], first[0]) ^ v[0], rotated(v[3], first[1]) ^ v[2]
    v[0], v[2] = v[0] + v[3], v[2] + v[1]
    return [v[0], rotated(v[1], second[1]) ^ v[2], v[2], rotated(v[3], second[0]) ^ v[0]]


def rotated(word, by):
    return (word << u32(by)) | (word >> u32(32 - by))


def computed(state, consumer, at, vector):
    """Schedule words() at a loop of their consumer, all stages in vectors."""
    state.compute_at(consumer, at).vectorize(state.args()[0], vector)
    for stage in range(10):
        state.update(stage).vectorize(state.args()[0], vector)


def centred(word):
    """t = 2u - 1 of a word, -1 to 1, exact to float32 near 0; never one of the three."""
    return (hl.cast(hl.Float(32), hl.reinterpret(hl.Int(32), word ^ u32(0x80000000))) + f32(0.5)) * f32(2 * WORD)


def is_upper(word):
    return word >= u32(0x80000000)


def half(word):
    """The upper 16 bits of a word, as float32."""
    return hl.cast(hl.Float(32), hl.reinterpret(hl.Int(32), word >> 16))


def folded(word, low=None):
    """Distance of u from the nearer of 0 and 1, relatively exact to float32; low: a word whose upper half are 16 bits more."""
    near = hl.cast(hl.Float(32), hl.reinterpret(hl.Int(32), hl.select(is_upper(word), ~word, word)))
    if low is None:
        return (near + f32(0.5)) * f32(WORD)
    return (near + (half(hl.select(is_upper(word), ~low, low)) + f32(0.5)) * f32(2.0**-16)) * f32(WORD)


def quantile(t, p):
    """Normal deviate at t = 2u - 1 with p, the distance of u from the nearer of 0 and 1."""
    depth = -hl.log(4 * p * (1 - p))
    middle = polynomial(depth - f32(MIDDLE_AT), MIDDLE)
    tail = polynomial(hl.sqrt(depth) - f32(TAIL_AT), TAIL)
    return t * hl.select(depth < f32(SPLIT), middle, tail)


def normal(word):
    """Normal deviate of a word."""
    return quantile(centred(word), folded(word))

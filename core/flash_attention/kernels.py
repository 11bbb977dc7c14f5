"""FlashAttention-2 as Triton kernels: forward, and backward in two sweeps without atomics.

Forward, a program owns a block of queries and walks along the keys, with a running maximum m and
sum l in base 2 (2^x is what the hardware has; c = scale·log₂e):

    S = QKᵀ,  m' = max(m, c·rowmax S),  P = 2^(cS−m'),  a = 2^(m−m'),
    l' = a·l + rowsum P,  o' = a·o + PV;        at the end  O = o/l,  L = m + log₂l.

Backward, with D = rowsum(dO∘O), one kernel owns a block of keys and walks along the queries for dK
and dV, another owns a block of queries and walks along the keys for dQ; both compute P = 2^(cS−L)
anew. That is two products more than the paper's single sweep and no atomic addition: the same bits
every time.

Tiles that the causal mask hides (query t sees key s if and only if s ≤ t + S − T) are not visited,
and only tiles on the diagonal or over a ragged edge are masked.

Shape suffixes: Q a block of queries, K a block of keys, D the head dimension padded to a power of
two. T and S are the numbers of queries and keys, W the head dimension. Arrays are contiguous, of
shape (heads, length, W); each program of the flat grid is one block of one head.

References:
    FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning (Dao, 2023),
    algorithms 1 and 2, section 3.1.
"""

# mypy: disable-error-code="untyped-decorator"

import triton
import triton.language as tl

# fmt: off
# A kernel's signature is long by nature: three lines, grouped as data, sizes and constants.


@triton.jit
def load_rows(base: tl.tensor, rows: tl.tensor, length: tl.tensor, W: tl.constexpr,
              PADDED: tl.constexpr, RAGGED: tl.constexpr) -> tl.tensor:
    """Rows of a matrix, shape (rows, PADDED); what lies outside it is 0."""
    columns = tl.arange(0, PADDED)
    pointers = base + rows[:, None] * W + columns[None, :]
    if RAGGED or W < PADDED:
        inside = (rows[:, None] < length) & (columns[None, :] < W)
        block = tl.load(pointers, mask=inside, other=0.0)
    else:
        block = tl.load(pointers)
    return block


@triton.jit
def store_rows(base: tl.tensor, rows: tl.tensor, length: tl.tensor, values: tl.tensor,
               W: tl.constexpr, PADDED: tl.constexpr) -> None:
    """Writes those rows that lie inside the matrix, in its dtype."""
    columns = tl.arange(0, PADDED)
    inside = (rows[:, None] < length) & (columns[None, :] < W)
    pointers = base + rows[:, None] * W + columns[None, :]
    tl.store(pointers, values.to(base.dtype.element_ty), mask=inside)


@triton.jit
def visible(rows: tl.tensor, cols: tl.tensor, T: tl.tensor, S: tl.tensor,
            CAUSAL: tl.constexpr) -> tl.tensor:
    """Which keys exist and are seen; rows and cols broadcast against each other."""
    seen = cols < S
    if CAUSAL:
        seen = seen & (cols <= rows + S - T)
    return seen


@triton.jit
def end_of_keys(last_row: tl.tensor, T: tl.tensor, S: tl.tensor,
                CAUSAL: tl.constexpr) -> tl.tensor:
    """How many keys, from the first, a query sees."""
    end = S
    if CAUSAL:
        end = tl.minimum(S, tl.maximum(0, last_row + 1 + S - T))
    return end


@triton.jit
def product(a: tl.tensor, b: tl.tensor, start: tl.tensor, PRECISION: tl.constexpr) -> tl.tensor:
    """Adds ab to start. Triton's interpreter takes bfloat16 for integers, hence "emulated"."""
    if PRECISION == "emulated":
        result = tl.dot(a.to(tl.float32), b.to(tl.float32), start, input_precision="ieee")
    else:
        result = tl.dot(a, b, start, input_precision=PRECISION)
    return result


@triton.jit
def attend(q_QD: tl.tensor, m_Q: tl.tensor, l_Q: tl.tensor, o_QD: tl.tensor,
           k: tl.tensor, v: tl.tensor, rows: tl.tensor, start: tl.tensor, end: tl.tensor,
           T: tl.tensor, S: tl.tensor, c: tl.tensor,
           W: tl.constexpr, PADDED: tl.constexpr, BLOCK_K: tl.constexpr,
           CAUSAL: tl.constexpr, MASKED: tl.constexpr, PRECISION: tl.constexpr) -> tl.tensor:
    """Walks along the keys [start, end): the running softmax of a block of queries."""
    for first in range(start, end, BLOCK_K):
        cols = first + tl.arange(0, BLOCK_K)
        k_KD = load_rows(k, cols, S, W, PADDED, MASKED)
        s_QK = product(q_QD, tl.trans(k_KD), None, PRECISION)
        if MASKED:
            seen = visible(rows[:, None], cols[None, :], T, S, CAUSAL)
            s_QK = tl.where(seen, s_QK, float("-inf"))
        m_new_Q = tl.maximum(m_Q, c * tl.max(s_QK, 1))
        shift_Q = m_new_Q
        if MASKED:  # a row may have seen nothing yet
            shift_Q = tl.where(m_new_Q == float("-inf"), 0.0, m_new_Q)
        p_QK = tl.exp2(c * s_QK - shift_Q[:, None])
        a_Q = tl.exp2(m_Q - shift_Q)
        l_Q = a_Q * l_Q + tl.sum(p_QK, 1)
        m_Q = m_new_Q
        v_KD = load_rows(v, cols, S, W, PADDED, MASKED)
        o_QD = o_QD * a_Q[:, None]
        o_QD = product(p_QK.to(v_KD.dtype), v_KD, o_QD, PRECISION)
    return m_Q, l_Q, o_QD


@triton.jit(do_not_specialize=("T", "S"))
def forward(q: tl.tensor, k: tl.tensor, v: tl.tensor, o: tl.tensor, lse: tl.tensor,
            T: tl.tensor, S: tl.tensor, c: tl.tensor,
            W: tl.constexpr, PADDED: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_K: tl.constexpr,
            CAUSAL: tl.constexpr, PRECISION: tl.constexpr) -> None:
    """Writes O and L (base 2) of a block of queries."""
    blocks = tl.cdiv(T, BLOCK_Q)
    head = (tl.program_id(0) // blocks).to(tl.int64)
    first = (blocks - 1 - tl.program_id(0) % blocks) * BLOCK_Q  # the longest rows start first
    rows = first + tl.arange(0, BLOCK_Q)
    q_QD = load_rows(q + head * T * W, rows, T, W, PADDED, True)
    m_Q = tl.full([BLOCK_Q], float("-inf"), tl.float32)
    l_Q = tl.zeros([BLOCK_Q], tl.float32)
    o_QD = tl.zeros([BLOCK_Q, PADDED], tl.float32)
    whole = end_of_keys(first, T, S, CAUSAL) // BLOCK_K * BLOCK_K
    end = end_of_keys(tl.minimum(first + BLOCK_Q, T) - 1, T, S, CAUSAL)
    k, v = k + head * S * W, v + head * S * W
    m_Q, l_Q, o_QD = attend(q_QD, m_Q, l_Q, o_QD, k, v, rows, 0, whole, T, S, c,
                            W, PADDED, BLOCK_K, CAUSAL, False, PRECISION)
    m_Q, l_Q, o_QD = attend(q_QD, m_Q, l_Q, o_QD, k, v, rows, whole, end, T, S, c,
                            W, PADDED, BLOCK_K, CAUSAL, True, PRECISION)
    l_Q = tl.where(l_Q == 0.0, 1.0, l_Q)  # a row that saw no key: O = 0, L = -inf
    store_rows(o + head * T * W, rows, T, o_QD / l_Q[:, None], W, PADDED)
    tl.store(lse + head * T + rows, m_Q + tl.log2(l_Q), mask=rows < T)


@triton.jit(do_not_specialize=("T", "S"))
def row_dots(do: tl.tensor, o: tl.tensor, delta: tl.tensor, T: tl.tensor,
             W: tl.constexpr, PADDED: tl.constexpr, BLOCK_Q: tl.constexpr) -> None:
    """Writes D = rowsum(dO∘O) of a block of queries."""
    blocks = tl.cdiv(T, BLOCK_Q)
    head = (tl.program_id(0) // blocks).to(tl.int64)
    rows = tl.program_id(0) % blocks * BLOCK_Q + tl.arange(0, BLOCK_Q)
    do_QD = load_rows(do + head * T * W, rows, T, W, PADDED, True).to(tl.float32)
    o_QD = load_rows(o + head * T * W, rows, T, W, PADDED, True).to(tl.float32)
    tl.store(delta + head * T + rows, tl.sum(do_QD * o_QD, 1), mask=rows < T)


@triton.jit
def load_lse(lse: tl.tensor, rows: tl.tensor, T: tl.tensor) -> tl.tensor:
    """L of some rows; +∞, for which P is 0, where there is no row or it saw no key."""
    lse_Q = tl.load(lse + rows, mask=rows < T, other=float("inf"))
    return tl.where(lse_Q == float("-inf"), float("inf"), lse_Q)


@triton.jit
def sum_over_queries(dk_KD: tl.tensor, dv_KD: tl.tensor, k_KD: tl.tensor, v_KD: tl.tensor,
                     q: tl.tensor, do: tl.tensor, lse: tl.tensor, delta: tl.tensor,
                     cols: tl.tensor, start: tl.tensor, end: tl.tensor,
                     T: tl.tensor, S: tl.tensor, c: tl.tensor,
                     W: tl.constexpr, PADDED: tl.constexpr, BLOCK_Q: tl.constexpr,
                     MASKED: tl.constexpr, RAGGED: tl.constexpr,
                     PRECISION: tl.constexpr) -> tl.tensor:
    """Walks along the queries [start, end): dK (not yet scaled) and dV of a block of keys."""
    for first in range(start, end, BLOCK_Q):
        rows = first + tl.arange(0, BLOCK_Q)
        q_QD = load_rows(q, rows, T, W, PADDED, RAGGED)
        do_QD = load_rows(do, rows, T, W, PADDED, RAGGED)
        lse_Q = load_lse(lse, rows, T)
        delta_Q = tl.load(delta + rows, mask=rows < T, other=0.0)
        s_KQ = product(k_KD, tl.trans(q_QD), None, PRECISION)
        if MASKED:
            seen = visible(rows[None, :], cols[:, None], T, S, True)
            s_KQ = tl.where(seen, s_KQ, float("-inf"))
        p_KQ = tl.exp2(c * s_KQ - lse_Q[None, :])
        dv_KD = product(p_KQ.to(do_QD.dtype), do_QD, dv_KD, PRECISION)
        dp_KQ = product(v_KD, tl.trans(do_QD), None, PRECISION)
        ds_KQ = p_KQ * (dp_KQ - delta_Q[None, :])
        dk_KD = product(ds_KQ.to(q_QD.dtype), q_QD, dk_KD, PRECISION)
    return dk_KD, dv_KD


@triton.jit(do_not_specialize=("T", "S"))
def backward_keys(q: tl.tensor, k: tl.tensor, v: tl.tensor, do: tl.tensor, lse: tl.tensor,
                  delta: tl.tensor, dk: tl.tensor, dv: tl.tensor,
                  T: tl.tensor, S: tl.tensor, c: tl.tensor, scale: tl.tensor,
                  W: tl.constexpr, PADDED: tl.constexpr, BLOCK_Q: tl.constexpr,
                  BLOCK_K: tl.constexpr, CAUSAL: tl.constexpr, RAGGED: tl.constexpr,
                  PRECISION: tl.constexpr) -> None:
    """Writes dK and dV of a block of keys."""
    blocks = tl.cdiv(S, BLOCK_K)
    head = (tl.program_id(0) // blocks).to(tl.int64)
    first = tl.program_id(0) % blocks * BLOCK_K
    cols = first + tl.arange(0, BLOCK_K)
    q, do = q + head * T * W, do + head * T * W
    lse, delta = lse + head * T, delta + head * T
    k_KD = load_rows(k + head * S * W, cols, S, W, PADDED, True)
    v_KD = load_rows(v + head * S * W, cols, S, W, PADDED, True)
    dk_KD = tl.zeros([BLOCK_K, PADDED], tl.float32)
    dv_KD = tl.zeros([BLOCK_K, PADDED], tl.float32)
    start = 0
    if CAUSAL:  # from the first query that sees a key of the block to the first that sees all
        start = tl.maximum(0, first + T - S) // BLOCK_Q * BLOCK_Q
        whole = tl.cdiv(tl.maximum(0, first + BLOCK_K - 1 + T - S), BLOCK_Q) * BLOCK_Q
        whole = tl.minimum(whole, tl.cdiv(T, BLOCK_Q) * BLOCK_Q)
        dk_KD, dv_KD = sum_over_queries(dk_KD, dv_KD, k_KD, v_KD, q, do, lse, delta, cols, start,
                                        whole, T, S, c, W, PADDED, BLOCK_Q, True, RAGGED, PRECISION)
        start = whole
    dk_KD, dv_KD = sum_over_queries(dk_KD, dv_KD, k_KD, v_KD, q, do, lse, delta, cols, start,
                                    T, T, S, c, W, PADDED, BLOCK_Q, False, RAGGED, PRECISION)
    store_rows(dk + head * S * W, cols, S, dk_KD * scale, W, PADDED)
    store_rows(dv + head * S * W, cols, S, dv_KD, W, PADDED)


@triton.jit
def sum_over_keys(dq_QD: tl.tensor, q_QD: tl.tensor, do_QD: tl.tensor, lse_Q: tl.tensor,
                  delta_Q: tl.tensor, k: tl.tensor, v: tl.tensor, rows: tl.tensor,
                  start: tl.tensor, end: tl.tensor, T: tl.tensor, S: tl.tensor, c: tl.tensor,
                  W: tl.constexpr, PADDED: tl.constexpr, BLOCK_K: tl.constexpr,
                  CAUSAL: tl.constexpr, MASKED: tl.constexpr,
                  PRECISION: tl.constexpr) -> tl.tensor:
    """Walks along the keys [start, end): dQ (not yet scaled) of a block of queries."""
    for first in range(start, end, BLOCK_K):
        cols = first + tl.arange(0, BLOCK_K)
        k_KD = load_rows(k, cols, S, W, PADDED, MASKED)
        v_KD = load_rows(v, cols, S, W, PADDED, MASKED)
        s_QK = product(q_QD, tl.trans(k_KD), None, PRECISION)
        if MASKED:
            seen = visible(rows[:, None], cols[None, :], T, S, CAUSAL)
            s_QK = tl.where(seen, s_QK, float("-inf"))
        p_QK = tl.exp2(c * s_QK - lse_Q[:, None])
        dp_QK = product(do_QD, tl.trans(v_KD), None, PRECISION)
        ds_QK = p_QK * (dp_QK - delta_Q[:, None])
        dq_QD = product(ds_QK.to(k_KD.dtype), k_KD, dq_QD, PRECISION)
    return dq_QD


@triton.jit(do_not_specialize=("T", "S"))
def backward_queries(q: tl.tensor, k: tl.tensor, v: tl.tensor, do: tl.tensor, lse: tl.tensor,
                     delta: tl.tensor, dq: tl.tensor,
                     T: tl.tensor, S: tl.tensor, c: tl.tensor, scale: tl.tensor,
                     W: tl.constexpr, PADDED: tl.constexpr, BLOCK_Q: tl.constexpr,
                     BLOCK_K: tl.constexpr, CAUSAL: tl.constexpr,
                     PRECISION: tl.constexpr) -> None:
    """Writes dQ of a block of queries."""
    blocks = tl.cdiv(T, BLOCK_Q)
    head = (tl.program_id(0) // blocks).to(tl.int64)
    first = (blocks - 1 - tl.program_id(0) % blocks) * BLOCK_Q
    rows = first + tl.arange(0, BLOCK_Q)
    q_QD = load_rows(q + head * T * W, rows, T, W, PADDED, True)
    do_QD = load_rows(do + head * T * W, rows, T, W, PADDED, True)
    lse_Q = load_lse(lse + head * T, rows, T)
    delta_Q = tl.load(delta + head * T + rows, mask=rows < T, other=0.0)
    dq_QD = tl.zeros([BLOCK_Q, PADDED], tl.float32)
    whole = end_of_keys(first, T, S, CAUSAL) // BLOCK_K * BLOCK_K
    end = end_of_keys(tl.minimum(first + BLOCK_Q, T) - 1, T, S, CAUSAL)
    k, v = k + head * S * W, v + head * S * W
    dq_QD = sum_over_keys(dq_QD, q_QD, do_QD, lse_Q, delta_Q, k, v, rows, 0, whole, T, S, c,
                          W, PADDED, BLOCK_K, CAUSAL, False, PRECISION)
    dq_QD = sum_over_keys(dq_QD, q_QD, do_QD, lse_Q, delta_Q, k, v, rows, whole, end, T, S, c,
                          W, PADDED, BLOCK_K, CAUSAL, True, PRECISION)
    store_rows(dq + head * T * W, rows, T, dq_QD * scale, W, PADDED)

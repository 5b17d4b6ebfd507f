"""The reductions R1 to R9, and the properties P1 to P9 and L1 to L9, each have a test of that name.

R1 no exchange: independent SGD. R2 α = 0: so too, and the center is frozen. R3 α = ½, η = 0: both
meet. R4 EAMSGD with δ = 0: EASGD. R5 DOWNPOUR with p = τ = 1: SGD. R6 local SGD on equal batches:
one SGD. R7 Hᵇ = 1, or one block: flat local SGD. R8 GoSGD alone: SGD. R9 local SGD with H = 1:
synchronous SGD, exactly as far as numbers are dyadic.

P1 the sum is conserved. P2 an exchange multiplies x − x̃ by 1 − 2α. P3 nobody leaves the hull. P4
the order of workers is nothing. P5 a fixed point. P6 a difference that comes twice counts once. P7
a crash before it leaves the center alone. P8 shards are the whole. P9 where quadratics are stable.

L1 the same bits for all after a round. L2 is R6 to R9. L3 the mean moves by mean gradients. L4 so
many rounds. L5 blocks meet every H, all every H·Hᵇ. L6 resumed anywhere, bit for bit. L7 applied
and residual are all that was done. L8 no outer momentum: plain averaging. L9 an outer step a round.
"""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
LAWS = {f"{letter}{number}" for letter in "rpl" for number in range(1, 10)} - {"l2"}
NAME = re.compile(r"def test_([rpl]\d)_")


def test_every_law_has_a_test_of_its_name() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))

    assert LAWS - set(NAME.findall(text)) == set()

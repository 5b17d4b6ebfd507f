"""What SGP conserves: Σ w, and Σ w·z but for the steps, which move w·z by −ηg."""

from tether.protocols.gosgd_invariants import Conservation

INVARIANTS = (Conservation,)

"""What DiLoCo promises of each fragment: what all promise who average in rounds."""

from tether.protocols.aggregator_invariants import Rounds

INVARIANTS = (Rounds,)

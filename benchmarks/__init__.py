"""Every claim about speed: what is run, against whom, and what came out."""

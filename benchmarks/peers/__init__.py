"""The systems that are measured: physical limits, plain ZeroMQ, tether, and other frameworks."""

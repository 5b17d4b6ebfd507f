"""Runners: wiring files, processes, worlds and the command line."""

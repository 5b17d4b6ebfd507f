"""Other ways to train on several processes, a process for each rank: torch, torchft, hivemind."""

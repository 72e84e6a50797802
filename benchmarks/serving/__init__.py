"""The inference server beside its peers, and under load."""

"""Stochastic samplers: each draws trajectories of a `SpinModel`."""

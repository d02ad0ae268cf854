"""Trajectories of definite momentum: jumps unravelled so that translation-invariant models keep short vectors."""

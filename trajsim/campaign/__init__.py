"""Campaigns: a TOML file run as an ensemble on MPI ranks and streamed into a store."""

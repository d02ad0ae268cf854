"""Reducers: an opened ensemble in, labelled results with error bars out, and a figure for each."""

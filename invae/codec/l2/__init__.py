"""The L2 mode: sparse codes on dictionaries, grids, and the groups that hold them."""

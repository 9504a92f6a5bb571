"""Values in steps of their own standard deviation: counts, dithered grids and the mixture that codes them."""

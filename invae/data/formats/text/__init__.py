"""Plain text: tables of columns, and two-dimensional data written as numbers."""

"""Social-welfare allocation: an allocator that must choose between output and fairness."""

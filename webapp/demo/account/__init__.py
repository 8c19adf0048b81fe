"""What one account of the simulated Flow consists of: sign-ins, projects, and the order of its entries."""

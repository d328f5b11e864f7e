"""The transformer's objective: dropped labels, weighted loss, self-correction."""

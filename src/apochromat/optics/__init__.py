"""The glass: prescription, real ray trace with exact gradients, analyses, certificate, optimisation, tolerances (JAX, float64)."""

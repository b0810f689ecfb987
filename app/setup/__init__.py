"""Set-up: what the product needs besides its Python packages, brought here once and checked."""

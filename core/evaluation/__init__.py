"""The figures: run as `python -m core.evaluation`; the product never imports it."""

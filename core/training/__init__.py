"""The recipe: data, teacher, students. Run as `python -m core.training`; the product never imports it."""

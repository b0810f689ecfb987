"""Speech in, pictures out: the one loop and the models it runs."""

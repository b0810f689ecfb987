"""Sound in and out: the devices, both directions of sound, echo cancellation."""

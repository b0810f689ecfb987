"""The embedded avatar: motion latents and a portrait warp."""

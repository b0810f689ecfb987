"""LiveTalk-1.3B: the distilled video diffusion model as a performer."""

"""Who is speaking: voice probability and the pure rules of turn-taking."""

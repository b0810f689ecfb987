"""The conversation engine of LiveTalk: no Qt, no global state, nothing that happens at import."""

"""Who answers: a Qwen3-Omni endpoint or the embedded companion, behind one protocol."""

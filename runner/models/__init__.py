"""Models that callers import: found at Civitai, downloaded by a durable task, checked, put into the LoRA folder."""

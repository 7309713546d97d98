"""Node classes, thin: what ComfyUI reads of a node, and a call of ops/. No torch before a node runs."""

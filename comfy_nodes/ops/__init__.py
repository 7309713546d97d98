"""What the nodes do, as plain functions of tensors and values: tested without ComfyUI."""

"""comfyc's node pack for ComfyUI, linked to custom_nodes/comfyc. It holds no node yet."""

NODE_CLASS_MAPPINGS: dict[str, type] = {}
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {}

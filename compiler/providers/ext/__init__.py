"""ext.systems: images and videos by model id. Contract: its OpenAPI document 1.0.0."""

KEY = "model"
OPERATIONS = {"image": "POST /api/v1/img", "video": "POST /api/v1/video"}

"""What the command `retrain` retrains: the small network, or a vision-language model."""

# Imported only when asked for: each brings its own libraries. Settings: conf/retrain.yaml, retrain_vlm.yaml.
MODELS = {
    "spatialnet": "spatial_reward.retrain.scene.retrain",
    "vlm": "spatial_reward.retrain.vlm.retrain_vlm",
}
